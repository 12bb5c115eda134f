"""Turn the content of a request into the model's input."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from sklearnserver.trainer import config


def prep_func(flowers: npt.ArrayLike, columns: Sequence[str]) -> npt.NDArray[np.float64]:
    """The ``columns`` of ``flowers``, a table of shape (n, 4): shape (n, len(columns)).

    Raises ValueError that describes the mistake in the flowers.
    """
    measures = ", ".join(config.MEASURES)
    try:
        table = np.asarray(flowers, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"a flower is a list of {len(config.MEASURES)} numbers: {measures}") from None
    if table.ndim != 2 or table.shape[1] != len(config.MEASURES):
        raise ValueError(f"flowers have the shape (n, {len(config.MEASURES)}), not {table.shape}: {measures}")
    if not np.isfinite(table).all():
        raise ValueError("a measure is not a finite number")
    # Your turn: return the columns of `table` that are called `columns`, in this order. config.MEASURES names all four.
    # <solution>
    return table[:, [config.MEASURES.index(name) for name in columns]]
    # </solution>
