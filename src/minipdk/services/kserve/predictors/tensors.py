"""Protocol v2's tensors as numpy arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
from kserve import InferInput
from kserve.errors import InvalidInput


def array_of(tensor: InferInput, *, binary: bool = False) -> np.ndarray[Any, Any]:
    """The numbers of ``tensor`` in its datatype and shape, or its strings. Raises InvalidInput with its name.

    With ``binary``, bytes that are no string, such as a picture's, are accepted and stay bytes.
    """
    try:
        values: np.ndarray[Any, Any] = tensor.as_numpy()
        if tensor.datatype == "BYTES":
            texts = [_text(value, binary) if isinstance(value, bytes) else value for value in values.ravel()]
            values = np.array(texts, dtype=object).reshape(values.shape)
    except InvalidInput:
        raise InvalidInput(f"input {tensor.name!r}: there is no datatype {tensor.datatype!r:.40}") from None
    except (ValueError, TypeError, OverflowError) as error:
        raise InvalidInput(f"input {tensor.name!r}: {error}") from None
    return values


def _text(value: bytes, binary: bool) -> str | bytes:
    try:
        return value.decode()
    except UnicodeDecodeError:
        if binary:
            return value
        raise
