"""Names that become one part of a URL's path or of a file's path, where ``..`` and others would lead to another place."""

from __future__ import annotations

from urllib.parse import quote


class PathSegmentError(ValueError):
    """A name cannot be one part of a path."""


def path_segment(name: str) -> str:
    """``name``. Raises PathSegmentError if it is not one part of a path, with client-go's words for the reason.

    https://github.com/kubernetes/apimachinery/blob/v0.31.0/pkg/api/validation/path/name.go and `Request.Name` in
    https://github.com/kubernetes/client-go/blob/v0.31.0/rest/request.go
    """
    if not name:
        raise PathSegmentError("resource name may not be empty")
    if name in (".", ".."):
        faults = [f"may not be '{name}'"]
    else:
        faults = [f"may not contain '{part}'" for part in ("/", "%") if part in name]
    if faults:
        raise PathSegmentError(f'invalid resource name "{name}": [{" ".join(faults)}]')
    return name


def url_path(*segments: str) -> str:
    """The segments as a URL's path, quoted. Raises PathSegmentError."""
    return "/".join(quote(path_segment(segment), safe="") for segment in segments)
