"""The model as KServe's server knows it: loaded from a storage, asked in protocol v1 or v2."""

from __future__ import annotations

from typing import Any

from kserve import InferRequest, InferResponse, Model
from kserve.errors import InvalidInput
from kserve.storage import Storage
from kserve.utils.utils import get_predict_input, get_predict_response

from sklearnserver.trainer import config
from sklearnserver.trainer.model import MyModel

EXPECTED = '{"instances": [[...], ...]} (v1) or {"inputs": [...]} (v2), sent as Content-Type: application/json'


class SKLearnServingModel(Model):
    """`MyModel` behind the name ``name``. ``model_dir``: a folder, or the address of a storage that KServe can read."""

    def __init__(self, name: str, model_dir: str) -> None:
        super().__init__(name)
        self.model_dir = model_dir
        self._model: MyModel | None = None

    def load(self) -> bool:
        """Fetch and read the model; from then on it is ready. Raises FileNotFoundError or ValueError, as `MyModel` does."""
        # Your turn: let `Storage.download` bring self.model_dir into a local folder, and keep the MyModel in it as
        # self._model. Then say that this model is ready, in self.ready, and return that.
        # <solution>
        self._model = MyModel(dirpath=Storage.download(self.model_dir))
        self.ready = True
        return self.ready
        # </solution>

    def stop(self) -> None:
        """Forget the model: called when it is unloaded."""
        super().stop()
        self._model = None

    def predict(
        self, payload: dict[str, Any] | InferRequest, headers: dict[str, str] | None = None
    ) -> dict[str, Any] | InferResponse:
        """The classes of a request's flowers. Raises InvalidInput, which is answered with 400, for other input."""
        if not isinstance(payload, dict | InferRequest):
            raise InvalidInput(f"expected {EXPECTED}")
        try:
            # Your turn: `get_predict_input` gives the flowers of `payload`, in v1 and in v2. Name their classes with
            # self._model, and return them with `get_predict_response`, which also wants the payload and self.name.
            # <solution>
            classes = self._model.predict(get_predict_input(payload))
            return get_predict_response(payload, classes, self.name)
            # </solution>
        except (KeyError, IndexError):
            raise InvalidInput(f"expected {EXPECTED}") from None
        except (TypeError, ValueError) as error:
            raise InvalidInput(str(error)) from error

    def get_input_types(self) -> list[dict[str, Any]]:
        """The description of requests in `GET /v2/models/<name>`."""
        return [{"name": "input-0", "datatype": "FP64", "shape": [-1, len(config.MEASURES)]}]

    def get_output_types(self) -> list[dict[str, Any]]:
        """The description of answers in `GET /v2/models/<name>`."""
        return [{"name": "output-0", "datatype": "INT64", "shape": [-1]}]
