"""S3's XML documents and the headers of objects: requests to nouns, and nouns to responses."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from xml.etree import ElementTree

from starlette.responses import Response

from minipdk.services.pachyderm.pfs.model import Entry, Tree
from minipdk.services.pachyderm.s3.conditions import ObjectState
from minipdk.services.pachyderm.s3.errors import S3Error, not_implemented
from minipdk.services.pachyderm.s3.model import ChosenPart, Listing, StoredPart, Upload, Written

_NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
_OWNER = {"ID": "0" * 32, "DisplayName": "pachyderm"}
_REGION = "PACHYDERM"
_USUAL, _MOST = 1000, 100_000
"""The number of keys of a page if the client does not choose one, and the greatest that it may choose."""
_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_MOST_KEYS = 1000
_CHECKSUM_FIELDS = {f"Checksum{name}": name.lower() for name in ("CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256")}


# Building blocks


def _root(name: str) -> ElementTree.Element:
    return ElementTree.Element(name, xmlns=_NAMESPACE)


def _add(parent: ElementTree.Element, **children: str) -> None:
    for name, text in children.items():
        ElementTree.SubElement(parent, name).text = _NOT_IN_XML.sub("\ufffd", text)


def _add_owner(parent: ElementTree.Element, role: str = "Owner") -> None:
    _add(ElementTree.SubElement(parent, role), **_OWNER)


def _xml(root: ElementTree.Element, status: int = 200) -> Response:
    body = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return Response(body, status_code=status, media_type="application/xml")


def etag(digest: str) -> str:
    """An ETag is PFS's hash of the file, as at the vendor's: clients must not take it for an MD5."""
    return f'"{digest}"'


def _moment(nanoseconds: int) -> datetime:
    """The time of a commit; now for an open one."""
    return datetime.fromtimestamp(nanoseconds / 1e9, UTC) if nanoseconds else datetime.now(UTC)


def _iso(nanoseconds: int) -> str:
    return _moment(nanoseconds).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def whole_number(query: Mapping[str, str], name: str, default: int) -> int:
    """A parameter or header that is a number. Raises InvalidArgument."""
    text = query.get(name, str(default))
    if not text.isdecimal():
        raise S3Error(400, "InvalidArgument", f"{name} must be a whole number that is not negative")
    return int(text)


def _parse(data: bytes, root_name: str) -> ElementTree.Element:
    """The root of a request's document, its names without their namespace. Raises MalformedXML."""
    try:
        text = data.decode()
        if "<!" in text:
            raise _malformed("it has a DTD, a comment or a CDATA section")  # without a DTD no entities can be expanded
        root = ElementTree.fromstring(text)  # noqa: S314
    except (ElementTree.ParseError, ValueError) as error:
        raise _malformed(f"it cannot be read: {error}") from None
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    if root.tag != root_name:
        raise _malformed(f"its root is {root.tag}, not {root_name}")
    return root


def _fields(element: ElementTree.Element, *known: str) -> dict[str, str]:
    """The texts of an element's children. Raises NotImplemented for a child that is not ``known``."""
    for child in element:
        if child.tag not in known:
            raise not_implemented(f"{child.tag} in {element.tag}")
    return {child.tag: (child.text or "").strip() if child.tag != "Key" else child.text or "" for child in element}


def _malformed(why: str) -> S3Error:
    return S3Error(400, "MalformedXML", f"The XML you provided does not fit this request: {why}")


def error(failure: S3Error, resource: str, request_id: str) -> Response:
    root = ElementTree.Element("Error")
    _add(root, Code=failure.code, Message=failure.message, Resource=resource, RequestId=request_id)
    return _xml(root, failure.status)


# Buckets


@dataclass(frozen=True)
class Page:
    """The parameters of a request for a listing. ``after``: the last key, or common prefix, that the client has seen.

    As at the vendor's, ``encoding-type`` has no effect: every key is printable ASCII.
    """

    bucket: str
    version: int
    prefix: str
    delimiter: str
    after: str
    limit: int
    token: str
    start_after: str
    owner: bool

    @classmethod
    def parse(cls, bucket: str, query: Mapping[str, str]) -> Page:
        delimiter = query.get("delimiter", "")
        if delimiter not in ("", "/"):
            raise S3Error(400, "InvalidDelimiter", "The delimiter you specified is invalid. It must be '' or '/'.")
        version = 2 if query.get("list-type") == "2" else 1
        token = query.get("continuation-token", "")
        return cls(
            bucket=bucket,
            version=version,
            prefix=query.get("prefix", ""),
            delimiter=delimiter,
            after=(_decoded(token) or query.get("start-after", "")) if version == 2 else query.get("marker", ""),
            limit=min(whole_number(query, "max-keys", _USUAL), _MOST),
            token=token,
            start_after=query.get("start-after", ""),
            owner=version == 1 or query.get("fetch-owner") == "true",
        )

    @property
    def place(self) -> str:
        """The prefix that the keys of the page have."""
        return self.prefix.removeprefix("/")


