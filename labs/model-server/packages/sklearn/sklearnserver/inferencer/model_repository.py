"""Several models in one server, loaded and unloaded while it runs (the repository extension of protocol v2)."""

from __future__ import annotations

from pathlib import Path

from kserve import ModelRepository

from sklearnserver.inferencer.model import SKLearnServingModel
from sklearnserver.trainer._core import MODEL_FILE


class SKLearnModelRepository(ModelRepository):
    """Every folder in ``models_dir`` that holds a saved model is a model, called as the folder."""

    def names(self) -> list[str]:
        """What there is to load."""
        folder = Path(self.models_dir)
        return sorted(one.parent.name for one in folder.glob(f"*/{MODEL_FILE}")) if folder.is_dir() else []

    def load_models(self) -> None:
        """Load all that there is."""
        for name in self.names():
            self.load_model(name)

    def load(self, name: str) -> bool:
        """`POST /v2/repository/models/<name>/load` calls this. It may be a model that was loaded before: it is read anew."""
        return self.load_model(name)

    def load_model(self, name: str) -> bool:
        """Load the model in the folder ``name`` and answer requests with it. Raises FileNotFoundError if there is none."""
        if name not in self.names():  # which also keeps "..", a name that a client may send, from leading out
            raise FileNotFoundError(f"no model {name!r} in {self.models_dir}: there is {', '.join(self.names()) or 'none'}")
        # Your turn: make the SKLearnServingModel of that name and folder, load it, and register it with self.update. Return
        # whether it is ready.
        raise NotImplementedError("your turn: see the comment above this line")
