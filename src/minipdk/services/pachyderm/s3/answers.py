"""S3's answers: XML documents and the headers of objects."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from email.utils import format_datetime
from xml.etree import ElementTree

from starlette.responses import Response

from minipdk.services.pachyderm.pfs.model import Entry, Tree
from minipdk.services.pachyderm.s3.buckets import Listing
from minipdk.services.pachyderm.s3.conditions import State
from minipdk.services.pachyderm.s3.documents import NAMESPACE, add, add_owner, etag, iso, moment, quoted, whole_number, xml
from minipdk.services.pachyderm.s3.errors import S3Error

_REGION = "PACHYDERM"
_MOST = 1000


@dataclass(frozen=True)
class Page:
    """What a request for a listing asks for. ``after``: the last key, or common prefix, that it has seen already."""

    bucket: str
    version: int
    prefix: str
    delimiter: str
    after: str
    limit: int
    token: str
    start_after: str
    encoded: bool
    owner: bool

    @classmethod
    def parse(cls, bucket: str, query: Mapping[str, str]) -> Page:
        delimiter = query.get("delimiter", "")
        if delimiter not in ("", "/"):
            raise S3Error(400, "InvalidDelimiter", "The delimiter you specified is invalid. It must be '' or '/'.")
        if query.get("encoding-type", "url") != "url":
            raise S3Error(400, "InvalidArgument", "encoding-type must be url")
        version = 2 if query.get("list-type") == "2" else 1
        token = query.get("continuation-token", "")
        return cls(
            bucket=bucket,
            version=version,
            prefix=query.get("prefix", "").removeprefix("/"),
            delimiter=delimiter,
            after=(_decoded(token) or query.get("start-after", "")) if version == 2 else query.get("marker", ""),
            limit=min(whole_number(query, "max-keys", _MOST), _MOST),
            token=token,
            start_after=query.get("start-after", ""),
            encoded="encoding-type" in query,
            owner=version == 1 or query.get("fetch-owner") == "true",
        )

    def text(self, key: str) -> str:
        return quoted(key) if self.encoded else key


def buckets(found: Iterable[tuple[str, int]], query: Mapping[str, str]) -> Response:
    """All buckets, or with ``max-buckets`` so many in order of their names, from the ``continuation-token`` on."""
    prefix, after = query.get("prefix", ""), _decoded(query.get("continuation-token", ""))
    some = sorted(one for one in found if one[0].startswith(prefix) and one[0] > after) if query else list(found)
    limit = whole_number(query, "max-buckets", len(some))
    root = ElementTree.Element("ListAllMyBucketsResult", xmlns=NAMESPACE)
    add_owner(root)
    holder = ElementTree.SubElement(root, "Buckets")
    for name, created in some[:limit]:
        bucket = ElementTree.SubElement(holder, "Bucket")
        add(bucket, Name=name, CreationDate=iso(created))
    if prefix:
        add(root, Prefix=prefix)
    if 0 < limit < len(some):
        add(root, ContinuationToken=_encoded(some[limit - 1][0]))
    return xml(root)


def location() -> Response:
    root = ElementTree.Element("LocationConstraint", xmlns=NAMESPACE)
    root.text = _REGION
    return xml(root)


def versioning(*, enabled: bool) -> Response:
    """Every commit keeps what it held, so a version is a commit's id; a job sees one commit of each repo alone."""
    root = ElementTree.Element("VersioningConfiguration", xmlns=NAMESPACE)
    if enabled:
        add(root, Status="Enabled")
    return xml(root)


def listing(page: Page, found: Listing, committed: int) -> Response:
    root = ElementTree.Element("ListBucketResult", xmlns=NAMESPACE)
    add(root, Name=page.bucket, Prefix=page.text(page.prefix), MaxKeys=str(page.limit))
    add(root, IsTruncated="true" if found.truncated else "false")
    if page.delimiter:
        add(root, Delimiter=page.delimiter)
    if page.encoded:
        add(root, EncodingType="url")
    _add_place(root, page, found)
    for entry in found.objects:
        holder = ElementTree.SubElement(root, "Contents")
        add(holder, Key=page.text(entry.path[1:]), LastModified=iso(committed), ETag=etag(entry.hash.hex()))
        add(holder, Size=str(entry.size), StorageClass="STANDARD")
        if page.owner:
            add_owner(holder)
    for prefix in found.prefixes:
        add(ElementTree.SubElement(root, "CommonPrefixes"), Prefix=page.text(prefix))
    return xml(root)


def _add_place(root: ElementTree.Element, page: Page, found: Listing) -> None:
    """Where the page begins, and how to ask for the next."""
    if page.version == 1:
        add(root, Marker=page.text(page.after))
        if found.truncated:
            add(root, NextMarker=page.text(found.last))
        return
    add(root, KeyCount=str(len(found.objects) + len(found.prefixes)))
    if page.start_after:
        add(root, StartAfter=page.text(page.start_after))
    if page.token:
        add(root, ContinuationToken=page.token)
    if found.truncated:
        add(root, NextContinuationToken=_encoded(found.last))


def state_of(entry: Entry, tree: Tree) -> State:
    return State(entry.hash.hex(), moment(tree.committed))


def object_headers(entry: Entry, tree: Tree) -> dict[str, str]:
    state = state_of(entry, tree)
    return {
        "ETag": etag(state.digest),
        "Last-Modified": format_datetime(state.modified, usegmt=True),
        "Content-Type": "binary/octet-stream",
        "Accept-Ranges": "bytes",
        "x-amz-version-id": tree.commit.id,
    }


def error(failure: S3Error, resource: str, request_id: str) -> Response:
    root = ElementTree.Element("Error")
    add(root, Code=failure.code, Message=failure.message, Resource=resource, RequestId=request_id)
    return xml(root, failure.status)


def _encoded(last: str) -> str:
    return base64.urlsafe_b64encode(last.encode()).decode()


def _decoded(token: str) -> str:
    try:
        return base64.b64decode(token.encode(), altchars=b"-_", validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise S3Error(400, "InvalidArgument", "The continuation token provided is incorrect") from None