def buckets(names: Iterable[tuple[str, int]], query: Mapping[str, str]) -> Response:
    """All buckets, or with parameters a page of them in order of their names, from the ``continuation-token`` on."""
    prefix, after = query.get("prefix", ""), _decoded(query.get("continuation-token", ""))
    if query:
        listed = sorted(bucket for bucket in names if bucket[0].startswith(prefix) and bucket[0] > after)
    else:
        listed = list(names)
    limit = whole_number(query, "max-buckets", len(listed))
    root = _root("ListAllMyBucketsResult")
    _add_owner(root)
    parent = ElementTree.SubElement(root, "Buckets")
    for name, created in listed[:limit]:
        _add(ElementTree.SubElement(parent, "Bucket"), Name=name, CreationDate=_iso(created))
    if prefix:
        _add(root, Prefix=prefix)
    if 0 < limit < len(listed):
        _add(root, ContinuationToken=_encoded(listed[limit - 1][0]))
    return _xml(root)


def location() -> Response:
    root = _root("LocationConstraint")
    root.text = _REGION
    return _xml(root)


def check_location(document: bytes) -> None:
    """Check the document of a request to create a bucket. Its location has no effect, because there is only one."""
    if document:
        _fields(_parse(document, "CreateBucketConfiguration"), "LocationConstraint")


def versioning(*, enabled: bool) -> Response:
    """Commits keep their contents, so a version is a commit's id. A job sees only one commit of each repo: no versions."""
    root = _root("VersioningConfiguration")
    if enabled:
        _add(root, Status="Enabled")
    return _xml(root)


def versioning_status(document: bytes) -> str:
    return _fields(_parse(document, "VersioningConfiguration"), "Status").get("Status", "")


def listing(page: Page, content: Listing, committed: int) -> Response:
    root = _root("ListBucketResult")
    _add(root, Name=page.bucket, Prefix=page.prefix, MaxKeys=str(page.limit))
    _add(root, IsTruncated="true" if content.truncated else "false")
    if page.delimiter:
        _add(root, Delimiter=page.delimiter)
    _add_place(root, page, content)
    for entry in content.objects:
        parent = ElementTree.SubElement(root, "Contents")
        _add(parent, Key=entry.path[1:], LastModified=_iso(committed), ETag=etag(entry.hash.hex()))
        _add(parent, Size=str(entry.size), StorageClass="STANDARD")
        if page.owner:
            _add_owner(parent)
    for prefix in content.prefixes:
        _add(ElementTree.SubElement(root, "CommonPrefixes"), Prefix=prefix)
    return _xml(root)


def _add_place(root: ElementTree.Element, page: Page, content: Listing) -> None:
    """The beginning of the page, and the marker or token of the next."""
    if page.version == 1:
        _add(root, Marker=page.after)
        if content.truncated:
            _add(root, NextMarker=content.last)
        return
    _add(root, KeyCount=str(len(content.objects) + len(content.prefixes)))
    if page.start_after:
        _add(root, StartAfter=page.start_after)
    if page.token:
        _add(root, ContinuationToken=page.token)
    if content.truncated:
        _add(root, NextContinuationToken=_encoded(content.last))


def _encoded(last: str) -> str:
    return base64.urlsafe_b64encode(last.encode()).decode()


