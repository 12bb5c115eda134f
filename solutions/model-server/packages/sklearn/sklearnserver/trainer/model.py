"""The model: its inputs and outputs are decided here, its inside is in `_core`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sklearnserver.trainer import _core, config
from sklearnserver.trainer.postprocessor import post_func
from sklearnserver.trainer.preprocessor import prep_func


class MyModel:
    """Names the species of flowers. ``dirpath``: where a saved model is; without it, an untrained one is built."""

    def __init__(self, dirpath: str | Path | None = None, columns: Sequence[str] = config.COLUMNS) -> None:
        self.model: Any = None
        self.columns: tuple[str, ...] = ()
        if dirpath:
            self.load(dirpath)
        else:
            self.build(columns)

    def build(self, columns: Sequence[str]) -> None:
        """Start again with an untrained model that looks at ``columns``."""
        self.columns = tuple(columns)
        self.model = _core.build(len(self.columns), len(config.CLASSES))

    def preprocess(self, flowers: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """The model's inputs. Raises ValueError for input that is not flowers."""
        return prep_func(flowers, self.columns)

    def postprocess(self, probabilities: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
        """The classes' numbers."""
        return post_func(probabilities)

    def train(self, flowers: npt.ArrayLike, labels: npt.NDArray[np.int64]) -> None:
        """Fit the model to ``flowers``, whose classes are ``labels``."""
        _core.fit(self.model, self.preprocess(flowers), labels)

    def evaluate(self, flowers: npt.ArrayLike, labels: npt.NDArray[np.int64]) -> dict[str, float]:
        """The number of ``flowers`` that the model names right: ``{"flowers": n, "right": n, "accuracy": share}``."""
        right = int((self.predict(flowers) == labels).sum())
        return {"flowers": len(labels), "right": right, "accuracy": right / len(labels)}

    def predict(self, flowers: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """The class of each flower: shape (n,). Raises ValueError for input that is not flowers."""
        # Your turn: preprocess the flowers, ask `_core.probabilities` about them, and return its answer postprocessed.
        # <solution>
        inputs = self.preprocess(flowers)
        return self.postprocess(_core.probabilities(self.model, inputs))
        # </solution>

    def save(self, dirpath: str | Path) -> Path:
        """Write the model into the folder ``dirpath``; return the file."""
        path = Path(dirpath) / _core.MODEL_FILE
        path.parent.mkdir(parents=True, exist_ok=True)
        _core.save(self.model, self.columns, path)
        return path

    def load(self, dirpath: str | Path) -> None:
        """Read the model in the folder ``dirpath``. Raises FileNotFoundError, or ValueError for another kind of file."""
        path = Path(dirpath) / _core.MODEL_FILE
        if not path.is_file():
            names = sorted(entry.name for entry in path.parent.iterdir()) if path.parent.is_dir() else []
            raise FileNotFoundError(f"there is no {path}: its folder holds {', '.join(names) or 'nothing'}")
        self.model, self.columns = _core.load(path)
