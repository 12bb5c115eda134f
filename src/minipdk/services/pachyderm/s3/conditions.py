"""Conditional requests: only if the object is, or is not, the version that the client knows.

https://www.rfc-editor.org/rfc/rfc9110#section-13.2.2 defines the precedence of several conditions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime

from minipdk.services.pachyderm.pfs.model import Entry
from minipdk.services.pachyderm.s3.errors import S3Error, not_implemented

COPY_SOURCE = "x-amz-copy-source-"


@dataclass(frozen=True)
class ObjectState:
    """The object as it is: its hash in hex, and the time of its commit."""

    digest: str
    modified: datetime

    def is_other(self, headers: Mapping[str, str], prefix: str = "") -> bool:
        """Whether If-Match, or else If-Unmodified-Since, asks for another object than this."""
        if requested := tags(headers.get(prefix + "if-match", "")):
            return not {self.digest, "*"} & set(requested)
        since = _date(headers.get(prefix + "if-unmodified-since", ""))
        return since is not None and self._second > since

    def is_known(self, headers: Mapping[str, str], prefix: str = "") -> bool:
        """Whether If-None-Match, or else If-Modified-Since, says that the client has this object already."""
        if known := tags(headers.get(prefix + "if-none-match", "")):
            return bool({self.digest, "*"} & set(known))
        since = _date(headers.get(prefix + "if-modified-since", ""))
        return since is not None and self._second <= since

    def takes_range(self, headers: Mapping[str, str]) -> bool:
        """Whether If-Range, if there is one, names this object. If not, the whole object must be sent."""
        known = headers.get("if-range", "")
        return not known or known.strip().strip('"') == self.digest or _date(known) == self._second

    def check_source(self, headers: Mapping[str, str]) -> None:
        """Check the conditions that a copy sets for its source. Raises PreconditionFailed."""
        if self.is_other(headers, COPY_SOURCE) or self.is_known(headers, COPY_SOURCE):
            raise S3Error(412, "PreconditionFailed", f"the ETag of the object to be copied is {self.digest}")

    @property
    def _second(self) -> datetime:
        """As exact as HTTP's dates are."""
        return self.modified.replace(microsecond=0)


@dataclass(frozen=True)
class WriteCondition:
    """A condition on the object to be replaced: it must not exist, or it must have one of these ETags."""

    absent: bool = False
    etags: tuple[str, ...] = ()

    def check(self, key: str, existing: Entry | None) -> None:
        """Raises PreconditionFailed."""
        if self.absent and existing is not None:
            raise S3Error(412, "PreconditionFailed", f"If-None-Match: the key {key} is there already")
        if self.etags and (existing is None or not {"*", existing.hash.hex()} & set(self.etags)):
            raise S3Error(412, "PreconditionFailed", f"If-Match: the key {key} has another ETag, or is not there")


def write_condition(headers: Mapping[str, str]) -> WriteCondition:
    """If-None-Match: * and If-Match of a write."""
    unless = headers.get("if-none-match", "")
    if unless not in ("", "*"):
        raise not_implemented("If-None-Match with anything but * on a write")
    return WriteCondition(absent=unless == "*", etags=tags(headers.get("if-match", "")))


def tags(header: str) -> tuple[str, ...]:
    """The ETags of a header, without their quotes."""
    return tuple(tag.strip().strip('"') for tag in header.split(",") if tag.strip())


def _date(header: str) -> datetime | None:
    """The header's date; an invalid one counts as absent."""
    try:
        return parsedate_to_datetime(header)
    except ValueError:
        return None
