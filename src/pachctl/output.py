"""How things are printed: plain tables, relative times, binary sizes, and ``--raw`` documents.

The wording of times and sizes is that of the Go command (docker/go-units: 4.308KiB, About a minute ago).
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import TYPE_CHECKING, Any

import typer

from pachctl.errors import PachctlError

if TYPE_CHECKING:
    import betterproto

GREEN, YELLOW, RED = "green", "yellow", "red"
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
_STYLE = re.compile(r"\x1b\[[0-9;]*m")
_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def line(text: str = "") -> None:
    """One line on standard output."""
    sys.stdout.write(text + "\n")


def note(text: str) -> None:
    """One line on standard error: hints and notices, which no pipe should see."""
    sys.stderr.write(text + "\n")


def confirmed() -> bool:
    """Ask on standard error whether to go on; anything but a yes is a no."""
    sys.stdout.flush()
    sys.stderr.write("Are you sure you want to do this? (y/N): ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower().startswith("y")


def colour(text: str, name: str) -> str:
    """``text`` in a colour, on a terminal only."""
    return typer.style(text, fg=name) if sys.stdout.isatty() and "NO_COLOR" not in os.environ else text


def _plain(text: str) -> str:
    return _STYLE.sub("", text)


def table(header: str, rows: Iterable[Sequence[object]]) -> None:
    """Left-aligned columns, two spaces apart; ``header`` separates its names by tabs."""
    cells = [header.split("\t"), *([str(cell) for cell in row] for row in rows)]
    widths = [max(len(_plain(row[column])) for row in cells) for column in range(len(cells[0]))]
    for row in cells:
        padded = [cell + " " * (width - len(_plain(cell))) for cell, width in zip(row, widths, strict=True)]
        line("  ".join(padded).rstrip())


def stream(header: str, rows: Iterable[Sequence[object]]) -> None:
    """A table whose rows are printed as they come: columns grow with the rows so far."""
    widths = [0] * len(header.split("\t"))
    for row in chain([header.split("\t")], rows):
        cells = [str(cell) for cell in row]
        widths = [max(width, len(_plain(cell))) for width, cell in zip(widths, cells, strict=True)]
        line("  ".join(cell + " " * (width - len(_plain(cell))) for cell, width in zip(cells, widths, strict=True)).rstrip())
        flush()


def fields(pairs: Iterable[tuple[str, object]]) -> None:
    """``Name: value`` lines; those whose value is None are left out, and a value of several lines begins on the next."""
    for name, value in pairs:
        if value is not None:
            line(f"{name}:{value}" if str(value).startswith("\n") else f"{name}: {value}")


def block(fields_: dict[str, Any], name: str) -> str | None:
    """A field that is an object, as indented JSON; None if it is unset, so that `fields` leaves it out."""
    return json.dumps(fields_[name], indent=2, ensure_ascii=False) if fields_.get(name) else None


def size(count: int) -> str:
    """Bytes in binary units with four significant digits."""
    value, unit = float(count), 0
    while value >= 1024 and unit < len(_UNITS) - 1:
        value, unit = value / 1024, unit + 1
    return f"{value:.4g}{_UNITS[unit]}"


def duration(span: timedelta) -> str:
    """A span in words, coarser the longer it is."""
    seconds = span.total_seconds()
    hours = int(seconds / _HOUR + 0.5)
    words: tuple[tuple[bool, str], ...] = (
        (seconds < 1, "Less than a second"),
        (int(seconds) == 1, "1 second"),
        (seconds < _MINUTE, f"{int(seconds)} seconds"),
        (seconds < 2 * _MINUTE, "About a minute"),
        (seconds < _HOUR, f"{int(seconds / _MINUTE)} minutes"),
        (hours == 1, "About an hour"),
        (hours < 48, f"{hours} hours"),
        (hours < 24 * 7 * 2, f"{hours // 24} days"),
        (hours < 24 * 30 * 2, f"{hours // 24 // 7} weeks"),
        (hours < 24 * 365 * 2, f"{hours // 24 // 30} months"),
    )
    return next((text for fits, text in words if fits), f"{int(seconds / _DAY / 365)} years")


def moment(when: datetime | None) -> datetime | None:
    """``when``, or None where the SDK's reading of an unset time (1970) stands."""
    return None if when is None or when.timestamp() == 0 else when


