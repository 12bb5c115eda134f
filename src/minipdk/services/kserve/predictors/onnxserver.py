"""The `onnx` runtime: an ONNX model, run by onnxruntime.

    python -m predictors.onnxserver --model_name churn --model_dir /mnt/models      # listens on $PORT and $GRPC_PORT

The folder holds exactly one .onnx file, at its top or as Triton lays it out, ``<version>/model.onnx``. Protocol v2 takes a
tensor for each of the model's inputs, by name; ``/v2/models/<name>`` lists their names, datatypes and shapes. In protocol v1
an instance is a row of the model's one input, or an object with a value for each of them.
"""

from __future__ import annotations

import logging
import sys
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from kserve import InferOutput, InferRequest, InferResponse
from kserve.errors import InvalidInput
from kserve.utils.numpy_codec import from_np_dtype, to_np_dtype
from onnxruntime.capi.onnxruntime_pybind11_state import InvalidArgument

from .errors import AnswerError, ModelFileError
from .model_server import CalledModel, arguments, serve, set_up_logging
from .tensors import array_of
from .workers import become_worker

DATATYPES = {
    "tensor(bool)": "BOOL",
    "tensor(double)": "FP64",
    "tensor(float)": "FP32",
    "tensor(float16)": "FP16",
    "tensor(int16)": "INT16",
    "tensor(int32)": "INT32",
    "tensor(int64)": "INT64",
    "tensor(int8)": "INT8",
    "tensor(string)": "BYTES",
    "tensor(uint16)": "UINT16",
    "tensor(uint32)": "UINT32",
    "tensor(uint64)": "UINT64",
    "tensor(uint8)": "UINT8",
}
log = logging.getLogger("onnxserver")


class Tensor:
    """One of the model's inputs or outputs. A dimension of any length is -1 in ``shape``."""

    def __init__(self, node: Any) -> None:
        self.name: str = node.name
        try:
            self.datatype = DATATYPES[node.type]
        except KeyError:
            remedy = ': convert the model with options={"zipmap": False}' if "map" in node.type else ""
            raise ModelFileError(f"{node.name} of the model is a {node.type}, which no protocol has{remedy}") from None
        self.shape = [size if isinstance(size, int) else -1 for size in node.shape]
        self.symbols = {axis: size for axis, size in enumerate(node.shape) if isinstance(size, str)}

    def as_json(self) -> dict[str, Any]:
        return {"name": self.name, "datatype": self.datatype, "shape": self.shape}

    def checked(self, values: Any) -> np.ndarray[Any, Any]:
        """``values`` as this input's array. Raises InvalidInput if their shape differs or a value would change."""
        try:
            array = np.asarray(values)
        except ValueError:
            raise InvalidInput(f"input {self.name!r}: rows of different lengths are no tensor") from None
        if len(array.shape) != len(self.shape) or any(
            expected not in (-1, size) for expected, size in zip(self.shape, array.shape, strict=True)
        ):
            raise InvalidInput(f"input {self.name!r} must have the shape {self.shape}, not {list(array.shape)}")
        if self.datatype == "BYTES":
            if not all(isinstance(text, str) for text in array.ravel().tolist()):
                raise InvalidInput(f"input {self.name!r} must be BYTES (strings): {_sample(array)} cannot be")
            return array.astype(object)
        dtype = np.dtype(to_np_dtype(self.datatype))
        if array.size and not self._fits(array, dtype):
            raise InvalidInput(f"input {self.name!r} must be {self.datatype}: {_sample(array)} cannot be")
        return array.astype(dtype)

    def _fits(self, array: np.ndarray[Any, Any], dtype: np.dtype[Any]) -> bool:
        """Whether conversion to ``dtype`` keeps every value: integers exact and in range, booleans booleans."""
        if "b" in (array.dtype.kind, dtype.kind):
            return bool(array.dtype.kind == dtype.kind)
        if array.dtype.kind not in "iuf" or (array.dtype.kind == "f" and dtype.kind != "f"):
            return False
        if dtype.kind == "f":
            finite = array[np.isfinite(array)]
            return not finite.size or bool(np.abs(finite).max() <= np.finfo(dtype).max)
        limits = np.iinfo(dtype)
        return limits.min <= int(array.min()) and int(array.max()) <= limits.max


def _sample(array: np.ndarray[Any, Any]) -> str:
    return f"{array.ravel()[0]!r:.40} ({array.dtype})"


def find_model(folder: Path) -> Path:
    """The one model file below ``folder``."""
    models = sorted(path for pattern in ("*.onnx", "*/*.onnx") for path in folder.glob(pattern))
    if not models:
        there = ", ".join(sorted(path.name for path in folder.rglob("*") if path.is_file())[:10]) or "no files"
        raise ModelFileError(f"no .onnx model in {folder}: it holds {there}")
    if len(models) > 1:
        names = ", ".join(str(path.relative_to(folder)) for path in models)
        raise ModelFileError(f"more than one model file is detected, only one is allowed within {folder}: {names}")
    return models[0]


