"""The type of an object: by the ending of its key, or else by its first bytes.

The vendor's gateway serves objects with Go's ``http.ServeContent``, which asks the system's table of types and then applies
https://mimesniff.spec.whatwg.org/ (Go's ``http.DetectContentType``).
"""

from __future__ import annotations

import mimetypes
import re

SNIFFED = 512
"""The number of first bytes that decide."""

_BY_ENDING = mimetypes.MimeTypes(filenames=())
for _type, _ending in (("application/x-yaml", ".yaml"), ("application/x-yaml", ".yml"), ("text/javascript", ".js")):
    _BY_ENDING.add_type(_type, _ending)
_TEXT = "text/plain; charset=utf-8"
_HTML_TAGS = (
    "!DOCTYPE HTML", "HTML", "HEAD", "SCRIPT", "IFRAME", "H1", "DIV", "FONT", "TABLE", "A", "STYLE", "TITLE", "B", "BODY",
    "BR", "P",
)  # fmt: skip
_HTML = re.compile(rf"[\t\n\x0c\r ]*<(?:(?:{'|'.join(_HTML_TAGS)})[ >]|!--)".encode(), re.IGNORECASE)
_XML = re.compile(rb"[\t\n\x0c\r ]*<\?xml")
_SIGNATURES = tuple(
    (re.compile(pattern, re.DOTALL), kind)
    for pattern, kind in (
        (rb"%PDF-", "application/pdf"),
        (rb"%!PS-Adobe-", "application/postscript"),
        (rb"\xfe\xff..", "text/plain; charset=utf-16be"),
        (rb"\xff\xfe..", "text/plain; charset=utf-16le"),
        (rb"\xef\xbb\xbf.", _TEXT),
        (rb"\x00\x00[\x01\x02]\x00", "image/x-icon"),
        (rb"BM", "image/bmp"),
        (rb"GIF8[79]a", "image/gif"),
        (rb"RIFF....WEBPVP", "image/webp"),
        (rb"\x89PNG\r\n\x1a\n", "image/png"),
        (rb"\xff\xd8\xff", "image/jpeg"),
        (rb"FORM....AIFF", "audio/aiff"),
        (rb"ID3", "audio/mpeg"),
        (rb"OggS\x00", "application/ogg"),
        (rb"MThd\x00\x00\x00\x06", "audio/midi"),
        (rb"RIFF....AVI ", "video/avi"),
        (rb"RIFF....WAVE", "audio/wave"),
        (rb"....ftypmp4", "video/mp4"),
        (rb"\x1a\x45\xdf\xa3", "video/webm"),
        (rb"\x00\x01\x00\x00", "font/ttf"),
        (rb"OTTO", "font/otf"),
        (rb"ttcf", "font/collection"),
        (rb"wOFF", "font/woff"),
        (rb"wOF2", "font/woff2"),
        (rb"\x1f\x8b\x08", "application/x-gzip"),
        (rb"PK\x03\x04", "application/zip"),
        (rb"Rar!\x1a\x07(?:\x00|\x01\x00)", "application/x-rar-compressed"),
        (rb"\x00asm", "application/wasm"),
    )
)
_BINARY = re.compile(rb"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f]")


def by_name(key: str) -> str:
    """The type that the ending of a key stands for; "" if it stands for none."""
    kind, encoding = _BY_ENDING.guess_type(f"/{key}")
    if kind is None or encoding is not None:
        return ""
    return f"{kind}; charset=utf-8" if kind.startswith("text/") else kind


def by_content(start: bytes) -> str:
    """The type of an object that begins with ``start``, `SNIFFED` bytes or the whole."""
    if _HTML.match(start):
        return "text/html; charset=utf-8"
    if _XML.match(start):
        return "text/xml; charset=utf-8"
    for signature, kind in _SIGNATURES:
        if signature.match(start):
            return kind
    return "application/octet-stream" if _BINARY.search(start) else _TEXT
