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


STORED = """
bind_mounts: []
checkpoint_policy: best
checkpoint_storage: {type: shared_fs, host_path: "", storage_path: null, propagation: rprivate,
                     save_experiment_best: 0, save_trial_best: 1, save_trial_latest: 1}
data: {}
debug: false
description: null
entrypoint: a:B
environment:
  add_capabilities: []
  drop_capabilities: []
  environment_variables: {cpu: [], cuda: [], rocm: []}
  force_pull_image: false
  image:
    cpu: determinedai/pytorch-ngc-dev:0736b6d
    cuda: determinedai/pytorch-ngc-dev:0736b6d
    rocm: determinedai/environments:rocm-5.6-pytorch-1.3-tf-2.10-rocm-mpich-0736b6d
  pod_spec: null
  ports: {}
  proxy_ports: []
  registry_auth: null
hyperparameters: {}
integrations: null
labels: []
log_policies:
- {name: CUDA OOM, pattern: .*CUDA out of memory.*}
- {name: ECC Error, pattern: .*uncorrectable ECC error encountered.*}
max_restarts: 5
min_checkpoint_period: {batches: 0}
min_validation_period: {batches: 0}
name: ""
optimizations: {aggregation_frequency: 1, auto_tune_tensor_fusion: false, average_aggregated_gradients: true,
                average_training_metrics: true, grad_updates_size_file: null, gradient_compression: false,
                mixed_precision: O0, tensor_fusion_cycle_time: 1, tensor_fusion_threshold: 64}
pbs: {}
perform_initial_validation: false
preemption_timeout: 3600
profiling: {enabled: false, begin_on_batch: 0, end_after_batch: null, sync_timings: true}
project: ""
records_per_epoch: 0
reproducibility: {experiment_seed: null}
resources: {devices: [], is_single_node: null, max_slots: null, native_parallel: false, priority: 42,
            resource_pool: "", shm_size: null, slots_per_trial: 1, weight: 1}
scheduling_unit: 100
searcher: {name: single, metric: loss, smaller_is_better: true, source_checkpoint_uuid: null, source_trial_id: null}
slurm: {}
workspace: ""
"""
"""The configuration that Determined 0.38.1 stores for an experiment with an entrypoint and a searcher."""


def test_stored_configuration_has_determineds_defaults_and_no_other_keys() -> None:
    config = complete({"entrypoint": "a:B", "searcher": {"name": "single", "metric": "loss"}})
    assert config == parse_yaml(STORED)
    assert complete(config) == config


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ({"searcher": {"name": "random", "metric": "x", "max_trials": 3}}, {"max_concurrent_trials": 16, "max_trials": 3}),
        ({"searcher": {"name": "grid", "metric": "x"}}, {"max_concurrent_trials": 16}),
        ({"searcher": {"name": "grid", "metric": "x", "max_concurrent_trials": 0}}, {"max_concurrent_trials": 0}),
        ({"environment": {"image": "me/x:1"}}, {"image": {"cpu": "me/x:1", "cuda": "me/x:1", "rocm": "me/x:1"}}),
        (
            {"environment": {"environment_variables": {"gpu": ["A=B"]}}},
            {"environment_variables": {"cpu": [], "cuda": ["A=B"]}},
        ),
        ({"resources": {"weight": 2}}, {"weight": 2}),
        ({"resources": {"priority": None}}, {"priority": 42}),
        ({"checkpoint_storage": {"save_trial_latest": 3}}, {"type": "shared_fs", "save_trial_latest": 3}),
        (
            {"checkpoint_storage": {"type": "shared_fs", "host_path": "/a", "storage_path": "/a/b/../c"}},
            {"storage_path": "/a/b/../c"},
        ),
    ],
)
def test_section_is_completed(given: dict[str, Any], stored: dict[str, Any]) -> None:
    [section] = given
    shown = complete(configuration(**given))[section]
    assert shown == with_overrides(shown, stored)


def test_image_for_gpu_is_the_image_for_cuda() -> None:
    image = complete(configuration(environment={"image": {"cpu": "a", "gpu": "b"}}))["environment"]["image"]
    assert (image["cpu"], image["cuda"]) == ("a", "b")


def test_label_is_stored_once() -> None:
    assert complete(configuration(labels=["b", "a", "b"]))["labels"] == ["b", "a"]


def test_determineds_own_log_policies_may_be_repeated() -> None:
    config = complete(configuration(log_policies=[]))
    assert complete(config)["log_policies"] == config["log_policies"]


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
        (
            {"resources": {"shm_size": "4 GiB"}},
            "resources.shm_size: must be a number of bytes, such as 4294967296, not '4 GiB'",
        ),
        ({"profiling": {"begin_on_batch": 10, "end_after_batch": 5}}, "begin_on_batch must be less than end_after_batch, 5"),
        ({"reproducibility": {"experiment_seed": 2**32}}, "should be less than or equal to 4294967295, not 4294967296"),
        ({"internal": {}}, "internal is not supported by minipdk"),
        ({"integrations": {"pachyderm": {"dataset": {"project": "p"}}}}, "integrations.pachyderm.dataset.repo is required"),
        ({"checkpoint_storage": {"host_path": "/tmp"}}, "type is required beside a place, such as `type: shared_fs`"),
        ({"log_policies": [{"name": "x"}]}, "log_policies is not supported by minipdk"),
        ({"checkpoint_storage": {"type": "s3", "bucket": "b"}}, "checkpoint_storage.type: s3 is not supported by minipdk"),
        (
            {"checkpoint_storage": {"type": "shared_fs", "storage_path": "../up"}},
            "storage_path must be a relative path below h",
        ),
        (
            {"checkpoint_storage": {"type": "shared_fs", "host_path": "/a", "storage_path": "/ab"}},
            "or a folder in host_path",
        ),
        ({"environment": {"environment_variables": ["A B"]}}, "'A B' is not of the form NAME=value"),
        ({"bind_mounts": [{"host_path": "here", "container_path": "/x"}]}, "bind_mounts[0].host_path"),
        ({"bind_mounts": [{"host_path": "/a", "container_path": "./"}]}, 'container_path: must not be "."'),
        (
            {"bind_mounts": [{"host_path": "/a", "container_path": "b", "propagation": "odd"}]},
            "'odd' is not one of rprivate",
        ),
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
