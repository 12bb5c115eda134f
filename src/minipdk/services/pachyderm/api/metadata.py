"""metadata.API: edits of the key-value pairs that users attach to Pachyderm's objects."""

from __future__ import annotations

from minipdk.services.pachyderm import wire
from minipdk.services.pachyderm.errors import InvalidRequestError
from minipdk.services.pachyderm.metadata import Metadata


class MetadataServicer:
    def __init__(self, metadata: Metadata) -> None:
        self._metadata = metadata

    def edit_metadata(
        self, request: wire.metadata.EditMetadataRequest, _context: object
    ) -> wire.metadata.EditMetadataResponse:
        for edit in request.edits:
            _validate(edit)
        self._metadata.edit(request.edits)
        return wire.metadata.EditMetadataResponse()


def _validate(edit: wire.metadata.Edit) -> None:
    if edit.WhichOneof("target") is None:
        raise InvalidRequestError("validate request: invalid Edit.Target: value is required")
    operation = edit.WhichOneof("op")
    if operation is None:
        raise InvalidRequestError("validate request: invalid Edit.Op: value is required")
    keys = list(edit.replace.replacement) if operation == "replace" else [getattr(edit, operation).key]
    if not all(keys):
        kind = "".join(part.title() for part in operation.split("_"))
        raise InvalidRequestError(f"validate request: invalid Edit_{kind}.Key: value length must be at least 1 runes")
