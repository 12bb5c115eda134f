"""Conditional requests: only if the object is, or is not, the one that the client knows.

https://www.rfc-editor.org/rfc/rfc9110#section-13.2.2 says which condition counts where there are several.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime

from minipdk.services.pachyderm.s3.errors import S3Error

COPY_SOURCE = "x-amz-copy-source-"


@dataclass(frozen=True)
class State:
    """The object as it is: its hash in hex, and when it was committed."""

    digest: str
    modified: datetime

    def is_other(self, headers: Mapping[str, str], prefix: str = "") -> bool:
        """Whether If-Match, or else If-Unmodified-Since, asks for another object than this."""
        if wanted := tags(headers.get(prefix + "if-match", "")):
            return not {self.digest, "*"} & set(wanted)
        since = _date(headers.get(prefix + "if-unmodified-since", ""))
        return since is not None and self._second > since

    def is_known(self, headers: Mapping[str, str], prefix: str = "") -> bool:
        """Whether If-None-Match, or else If-Modified-Since, says that the client has this object already."""
        if known := tags(headers.get(prefix + "if-none-match", "")):
            return bool({self.digest, "*"} & set(known))
        since = _date(headers.get(prefix + "if-modified-since", ""))
        return since is not None and self._second <= since

    def takes_range(self, headers: Mapping[str, str]) -> bool:
        """Whether If-Range, if there is one, names this object: otherwise all of it is to be sent."""
        known = headers.get("if-range", "")
        return not known or known.strip().strip('"') == self.digest or _date(known) == self._second

    def check_source(self, headers: Mapping[str, str]) -> None:
        """What a copy asks of its source: raises PreconditionFailed."""
        if self.is_other(headers, COPY_SOURCE) or self.is_known(headers, COPY_SOURCE):
            raise S3Error(412, "PreconditionFailed", f"the ETag of the object to be copied is {self.digest}")

    @property
    def _second(self) -> datetime:
        """As exact as HTTP's dates are."""
        return self.modified.replace(microsecond=0)


def tags(header: str) -> tuple[str, ...]:
    """The ETags of a header, without their quotes."""
    return tuple(tag.strip().strip('"') for tag in header.split(",") if tag.strip())


def _date(header: str) -> datetime | None:
    """A date that is none is as if it were not there."""
    try:
        return parsedate_to_datetime(header)
    except ValueError:
        return None
