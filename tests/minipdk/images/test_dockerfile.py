"""A Dockerfile's text becomes instructions, line by line."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minipdk.images.dockerfile import KEYWORDS, parse
from minipdk.images.errors import DockerfileError

PATH = Path("Dockerfile")


def instructions(text: str) -> list[tuple[int, str, str]]:
    return [(instruction.line, instruction.keyword, instruction.text) for instruction in parse(text, PATH).instructions]


def test_comments_and_blank_lines_are_left_out_and_lines_counted() -> None:
    assert instructions("# comment\n\nFROM a\n  # another\nrun  b c \n") == [(3, "FROM", "a"), (5, "RUN", "b c")]


def test_a_backslash_continues_a_line_over_comments_and_blank_lines() -> None:
    text = "RUN a && \\\n  # why\n\n  b \\  \n  c\nRUN d"
    assert instructions(text) == [(1, "RUN", "a &&   b   c"), (6, "RUN", "d")]


def test_an_escaped_backslash_at_the_end_continues_nothing() -> None:
    assert instructions("RUN echo a\\\\\nRUN b") == [(1, "RUN", "echo a\\\\"), (2, "RUN", "b")]


def test_the_escape_directive_changes_the_character() -> None:
    assert instructions("# escape=`\nRUN dir c:\\\nRUN a `\nb") == [(2, "RUN", "dir c:\\"), (3, "RUN", "a b")]


def test_other_directives_are_comments_and_a_wrong_escape_is_refused() -> None:
    assert instructions("# syntax=docker/dockerfile:1\nFROM a") == [(2, "FROM", "a")]
    with pytest.raises(DockerfileError, match="Dockerfile:1: escape must be"):
        parse("# escape=x\nFROM a", PATH)


def test_flags_come_before_the_text() -> None:
    (copy,) = parse("COPY --from=build --chown=a:b --link x /y", PATH).instructions
    assert (copy.flags, copy.text) == ((("from", "build"), ("chown", "a:b"), ("link", None)), "x /y")


def test_the_exec_form_is_json_and_anything_else_is_the_shell_form() -> None:
    (cmd,) = parse('CMD ["a b", "c"]', PATH).instructions
    assert cmd.exec_form == ["a b", "c"]
    for text in ("CMD [ -f x ] && y", "CMD ['a']", "CMD [1]", "CMD a"):
        assert parse(text, PATH).instructions[0].exec_form is None


def test_heredocs_are_read_to_their_end() -> None:
    text = "RUN <<EOF cat <<-'two'\na\nEOF\n\t\tb\n\ttwo\nRUN c"
    run, after = parse(text, PATH).instructions
    heredocs = [(heredoc.name, heredoc.content, heredoc.expand) for heredoc in run.heredocs]
    assert heredocs == [("EOF", "a\n", True), ("two", "b\n", False)]
    assert (after.line, after.text) == (6, "c")


@pytest.mark.parametrize("text", ["RUN echo $((1<<2))", "RUN echo '<<EOF'", "CMD <<EOF", "RUN cat <<<word"])
def test_text_that_only_looks_like_a_heredoc_is_not_a_heredoc(text: str) -> None:
    assert parse(text, PATH).instructions[0].heredocs == ()


def test_windows_line_ends_and_a_byte_order_mark_are_accepted(tmp_path: Path) -> None:
    from minipdk.images.dockerfile import read

    (tmp_path / "Dockerfile").write_bytes(b"\xef\xbb\xbfFROM a\r\nRUN b \\\r\n c\r\n")
    assert [instruction.text for instruction in read(tmp_path / "Dockerfile").instructions] == ["a", "b  c"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("FROM a\nINSTALL b", "Dockerfile:2: unknown instruction: INSTALL"),
        ("FROM a\n\nRUN", "Dockerfile:3: RUN requires at least one argument"),
        ("RUN <<EOF\na", "Dockerfile:1: the heredoc EOF is not terminated"),
        ("# nothing\n", "no instructions"),
    ],
)
def test_a_malformed_dockerfile_is_refused_with_its_line(text: str, message: str) -> None:
    with pytest.raises(DockerfileError, match=message):
        parse(text, PATH)


LINE = st.text(
    st.characters(codec="utf-8", exclude_characters="\n\r\\#<[\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"), min_size=1
).filter(lambda line: line.strip() and not line.lstrip().startswith("--"))


@given(st.lists(st.tuples(st.sampled_from(sorted(KEYWORDS)), LINE, st.integers(0, 2)), min_size=1))
def test_every_instruction_is_found_on_its_line(written: list[tuple[str, str, int]]) -> None:
    text, expected, line = "", [], 1
    for keyword, body, blanks in written:
        text += f"{keyword} {body}\n" + "\n" * blanks
        expected.append((line, keyword, body.strip()))
        line += 1 + blanks
    assert instructions(text) == expected
