"""Models that come and go while the server runs."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from sklearnserver.inferencer.model_repository import SKLearnModelRepository

MODELS = Path(__file__).parents[1] / "example_models"


@pytest.fixture
def repository() -> SKLearnModelRepository:
    return SKLearnModelRepository(str(MODELS))


def test_a_model_is_ready_once_it_is_loaded(repository: SKLearnModelRepository) -> None:
    assert not asyncio.run(repository.is_model_ready("0001"))
    assert repository.load("0001")
    assert asyncio.run(repository.is_model_ready("0001"))
    assert repository.get_model("0001").predict({"instances": [[5.1, 3.5, 1.4, 0.2]]}) == {"predictions": [0]}


def test_a_model_that_was_unloaded_is_gone(repository: SKLearnModelRepository) -> None:
    repository.load("0001")
    repository.unload("0001")
    assert repository.get_model("0001") is None
    with pytest.raises(KeyError):
        repository.unload("0001")


@pytest.mark.parametrize("name", ["0009", "..", "."])
def test_only_a_folder_of_the_repository_is_loaded(repository: SKLearnModelRepository, name: str) -> None:
    with pytest.raises(FileNotFoundError, match="there is 0001"):
        repository.load(name)
