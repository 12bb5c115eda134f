"""The experiment configuration: accepted settings, refused ones, and the words of the refusals."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.minipdk.services.determined.conftest import configuration

from minipdk.services.determined.config import ExperimentConfig, complete, parse_yaml, with_overrides
from minipdk.services.determined.config.hyperparameters import draw_trials, grid_size
from minipdk.services.determined.errors import ConfigError


def refusal(**config: Any) -> str:
    with pytest.raises(ConfigError) as refused:
        complete(configuration(**config))
    return str(refused.value)


def test_complete_adds_every_default_that_the_harness_reads() -> None:
    config = complete({"entrypoint": "a:B", "searcher": {"name": "single", "metric": "loss"}})
    assert config["min_validation_period"] == config["min_checkpoint_period"] == {"batches": 0}
    assert config["optimizations"]["aggregation_frequency"] == 1
    assert config["scheduling_unit"] == 100
    assert config["searcher"]["smaller_is_better"] is True
    assert config["checkpoint_policy"] == "best"
    assert config["checkpoint_storage"]["save_trial_latest"] == 1
    assert config["max_restarts"] == 5


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ({"searcher": {"nme": "single", "metric": "x"}}, "unknown key searcher.nme; did you mean searcher.name?"),
        ({"hyperparamters": {}}, "unknown key hyperparamters; did you mean hyperparameters?"),
        ({"resources": {"slots_per_trail": 1}}, "unknown key resources.slots_per_trail; did you mean resources.slots_"),
        ({"searcher": {"name": "singel", "metric": "x"}}, "not one of single, random, grid; did you mean single?"),
        ({"searcher": {"name": "adaptive_asha", "metric": "x"}}, "searcher.name: adaptive_asha is not supported by minipdk"),
        ({"searcher": {"name": "single"}}, "searcher.metric is required"),
        ({"searcher": {"name": "random", "metric": "x"}}, "max_trials is required for the searcher random"),
        ({"max_restarts": -1}, "max_restarts: should be greater than or equal to 0, not -1"),
        ({"max_restarts": "3"}, "max_restarts: should be a valid integer, not '3'"),
        ({"min_validation_period": {"batchs": 3}}, 'min_validation_period: must have exactly one key: "batches", '),
        ({"resources": {"slots_per_trial": 2}}, "training one trial on 2 slots (set 1) is not supported by minipdk"),
        ({"searcher": "single"}, "searcher must be a mapping of settings, not 'single'"),
        ({"resources": {"shm_size": "big"}}, "resources.shm_size: must be a memory size such as 4g, not 'big'"),
        ({"log_policies": [{"name": "x"}]}, "log_policies is not supported by minipdk"),
        ({"checkpoint_storage": {"type": "s3", "bucket": "b"}}, "checkpoint_storage.type: s3 is not supported by minipdk"),
        ({"checkpoint_storage": {"storage_path": "../up"}}, "storage_path: must be a relative path below host_path"),
        ({"environment": {"environment_variables": ["A B"]}}, "'A B' is not of the form NAME=value"),
        ({"bind_mounts": [{"host_path": "here", "container_path": "/x"}]}, "bind_mounts[0].host_path"),
        ({"hyperparameters": {"lr": {"type": "int", "minval": 3, "maxval": 1}}}, "lr.minval must be less than maxval, 1"),
        ({"hyperparameters": {"deep": {"lr": {"type": "flaot"}}}}, "deep.lr.type: 'flaot' is not one of const, int"),
        ({"entrypoint": ""}, "entrypoint: must be a command, or a list of its words"),
    ],
)
def test_refusal_names_the_key_and_the_remedy(config: dict[str, Any], sentence: str) -> None:
    assert sentence in refusal(**config)


def test_refusal_lists_all_faults() -> None:
    message = refusal(max_restarts=-1, nme="x", log_policies=[1])
    assert "max_restarts" in message
    assert "unknown key nme; did you mean name?" in message
    assert "log_policies" in message


@pytest.mark.parametrize(
    ("text", "message"), [("a: [", "not YAML: line"), ("- a\n- b", "must be a mapping"), ("", "must be a mapping")]
)
def test_configuration_must_be_a_mapping(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_yaml(text)


def test_null_means_the_default() -> None:
    assert complete(configuration(max_restarts=None, description=None))["max_restarts"] == 5


def test_overrides_merge_mappings_and_replace_other_values() -> None:
    settings = {"a": {"x": 1, "y": 2}, "list": [1], "max_length": {"batches": 8}}
    overrides = {"a": {"x": None}, "list": [2], "max_length": {"epochs": 1}, "new": {"z": 3}}
    assert with_overrides(settings, overrides) == {
        "a": {"x": None, "y": 2},
        "list": [2],
        "max_length": {"epochs": 1},
        "new": {"z": 3},
    }
    assert settings["a"] == {"x": 1, "y": 2}


@given(st.sampled_from(sorted(ExperimentConfig.model_fields)), st.characters(codec="ascii", categories=["Ll"]))
@settings(max_examples=50)
def test_refusal_names_a_misspelt_key(key: str, letter: str) -> None:
    misspelt = key + letter
    assert f"unknown key {misspelt}" in refusal(**{misspelt: 1})


def ranges(kind: str, **more: Any) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {"type": st.just(kind), "minval": st.integers(-9, 0), "maxval": st.integers(1, 9), "count": st.integers(1, 3)} | more
    )


leaves = st.one_of(
    st.integers(-5, 5),
    ranges("int"),
    ranges("log", base=st.just(10.0)),
    st.fixed_dictionaries({"type": st.just("categorical"), "vals": st.lists(st.integers(), min_size=1, max_size=3)}),
)
spaces = st.dictionaries(
    st.sampled_from("abc"), st.one_of(leaves, st.dictionaries(st.sampled_from("xy"), leaves, max_size=2))
)


@given(spaces)
@settings(max_examples=50)
def test_grid_has_a_trial_for_each_point(space: dict[str, Any]) -> None:
    config = complete(configuration(searcher={"name": "grid", "metric": "x"}, hyperparameters=space))
    trials = draw_trials(config, seed=0)
    assert len(trials) == grid_size(config["hyperparameters"])


@given(spaces, st.integers(0, 2**31))
@settings(max_examples=50)
def test_random_search_is_repeatable_by_its_seed(space: dict[str, Any], seed: int) -> None:
    config = complete(configuration(searcher={"name": "random", "metric": "x", "max_trials": 3}, hyperparameters=space))
    assert draw_trials(config, seed) == draw_trials(config, seed)
    assert len(draw_trials(config, seed)) == 3
