"""Several models in one server, loaded and unloaded while it runs (the repository extension of protocol v2)."""

from __future__ import annotations

from pathlib import Path

from kserve import ModelRepository

from sklearnserver.inferencer.model import SKLearnServingModel
from sklearnserver.trainer._core import MODEL_FILE


class SKLearnModelRepository(ModelRepository):
    """Every folder in ``models_dir`` that holds a saved model is a model with the folder's name."""

    def names(self) -> list[str]:
        """The names of the models that can be loaded."""
        folder = Path(self.models_dir)
        return sorted(file.parent.name for file in folder.glob(f"*/{MODEL_FILE}")) if folder.is_dir() else []

    def load_models(self) -> None:
        """Load every model."""
        for name in self.names():
            self.load_model(name)

    def load(self, name: str) -> bool:
        """`POST /v2/repository/models/<name>/load` calls this. A model that was loaded before is read again."""
        return self.load_model(name)

    def load_model(self, name: str) -> bool:
        """Load the model in the folder ``name`` and answer requests with it. Raises FileNotFoundError if there is none."""
        if name not in self.names():  # this also refuses "..", a name that a client may send
            raise FileNotFoundError(f"no model {name!r} in {self.models_dir}: there is {', '.join(self.names()) or 'none'}")
        # Your turn: make the SKLearnServingModel of that name and folder, load it, and register it with self.update. Return
        # whether it is ready.
        # <solution>
        model = SKLearnServingModel(name, str(Path(self.models_dir) / name))
        model.load()
        self.update(model)
        return model.ready
        # </solution>
