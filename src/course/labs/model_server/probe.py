"""Run the learner's package in a separate process, which reads their files as they are now, and record its behaviour.

``run(package, "predict")`` runs the probe `predict` of this module there. The process prints its observations as JSON, and
`check` judges them.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from course import commands
from course.progress import WaitTimeoutError

SECONDS = 60.0
TABLE = [[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0], [9.0, 8.0, 7.0, 6.0], [5.0, 4.0, 3.0, 2.0]]
REQUESTED: dict[tuple[str, ...], tuple[int, ...]] = {
    ("petal_length", "sepal_width"): (2, 1),
    ("sepal_length", "petal_width"): (0, 3),
}
"""The columns to request from the preprocessor -> their positions."""
FLOWERS = [[5.1, 3.5, 1.4, 0.2], [7.7, 3.0, 6.1, 2.3]]
EXAMPLES = Path("sklearnserver") / "example_models"
FRAME = re.compile(r'  File ".*?(sklearnserver[^"]*)", line (\d+)')


class ProbeError(Exception):
    """The package raised an error or did not end; the message names the file, the line and the error."""


def run(package: Path, name: str, *arguments: str) -> dict[str, Any]:
    """The observations of the probe ``name`` in ``package``. Raises ProbeError."""
    command = [sys.executable, "-m", __spec__.name, name, *arguments]
    try:
        result = commands.run(command, package, seconds=SECONDS)
    except WaitTimeoutError:
        raise ProbeError(f"it was still running after {SECONDS:g} s: is there a loop that never ends?") from None
    seen = [line for line in result.stdout.splitlines() if line.startswith(SEEN)]
    if seen:
        return dict(json.loads(seen[-1].removeprefix(SEEN)))
    errors = [line for line in result.stderr.splitlines() if line.strip()]
    frames = FRAME.findall(result.stderr)
    where = f"{frames[-1][0]}, line {frames[-1][1]}: " if frames else ""
    if not errors:
        raise ProbeError(f"it ended with status {result.returncode} half-way: does a module call sys.exit?")
    if errors[-1].startswith("NotImplementedError: your turn"):
        raise ProbeError(f"{where}the gap is still empty")
    raise ProbeError(f"{where}{errors[-1]}")


SEEN = "seen: "


def main() -> None:
    observations = json.dumps(PROBES[sys.argv[1]](*sys.argv[2:]))
    print(f"\n{SEEN}{observations}")  # noqa: T201


def preprocess() -> dict[str, Any]:
    from sklearnserver.trainer.preprocessor import prep_func

    got = {columns: _plain(prep_func(TABLE, columns)) for columns in REQUESTED}
    wrong = [columns for columns, places in REQUESTED.items() if got[columns] != _columns(places)]
    refuses = []
    for nonsense in ([[1.0, 2.0]], [["a", 1, 1, 1]], [[float("nan")] * 4]):
        try:
            prep_func(nonsense, next(iter(REQUESTED)))
        except ValueError:
            refuses.append(nonsense)
    return {
        "right": not wrong,
        "got": _wrong_columns(got, wrong[0]) if wrong else "",
        "refuses": len(refuses) == 3,
    }


def _columns(places: tuple[int, ...]) -> list[list[float]]:
    return [[row[place] for place in places] for row in TABLE]


def _wrong_columns(got: dict[tuple[str, ...], Any], columns: tuple[str, ...]) -> str:
    """A name for the values that the preprocessor returned instead of ``columns``."""
    places = REQUESTED[columns]
    names = {
        "None": None,
        "all": TABLE,
        "order": _columns(tuple(sorted(places))),
        "rows": [TABLE[place] for place in places],
    }
    for name, known in names.items():
        if got[columns] == known:
            return name
    first, second = got.values()
    return "same" if first == second else str(got[columns])


def predict() -> dict[str, Any]:
    from sklearnserver.trainer import config, utils
    from sklearnserver.trainer.model import MyModel

    model = MyModel()
    model.train(*utils.read_flowers(config.DATA))
    try:
        got = _plain(model.predict(FLOWERS))
    except ValueError as error:
        if "features" not in str(error):
            raise
        return {"right": False, "got": "columns"}
    if isinstance(got, list) and got and isinstance(got[0], list):
        return {"right": False, "got": "probabilities"}
    return {"right": got == [0, 2], "got": str(got)}


def trained(path: str) -> dict[str, Any]:
    from sklearnserver.trainer import config, utils
    from sklearnserver.trainer.model import MyModel

    model = MyModel(path)
    _, held_out = utils.split(*utils.read_flowers(config.DATA))
    return {"columns": model.columns, **model.evaluate(*held_out)}


def inferencer() -> dict[str, Any]:
    import numpy as np
    from kserve import InferInput, InferRequest, InferResponse
    from kserve.errors import InvalidInput
    from sklearnserver.inferencer.model import SKLearnServingModel

    model = SKLearnServingModel("flowers", (EXAMPLES / "0001").resolve().as_uri())
    try:
        returns = model.load()
    except FileNotFoundError as error:
        if "file:" not in str(error):
            raise
        return {"fetches": False}
    loaded = {"fetches": True, "keeps": model._model is not None, "returns": returns, "ready": model.ready}
    if not all(loaded.values()):
        return loaded
    v1 = _answer(model, {"instances": FLOWERS})
    tensor = InferInput("input-0", [2, 4], "FP64", data=np.ravel(FLOWERS).tolist())
    v2 = _answer(model, InferRequest("flowers", [tensor]))
    return loaded | {
        "v1": "classes" if v1 == [0, 2] else _described(v1),
        "v1_right": v1 == {"predictions": [0, 2]},
        "v2": _described(v2),
        "v2_right": isinstance(v2, InferResponse) and v2.outputs[0].as_numpy().tolist() == [0, 2],
        "named": getattr(v2, "model_name", ""),
        "refuses": isinstance(_answer(model, {"instances": [[1.0]]}), InvalidInput),
    }


def _answer(model: Any, payload: Any) -> Any:
    """The answer of ``model``, or the error that it raises. The error of a gap that is still empty is raised."""
    try:
        return _plain(asyncio.run(model(payload))[0])
    except NotImplementedError:
        raise
    except Exception as error:
        return error


def _described(answer: Any) -> str:
    """An answer as text; an error as its place in the package and its message."""
    if not isinstance(answer, Exception):
        return str(answer)
    frames = traceback.extract_tb(answer.__traceback__)
    own = [frame for frame in frames if Path(frame.filename).is_relative_to(Path.cwd())]
    where = f"{Path(own[-1].filename).relative_to(Path.cwd())}, line {own[-1].lineno}: " if own else ""
    return f"{where}{type(answer).__name__}: {answer}"


def repository() -> dict[str, Any]:
    import shutil

    from sklearnserver.inferencer.model_repository import SKLearnModelRepository
    from sklearnserver.trainer import config, utils
    from sklearnserver.trainer.model import MyModel

    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(EXAMPLES / "0001", Path(folder) / "sepals")
        petals = MyModel(columns=("petal_length", "petal_width"))
        petals.train(*utils.read_flowers(config.DATA))
        petals.save(Path(folder) / "petals")
        models = SKLearnModelRepository(folder)
        returns = [models.load(name) for name in ("sepals", "petals")]
        loaded_models = [models.get_model(name) for name in ("sepals", "petals")]
        registered = all(loaded_models)
        # A model that was made but not loaded shows in its parts; KServe reports it like any other.
        loaded = not registered or all(model.ready and model._model is not None for model in loaded_models)
        columns = [model._model.columns[0] for model in loaded_models] if registered and loaded else []
    return {
        "loaded": loaded,
        "registered": registered,
        "returns": returns[0],
        "own": columns == ["sepal_length", "petal_length"],
    }


PROBES: dict[str, Callable[..., dict[str, Any]]] = {
    probe.__name__: probe for probe in (preprocess, predict, trained, inferencer, repository)
}


def _plain(value: Any) -> Any:
    """Arrays as lists, so that they can be compared and printed."""
    return value.tolist() if hasattr(value, "tolist") else value


if __name__ == "__main__":
    main()
