"""The served model, called as KServe's server calls it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest
from kserve import InferInput, InferRequest
from kserve.errors import InvalidInput

from sklearnserver.inferencer.model import SKLearnServingModel
from sklearnserver.trainer import config
from sklearnserver.trainer.model import MyModel
from sklearnserver.trainer.utils import read_flowers, split

EXAMPLE = Path(__file__).parents[1] / "example_models" / "0001"
FLOWERS = [[5.1, 3.5, 1.4, 0.2], [7.7, 3.0, 6.1, 2.3]]


@pytest.fixture
def model() -> SKLearnServingModel:
    served = SKLearnServingModel("flowers", str(EXAMPLE))
    assert not served.ready
    assert served.load()
    return served


def test_a_v1_request_gets_the_classes_of_its_flowers(model: SKLearnServingModel) -> None:
    answer, _ = asyncio.run(model({"instances": FLOWERS}))
    assert answer == {"predictions": [0, 2]}


def test_a_v2_request_gets_the_same(model: SKLearnServingModel) -> None:
    tensor = InferInput("input-0", [2, 4], "FP64", data=np.ravel(FLOWERS).tolist())
    answer, _ = asyncio.run(model(InferRequest("flowers", [tensor])))
    assert answer.outputs[0].as_numpy().tolist() == [0, 2]


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ({"instances": [[5.1, 3.5]]}, "not (1, 2)"),
        ({"instances": [["short", 3.5, 1.4, 0.2]]}, "a list of 4 numbers"),
        ({"instances": [[5.1, 3.5, 1.4, float("nan")]]}, "not a finite number"),
        ({"flowers": FLOWERS}, 'expected {"instances"'),
        (b"instances", 'expected {"instances"'),
    ],
)
def test_other_input_than_flowers_is_refused_with_the_reason(model: SKLearnServingModel, body: object, why: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        asyncio.run(model(body))
    assert why in raised.value.reason


def test_a_folder_without_a_model_is_named(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(FileNotFoundError, match=r"there is no .*model.joblib: its folder holds notes.txt"):
        SKLearnServingModel("flowers", str(tmp_path)).load()


def test_a_saved_model_predicts_as_the_trained_one(tmp_path: Path) -> None:
    training, (flowers, labels) = split(*read_flowers(config.DATA))
    trained = MyModel(columns=("petal_length", "petal_width"))
    trained.train(*training)
    trained.save(tmp_path)
    loaded = MyModel(dirpath=tmp_path)
    assert loaded.columns == ("petal_length", "petal_width")
    assert loaded.predict(flowers).tolist() == trained.predict(flowers).tolist()
    assert trained.evaluate(flowers, labels)["accuracy"] > 0.9