class OnnxModel(CalledModel):
    """One loaded model."""

    def __init__(self, name: str, path: Path) -> None:
        super().__init__(name)
        self._session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        self._inputs = {node.name: Tensor(node) for node in self._session.get_inputs()}
        self._outputs = {node.name: Tensor(node) for node in self._session.get_outputs()}

    def get_input_types(self) -> list[dict[str, Any]]:
        return [tensor.as_json() for tensor in self._inputs.values()]

    def get_output_types(self) -> list[dict[str, Any]]:
        return [tensor.as_json() for tensor in self._outputs.values()]

    def answer(self, payload: dict[str, Any] | InferRequest) -> Any:
        return self._answer_v2(payload) if isinstance(payload, InferRequest) else self._answer_v1(payload["instances"])

    def _answer_v1(self, instances: list[Any]) -> dict[str, Any]:
        if isinstance(instances[0], dict):
            if different := next(
                (row for row in instances if not isinstance(row, dict) or row.keys() != instances[0].keys()), 0
            ):
                raise InvalidInput(f"every instance must name the same inputs: {different!r:.100}")
            values = {name: [row[name] for row in instances] for name in instances[0]}
        elif len(self._inputs) == 1:
            values = {next(iter(self._inputs)): instances}
        else:
            raise InvalidInput(f"an instance must be an object with the model's inputs {', '.join(self._inputs)}")
        results = self._run(values, list(self._outputs))
        if len(results) == 1:
            return {"predictions": next(iter(results.values())).tolist()}
        if any(array.shape[:1] != (len(instances),) for array in results.values()):
            raise AnswerError(500, {"error": "the model's outputs have no row for each instance: ask over protocol v2"})
        columns = {name: array.tolist() for name, array in results.items()}
        return {"predictions": [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]}

    def _answer_v2(self, request: InferRequest) -> InferResponse:
        requested = [output.name for output in request.request_outputs or ()] or list(self._outputs)
        for name in requested:
            if name not in self._outputs:
                raise InvalidInput(f"unknown output {name!r}: the model has {', '.join(self._outputs)}")
        results = self._run({tensor.name: array_of(tensor) for tensor in request.inputs}, requested)
        outputs = []
        for name, array in results.items():
            output = InferOutput(name, list(array.shape), from_np_dtype(array.dtype))
            half = array.dtype == np.float16 and request.from_grpc  # gRPC carries it only as raw bytes
            output.set_data_from_numpy(array, binary_data=request.use_binary_outputs or half)
            outputs.append(output)
        return InferResponse(
            response_id=request.id or str(uuid.uuid4()),
            model_name=self.name,
            infer_outputs=outputs,
            use_binary_outputs=request.use_binary_outputs,
            requested_outputs=request.request_outputs,
        )

    def _run(self, values: Mapping[str, Any], outputs: list[str]) -> dict[str, np.ndarray[Any, Any]]:
        has = f"the model has {', '.join(self._inputs)}"
        for name in values:
            if name not in self._inputs:
                raise InvalidInput(f"unknown input {name!r}: {has}")
        for name in self._inputs:
            if name not in values:
                raise InvalidInput(f"missing input {name!r}: {has}")
        arrays = {name: self._inputs[name].checked(value) for name, value in values.items()}
        self._check_lengths(arrays)
        try:
            return dict(zip(outputs, self._session.run(outputs, arrays), strict=True))
        except InvalidArgument as error:
            raise InvalidInput(f"{error}") from error

    def _check_lengths(self, arrays: Mapping[str, np.ndarray[Any, Any]]) -> None:
        """A dimension with the same name in several inputs, such as the number of rows, must have one length."""
        first: dict[str, tuple[str, int]] = {}
        for name, array in arrays.items():
            for axis, symbol in self._inputs[name].symbols.items():
                other, length = first.setdefault(symbol, (name, array.shape[axis]))
                if array.shape[axis] != length:
                    raise InvalidInput(f"input {name!r} has {array.shape[axis]} {symbol}, but {other!r} has {length}")


def main() -> None:
    options = arguments(__doc__).parse_args()
    set_up_logging()
    workers = options.workers or 1
    report_loaded = become_worker(workers)
    try:
        path = find_model(options.model_dir)
        log.info("loading %s", path.name)
        model = OnnxModel(options.model_name, path)
    except (ModelFileError, OSError) as error:
        sys.exit(f"{error}")
    report_loaded()
    serve([model], http_port=options.http_port, grpc_port=options.grpc_port, workers=workers)


if __name__ == "__main__":
    main()
