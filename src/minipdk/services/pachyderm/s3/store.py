"""All SQL of the gateway: the rows of multipart uploads and their parts. Writing needs an open transaction."""

from __future__ import annotations

import json
import sqlite3

from minipdk.services.pachyderm.s3.model import StoredPart, Upload

_UPLOADS = "SELECT id, bucket, key, algorithm, created FROM s3_uploads "
_PARTS = "SELECT number, size, etag, checksums, created, fileset FROM s3_parts "


def insert_upload(connection: sqlite3.Connection, upload: Upload) -> None:
    row = (upload.id, upload.bucket, upload.key, upload.algorithm, upload.created)
    connection.execute("INSERT INTO s3_uploads VALUES (?, ?, ?, ?, ?)", row)


def find_upload(connection: sqlite3.Connection, upload_id: str) -> Upload | None:
    row = connection.execute(_UPLOADS + "WHERE id = ?", (upload_id,)).fetchone()
    return Upload(*row) if row is not None else None


def uploads_to(connection: sqlite3.Connection, bucket: str) -> list[Upload]:
    return [Upload(*row) for row in connection.execute(_UPLOADS + "WHERE bucket = ?", (bucket,)).fetchall()]


def page_of_uploads(
    connection: sqlite3.Connection, bucket: str, prefix: str, after: tuple[str, str], limit: int
) -> list[Upload]:
    """The uploads to a bucket beyond the key and upload id ``after``, in order of both."""
    rows = connection.execute(
        _UPLOADS + "WHERE bucket = ? AND substr(key, 1, ?) = ? AND (key, id) > (?, ?) ORDER BY key, id LIMIT ?",
        (bucket, len(prefix), prefix, *after, limit),
    ).fetchall()
    return [Upload(*row) for row in rows]


def delete_upload(connection: sqlite3.Connection, upload_id: str) -> None:
    connection.execute("DELETE FROM s3_uploads WHERE id = ?", (upload_id,))


def insert_part(connection: sqlite3.Connection, upload_id: str, part: StoredPart) -> None:
    row = (upload_id, part.number, part.fileset, part.size, part.etag, json.dumps(dict(part.checksums)), part.created)
    connection.execute("INSERT INTO s3_parts VALUES (?, ?, ?, ?, ?, ?, ?)", row)


def parts(connection: sqlite3.Connection, upload_id: str, after: int, limit: int) -> list[StoredPart]:
    """The parts with numbers beyond ``after``, in order."""
    rows = connection.execute(
        _PARTS + "WHERE upload = ? AND number > ? ORDER BY number LIMIT ?", (upload_id, after, limit)
    ).fetchall()
    return [
        StoredPart(row["number"], row["size"], row["etag"], json.loads(row["checksums"]), row["created"], row["fileset"])
        for row in rows
    ]


def delete_parts(connection: sqlite3.Connection, upload_id: str, number: int | None = None) -> list[str]:
    """Delete one part, or all parts, of an upload: the file sets that they were in."""
    which = (upload_id, number)
    query = "SELECT fileset FROM s3_parts WHERE upload = ?1 AND (?2 IS NULL OR number = ?2)"
    rows = connection.execute(query, which).fetchall()
    connection.execute("DELETE FROM s3_parts WHERE upload = ?1 AND (?2 IS NULL OR number = ?2)", which)
    return [row["fileset"] for row in rows]