def when(time: datetime | None, full: bool = False) -> str:
    """``3 minutes ago``; with ``full`` the time in RFC 3339; ``-`` when it is unset."""
    if not (time := moment(time)):
        return "-"
    if full:
        return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return f"{duration(max(datetime.now(UTC) - time, timedelta()))} ago"


def progress_bar(done: int, going: int, failed: int, width: int = 8) -> str:
    """A bar of green, yellow and red; its last part is red whenever anything failed."""
    total = done + going + failed
    parts = []
    for index in range(width):
        reached = index * total
        if failed and index == width - 1:
            parts.append(colour("▇", RED))
        elif reached < done * width:
            parts.append(colour("▇", GREEN))
        elif reached < (done + going) * width:
            parts.append(colour("▇", YELLOW))
        else:
            parts.append(colour("▇", RED) if total else " ")
    return "".join(parts)


def document(message: betterproto.Message) -> dict[str, Any]:
    """A message as protobuf's JSON mapping, with the field names of the .proto."""
    import betterproto

    document: dict[str, Any] = message.to_dict(casing=betterproto.Casing.SNAKE)
    return document


def raw(messages: Iterable[betterproto.Message], form: str) -> None:
    """Each message as an indented JSON object, or as a YAML document."""
    raw_documents((document(message) for message in messages), form)


def as_yaml(document: object) -> str:
    """A YAML document as the Go command writes it: keys sorted, lists indented, text that looks like a number in "..."."""
    import yaml

    class Dumper(yaml.SafeDumper):
        def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002
            super().increase_indent(flow, indentless=False)

    def text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
        tag = "tag:yaml.org,2002:str"
        is_text = dumper.resolve(yaml.ScalarNode, value, (True, False)) == tag  # type: ignore[no-untyped-call]
        return dumper.represent_scalar(tag, value, style=None if is_text else '"')

    Dumper.add_representer(str, text)
    return str(yaml.dump(document, Dumper=Dumper, allow_unicode=True, width=1_000_000))


def raw_documents(documents: Iterable[object], form: str) -> None:
    for index, document in enumerate(documents):
        if form == "yaml":
            sys.stdout.write(("---\n" if index else "") + as_yaml(document))
        else:
            line(json.dumps(document, indent=2, ensure_ascii=False))
        flush()  # streams are read as they come


def check_form(is_raw: bool, form: str) -> None:
    """Refuse ``-o`` without ``--raw`` and forms that there are not."""
    if form and not is_raw:
        raise PachctlError("cannot set --output (-o) without --raw")
    if form not in ("", "json", "yaml"):
        raise PachctlError(f"unrecognized encoding {form!r}: use json or yaml")


def show(messages: Iterable[Any], is_raw: bool, form: str, header: str, row: Callable[[Any], Sequence[object]]) -> None:
    """A list as a table, or raw."""
    if is_raw:
        raw(messages, form)
    else:
        table(header, map(row, messages))


def with_access(infos: list[Any], header: str, column: int, row: Callable[[Any], list[str]], how: tuple[bool, str]) -> None:
    """`show`, with the user's roles on each object in ``column`` if the cluster reports them; ``how`` is raw and form."""
    import betterproto

    if not infos or not betterproto.serialized_on_wire(infos[0].auth_info):
        return show(infos, *how, header, row)
    names = header.split("\t")

    def with_roles(info: Any) -> list[str]:
        cells = row(info)
        return [*cells[:column], f"[{' '.join(info.auth_info.roles)}]", *cells[column:]]

    return show(infos, *how, "\t".join([*names[:column], "ACCESS_LEVEL", *names[column:]]), with_roles)


def flush() -> None:
    """Flush the output: streams are read as they come."""
    sys.stdout.flush()
