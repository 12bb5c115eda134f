"""See what the learner's package does, in a process of its own: one that has their files as they are now.

``run(package, "predict")`` runs this file there; it prints what it has seen as JSON, for `check` to judge.
"""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

FLOWERS = [[5.1, 3.5, 1.4, 0.2], [7.7, 3.0, 6.1, 2.3]]
EXAMPLES = Path("sklearnserver") / "example_models"
FRAME = re.compile(r'  File ".*?(sklearnserver[^"]*)", line (\d+)')


class ProbeError(Exception):
    """The package raised; the message names the file, the line and what it said."""


def run(package: Path, what: str, *arguments: str) -> dict[str, Any]:
    """What the function ``what`` of this module sees in ``package``. Raises ProbeError."""
    command = [sys.executable, "-c", START, str(Path(__file__).parent), what, *arguments]
    result = subprocess.run(command, cwd=package, capture_output=True, text=True, check=False)
    if result.returncode == 0:
        return dict(json.loads(result.stdout.splitlines()[-1]))
    said = [line for line in result.stderr.splitlines() if line.strip()]
    frames = FRAME.findall(result.stderr)
    where = f"{frames[-1][0]}, line {frames[-1][1]}: " if frames else ""
    if said[-1].startswith("NotImplementedError: your turn"):
        raise ProbeError(f"{where}the gap is still empty")
    raise ProbeError(f"{where}{said[-1]}")


START = "import sys; sys.path.insert(1, sys.argv[1]); import probe; probe.main()"


def main() -> None:
    print(json.dumps(PROBES[sys.argv[2]](*sys.argv[3:])))


def preprocess() -> dict[str, Any]:
    from sklearnserver.trainer.preprocessor import prep_func

    table, columns = [[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0], [9.0, 8.0, 7.0, 6.0]], ("petal_length", "sepal_width")
    got = _plain(prep_func(table, columns))
    refuses = []
    for wrong in ([[1.0, 2.0]], [["a", 1, 1, 1]], [[float("nan")] * 4]):
        try:
            prep_func(wrong, columns)
        except ValueError:
            refuses.append(wrong)
    names = {
        "None": None,
        "all": table,
        "order": [[row[1], row[2]] for row in table],
        "rows": [table[2], table[1]],
    }
    return {
        "right": got == [[row[2], row[1]] for row in table],
        "got": _called(got, names),
        "refuses": len(refuses) == 3,
    }


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
    found = {"fetches": model._model is not None, "returns": returns, "ready": model.ready}
    if not all(found.values()):
        return found
    v1 = _plain(asyncio.run(model({"instances": FLOWERS}))[0])
    tensor = InferInput("input-0", [2, 4], "FP64", data=np.ravel(FLOWERS).tolist())
    v2, _ = asyncio.run(model(InferRequest("flowers", [tensor])))
    try:
        asyncio.run(model({"instances": [[1.0]]}))
        refuses = False
    except InvalidInput:
        refuses = True
    return found | {
        "v1": "classes" if v1 == [0, 2] else str(v1),
        "v1_right": v1 == {"predictions": [0, 2]},
        "v2_right": isinstance(v2, InferResponse) and v2.outputs[0].as_numpy().tolist() == [0, 2],
        "refuses": refuses,
    }


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
        found = [models.get_model(name) for name in ("sepals", "petals")]
        registered = all(found)
        # A model that was made but not loaded is found by its parts, not by what KServe says of it.
        loaded = not registered or all(model.ready and model._model is not None for model in found)
        columns = [model._model.columns[0] for model in found] if registered and loaded else []
    return {
        "loaded": loaded,
        "registered": registered,
        "returns": returns[0],
        "own": columns == ["sepal_length", "petal_length"],
    }


PROBES: dict[str, Callable[..., dict[str, Any]]] = {
    one.__name__: one for one in (preprocess, predict, trained, inferencer, repository)
}


def _plain(value: Any) -> Any:
    """Arrays as lists, so that they can be compared and printed."""
    return value.tolist() if hasattr(value, "tolist") else value


def _called(value: Any, names: dict[str, Any]) -> str:
    return next((name for name, known in names.items() if value == known), str(value))
