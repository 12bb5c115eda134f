"""XML as S3 reads and writes it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import quote
from xml.etree import ElementTree

from starlette.responses import Response

from minipdk.services.pachyderm.s3.errors import S3Error, not_implemented

NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
_OWNER = {"ID": "0" * 32, "DisplayName": "pachyderm"}


def add(parent: ElementTree.Element, **children: str) -> None:
    for name, text in children.items():
        ElementTree.SubElement(parent, name).text = text


def add_owner(parent: ElementTree.Element, role: str = "Owner") -> None:
    add(ElementTree.SubElement(parent, role), **_OWNER)


def xml(root: ElementTree.Element, status: int = 200) -> Response:
    body = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return Response(body, status_code=status, media_type="application/xml")


def etag(digest: str) -> str:
    """An ETag is PFS's hash of the file, as at the vendor's: clients must not take it for an MD5."""
    return f'"{digest}"'


def moment(nanoseconds: int) -> datetime:
    """A commit that is still open has no time of its own: now."""
    return datetime.fromtimestamp(nanoseconds / 1e9, UTC) if nanoseconds else datetime.now(UTC)


def iso(nanoseconds: int) -> str:
    return moment(nanoseconds).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def quoted(key: str) -> str:
    """A key as encoding-type=url asks for it."""
    return quote(key, safe="/-_.~*")


def whole_number(query: Mapping[str, str], name: str, default: int) -> int:
    text = query.get(name, str(default))
    if not text.isdecimal():
        raise S3Error(400, "InvalidArgument", f"{name} must be a whole number that is not negative")
    return int(text)


def parse(data: bytes, root_name: str) -> ElementTree.Element:
    """The root of a request's document, its names without their namespace. Raises MalformedXML."""
    try:
        text = data.decode()
        if "<!" in text:
            raise malformed("it has a DTD, a comment or a CDATA section")  # without a DTD there are no entities to blow up
        root = ElementTree.fromstring(text)  # noqa: S314
    except (ElementTree.ParseError, ValueError) as error:
        raise malformed(f"it cannot be read: {error}") from None
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    if root.tag != root_name:
        raise malformed(f"its root is {root.tag}, not {root_name}")
    return root


def fields(element: ElementTree.Element, *known: str) -> dict[str, str]:
    """The texts of an element's children. Raises NotImplemented for a child that is not ``known``."""
    for child in element:
        if child.tag not in known:
            raise not_implemented(f"{child.tag} in {element.tag}")
    return {child.tag: (child.text or "").strip() if child.tag != "Key" else child.text or "" for child in element}


def malformed(why: str) -> S3Error:
    return S3Error(400, "MalformedXML", f"The XML you provided is not what this request takes: {why}")