def _decoded(token: str) -> str:
    try:
        return base64.b64decode(token.encode(), altchars=b"-_", validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise S3Error(400, "InvalidArgument", "The continuation token provided is incorrect") from None


# Objects


def object_state(entry: Entry, tree: Tree) -> ObjectState:
    return ObjectState(entry.hash.hex(), _moment(tree.committed))


def object_headers(entry: Entry, tree: Tree) -> dict[str, str]:
    state = object_state(entry, tree)
    return {
        "ETag": etag(state.digest),
        "Last-Modified": format_datetime(state.modified, usegmt=True),
        "Accept-Ranges": "bytes",
        "x-amz-version-id": tree.commit.id,
    }


def written_headers(written: Written) -> dict[str, str]:
    return {"ETag": etag(written.entry.hash.hex()), "x-amz-version-id": written.tree.commit.id}


def copied_object(written: Written, source_version: str) -> Response:
    root = _root("CopyObjectResult")
    _add(root, LastModified=_iso(written.tree.committed), ETag=etag(written.entry.hash.hex()))
    response = _xml(root)
    response.headers["x-amz-copy-source-version-id"] = source_version
    response.headers["x-amz-version-id"] = written.tree.commit.id
    return response


def keys_to_delete(document: bytes) -> tuple[list[str], bool]:
    """The keys, and whether the client wants to hear of failures only."""
    root = _parse(document, "Delete")
    quiet = _fields(root, "Object", "Quiet").get("Quiet", "false") == "true"
    keys = [_fields(element, "Key").get("Key", "") for element in root.findall("Object")]
    if not 1 <= len(keys) <= _MOST_KEYS or not all(keys):
        raise _malformed(f"it names {len(keys)} keys: a request deletes from 1 to {_MOST_KEYS} objects, each by its name")
    return keys, quiet


def deleted(keys: Iterable[str], failures: Mapping[str, S3Error]) -> Response:
    root = _root("DeleteResult")
    for key in keys:
        _add(ElementTree.SubElement(root, "Deleted"), Key=key)
    for key, failure in failures.items():
        _add(ElementTree.SubElement(root, "Error"), Key=key, Code=failure.code, Message=failure.message)
    return _xml(root)


# Multipart uploads


def created_upload(bucket: str, upload: Upload) -> Response:
    root = _root("InitiateMultipartUploadResult")
    _add(root, Bucket=bucket, Key=upload.key, UploadId=upload.id)
    response = _xml(root)
    if upload.algorithm:
        response.headers["x-amz-checksum-algorithm"] = upload.algorithm.upper()
    return response


def copied_part(part: StoredPart, source_version: str) -> Response:
    root = _root("CopyPartResult")
    _add(root, LastModified=_iso(part.created), ETag=etag(part.etag))
    response = _xml(root)
    response.headers["x-amz-copy-source-version-id"] = source_version
    return response


def chosen_parts(document: bytes) -> list[ChosenPart]:
    """The parts that the object is to be made of. Raises MalformedXML."""
    root = _parse(document, "CompleteMultipartUpload")
    _fields(root, "Part")
    chosen = []
    for element in root:
        texts = _fields(element, "PartNumber", "ETag", *_CHECKSUM_FIELDS)
        if not texts.get("PartNumber", "").isdecimal() or "ETag" not in texts:
            raise _malformed("each Part needs a PartNumber and an ETag")
        sums = {_CHECKSUM_FIELDS[name]: text for name, text in texts.items() if name in _CHECKSUM_FIELDS}
        chosen.append(ChosenPart(int(texts["PartNumber"]), texts["ETag"].strip('"'), sums))
    return chosen


def completed_upload(bucket: str, key: str, written: Written) -> Response:
    root = _root("CompleteMultipartUploadResult")
    _add(root, Location=f"/{bucket}/{key}", Bucket=bucket, Key=key)
    _add(root, ETag=etag(written.entry.hash.hex()))
    response = _xml(root)
    response.headers["x-amz-version-id"] = written.tree.commit.id
    return response


def parts_page(bucket: str, upload: Upload, parts: Sequence[StoredPart], after: int, limit: int) -> Response:
    """At most ``limit`` of ``parts``, which has one more if there is another page."""
    page = parts[:limit]
    root = _root("ListPartsResult")
    _add(root, Bucket=bucket, Key=upload.key, UploadId=upload.id)
    _add_owner(root, "Initiator")
    _add_owner(root)
    _add(root, StorageClass="STANDARD", PartNumberMarker=str(after), MaxParts=str(limit))
    _add(root, NextPartNumberMarker=str(page[-1].number if page else after))
    _add(root, IsTruncated="true" if limit and len(parts) > limit else "false")
    if upload.algorithm:
        _add(root, ChecksumAlgorithm=upload.algorithm.upper())
    for part in page:
        parent = ElementTree.SubElement(root, "Part")
        _add(parent, PartNumber=str(part.number), LastModified=_iso(part.created))
        _add(parent, ETag=etag(part.etag), Size=str(part.size))
        for name, algorithm in _CHECKSUM_FIELDS.items():
            if algorithm in part.checksums:
                _add(parent, **{name: part.checksums[algorithm]})
    return _xml(root)


def uploads_page(bucket: str, uploads: Sequence[Upload], query: Mapping[str, str], limit: int) -> Response:
    """At most ``limit`` of ``uploads``, which has one more if there is another page."""
    page = uploads[:limit]
    root = _root("ListMultipartUploadsResult")
    _add(root, Bucket=bucket, KeyMarker=query.get("key-marker", ""))
    _add(root, UploadIdMarker=query.get("upload-id-marker", ""))
    _add(root, Prefix=query.get("prefix", ""), MaxUploads=str(limit))
    truncated = bool(limit) and len(uploads) > limit
    _add(root, IsTruncated="true" if truncated else "false")
    if truncated:
        _add(root, NextKeyMarker=page[-1].key, NextUploadIdMarker=page[-1].id)
    for upload in page:
        parent = ElementTree.SubElement(root, "Upload")
        _add(parent, Key=upload.key, UploadId=upload.id, StorageClass="STANDARD", Initiated=_iso(upload.created))
        _add_owner(parent, "Initiator")
        _add_owner(parent)
    return _xml(root)
