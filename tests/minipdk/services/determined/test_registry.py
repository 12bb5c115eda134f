"""The model registry, by the SDK and the `det` command."""

from __future__ import annotations

import pytest
from determined.common.api import errors
from determined.experimental import Checkpoint, OrderBy, client
from tests.minipdk.services.determined.conftest import Cluster, best, finish


@pytest.fixture(scope="module")
def checkpoint(cluster: Cluster) -> Checkpoint:
    experiment = cluster.steps(1)
    finish(experiment)
    return best(experiment)


def test_versions_are_numbered_and_downloaded(cluster: Cluster, checkpoint: Checkpoint, tmp_path: object) -> None:
    model = cluster.sdk.create_model("churn", "who leaves", metadata={"owner": "ada"}, labels=["telco"])
    first = model.register_version(checkpoint.uuid)
    second = model.register_version(checkpoint.uuid)
    assert (first.model_version, second.model_version) == (1, 2)
    assert model.get_version().model_version == 2
    assert [v.model_version for v in model.list_versions(order_by=client.ModelOrderBy.ASC)] == [1, 2]
    assert model.get_version(1).checkpoint.download(f"{tmp_path}/files")
    second.delete()
    assert model.get_version().model_version == 1
    assert model.register_version(checkpoint.uuid).model_version == 3


def test_texts_of_a_model_and_a_version_can_be_changed(cluster: Cluster, checkpoint: Checkpoint) -> None:
    model = cluster.sdk.create_model("words")
    model.add_metadata({"a": 1, "b": 2})
    model.remove_metadata(["a"])
    model.set_labels(["x", "y"])
    model.set_description("told")
    model = cluster.sdk.get_model("words")
    assert (model.metadata, model.labels, model.description) == ({"b": 2}, ["x", "y"], "told")
    assert {"x", "y"} <= set(cluster.sdk.get_model_labels())
    version = model.register_version(checkpoint.uuid)
    version.set_name("candidate")
    version.set_notes("looks good")
    version = model.get_version(1)
    assert (version.name, version.notes) == ("candidate", "looks good")


def test_registered_checkpoint_cannot_be_deleted(cluster: Cluster, checkpoint: Checkpoint) -> None:
    model = cluster.sdk.create_model("keeper")
    version = model.register_version(checkpoint.uuid)
    words = f"{checkpoint.uuid}, registered to keeper \\(model #{model.model_id}\\), version {version.model_version}"
    refused = f"this subset of checkpoints provided are in the model registry and cannot be {{}}: .*{words}"
    with pytest.raises(errors.APIException, match=refused.format("deleted")):
        checkpoint.delete()
    with pytest.raises(errors.APIException, match=refused.format("deleted")):
        checkpoint.remove_files(["*"])
    with pytest.raises(errors.APIException, match=refused.format("deleted")):
        checkpoint.remove_files(["nothing*"])
    body = {"checkpoints": [{"uuid": checkpoint.uuid, "resources": {"resources": {}}}]}
    with pytest.raises(errors.APIException, match=refused.format("patched")):
        cluster.session().patch("api/v1/checkpoints", json=body)
    with pytest.raises(errors.APIException, match="checkpoints are registered as model versions"):
        cluster.sdk.get_experiment(checkpoint.training.experiment_id).delete()
    assert list((cluster.home.folder("shared_fs") / checkpoint.uuid).iterdir())
    checkpoint.reload()
    assert checkpoint.state is not None
    assert checkpoint.state.name == "COMPLETED"


@pytest.mark.parametrize("glob", ["", "../*"])
def test_glob_cannot_leave_its_checkpoint(cluster: Cluster, checkpoint: Checkpoint, glob: str) -> None:
    with pytest.raises(errors.APIException, match="glob"):
        checkpoint.remove_files([glob])


def test_archived_model_takes_no_versions(cluster: Cluster, checkpoint: Checkpoint) -> None:
    model = cluster.sdk.create_model("shelved")
    model.archive()
    with pytest.raises(errors.APIException, match='model "shelved" is archived and cannot have attributes updated'):
        model.register_version(checkpoint.uuid)
    model.unarchive()
    model.register_version(checkpoint.uuid)
    model.delete()
    with pytest.raises(errors.NotFoundException, match='model "shelved" not found'):
        cluster.sdk.get_model("shelved")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("", "cannot be blank"),
        ("  ", "cannot be blank"),
        ("42", "cannot be only numbers"),
        ("a/b", "cannot have slashes"),
        ("a  b", "cannot have excessive spacing"),
    ],
)
def test_name_that_no_request_could_address_is_refused(cluster: Cluster, name: str, words: str) -> None:
    with pytest.raises(errors.APIException, match=f"model names {words}"):
        cluster.sdk.create_model(name)


def test_names_are_unique(cluster: Cluster) -> None:
    cluster.sdk.create_model("once")
    with pytest.raises(errors.APIException, match="model 'once' already exists"):
        cluster.sdk.create_model("once")


def test_unknown_checkpoint_is_not_registered(cluster: Cluster) -> None:
    model = cluster.sdk.create_model("empty")
    with pytest.raises(errors.NotFoundException, match="checkpoint 'nowhere' not found"):
        model.register_version("nowhere")
    assert model.get_version() is None


def test_models_are_listed_by_name(cluster: Cluster) -> None:
    for name in ("zebra", "aardvark"):
        cluster.sdk.create_model(name, workspace_name="Uncategorized")
    names = [model.name for model in cluster.sdk.list_models(order_by=OrderBy.ASC)]
    assert names == sorted(names)
    assert [model.name for model in cluster.sdk.list_models(name="zeb")] == ["zebra"]


def test_det_command_registers_and_lists(cluster: Cluster, checkpoint: Checkpoint) -> None:
    cluster.det("model", "create", "by-command")
    cluster.det("model", "register-version", "by-command", checkpoint.uuid)
    assert checkpoint.uuid in cluster.det("model", "list-versions", "by-command")
    assert "by-command" in cluster.det("model", "list")
    assert "by-command" in cluster.det("model", "describe", "by-command")
