"""Pipelines over their life: creating, updating, stopping, starting, deleting, and refusals."""

from __future__ import annotations

import json
from pathlib import Path

import grpc
import pytest
from pachyderm_sdk.api import pfs, pps
from tests.conftest import wait_for
from tests.minipdk.services.pachyderm.pipelines import IMAGE, Workbench

from minipdk.common.home import Home

SUCCESS = pps.JobState.JOB_SUCCESS


def spec(name: str, repo: str, **changes: object) -> dict[str, object]:
    return {
        "pipeline": {"name": name},
        "transform": {"image": IMAGE, "cmd": ["sh"], "stdin": [f"cp /pfs/{repo}/* /pfs/out/"]},
        "input": {"pfs": {"repo": repo, "glob": "/*"}},
        **changes,
    }


def create(bench: Workbench, written: dict[str, object], **options: bool) -> pps.CreatePipelineV2Response:
    return bench.client.pps.create_pipeline_v2(create_pipeline_request_json=json.dumps(written), **options)


def refusal(bench: Workbench, written: dict[str, object], **options: bool) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.RpcError) as refused:
        create(bench, written, **options)
    return refused.value.code(), refused.value.details()


def test_a_json_spec_makes_a_pipeline_and_is_kept_as_written(bench: Workbench) -> None:
    repo, name = bench.repo(a="1"), bench.name("json")
    written = spec(name, repo, parallelism_spec={"constant": "1"}, description="as in the seed")
    effective = json.loads(create(bench, written).effective_create_pipeline_request_json)
    info = bench.client.pps.inspect_pipeline(pipeline=pps.Pipeline(name=name), details=True)
    assert (effective["outputBranch"], effective["datumTries"]) == ("master", "3")
    assert json.loads(info.user_spec_json) == written
    assert (info.version, info.details.description, info.parallelism) == (1, "as in the seed", 1)
    assert info.details.input.pfs.branch == "master"
    assert bench.job(info.pipeline).state == SUCCESS


def test_a_pipeline_is_running_once_its_image_is_there(bench: Workbench) -> None:
    pipeline = bench.pipeline(bench.repo(), "true")
    bench.job(pipeline)
    assert bench.client.pps.inspect_pipeline(pipeline=pipeline).state == pps.PipelineState.PIPELINE_RUNNING


def test_a_dry_run_changes_nothing(bench: Workbench) -> None:
    name = bench.name("dry")
    create(bench, spec(name, bench.repo()), dry_run=True)
    assert not bench.client.pps.pipeline_exists(pps.Pipeline(name=name))


def test_an_unknown_field_is_refused_with_its_name_and_the_nearest(bench: Workbench) -> None:
    code, words = refusal(bench, spec("p", bench.repo(), paralellism_spec={"constant": 1}))
    assert code == grpc.StatusCode.INVALID_ARGUMENT
    assert 'unknown field "paralellism_spec"' in words
    assert 'did you mean "parallelism_spec"?' in words


def test_a_repo_that_is_not_there_is_refused_by_name(bench: Workbench) -> None:
    code, words = refusal(bench, spec("p", "nowhere"))
    assert code == grpc.StatusCode.NOT_FOUND
    assert "default/nowhere" in words


@pytest.mark.parametrize("field", ["url", "URL"])
def test_an_unsupported_field_is_refused_by_name(bench: Workbench, field: str) -> None:
    """The vendor's definition calls it URL."""
    code, words = refusal(bench, spec("p", bench.repo(), egress={field: "s3://bucket"}))
    assert (code, words) == (grpc.StatusCode.UNIMPLEMENTED, "egress is not supported by minipdk")


def test_a_missing_project_is_refused_by_name(bench: Workbench) -> None:
    written = spec("p", bench.repo()) | {"pipeline": {"name": "p", "project": {"name": "nope"}}}
    code, words = refusal(bench, written)
    assert code == grpc.StatusCode.INVALID_ARGUMENT
    assert words.startswith("could not make effective spec: could not get defaults for project nope")
    assert words.endswith('project "nope" not found')


def test_refusals_that_need_no_state_have_the_code_for_them(bench: Workbench) -> None:
    client = bench.client
    calls = {
        "InspectPipelineRequest.Pipeline": client.pps.inspect_pipeline,
        "DeletePipelineRequest.Pipeline": client.pps.delete_pipeline,
        "FinishTransactionRequest.Transaction": client.transaction.finish_transaction,
    }
    for field, call in calls.items():
        with pytest.raises(grpc.RpcError) as refused:
            call()
        assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT
        assert refused.value.details() == f"validate request: invalid {field}: value is required"
    for fields in ({"reprocess_spec": "sometimes"}, {"service": {"internal_port": 1, "type": "Odd"}}):
        assert refusal(bench, spec("p", bench.repo(), **fields))[0] == grpc.StatusCode.INVALID_ARGUMENT


def test_an_image_that_is_null_is_the_default_one(bench: Workbench) -> None:
    written = spec("p", bench.repo()) | {"transform": {"image": None, "cmd": ["true"]}}
    effective = json.loads(create(bench, written, dry_run=True).effective_create_pipeline_request_json)
    assert effective["transform"] == {"image": "ubuntu:20.04", "cmd": ["true"]}


def test_a_name_can_be_taken_once(bench: Workbench) -> None:
    repo, name = bench.repo(), bench.name("twice")
    create(bench, spec(name, repo))
    code, words = refusal(bench, spec(name, repo))
    assert code == grpc.StatusCode.ALREADY_EXISTS
    assert f'pipeline "default/{name}" already exists' in words
    _, words = refusal(bench, spec(repo, name))
    assert "because a repo with the same name already exists" in words


def test_a_refused_pipeline_leaves_nothing_behind(bench: Workbench) -> None:
    name = bench.name("refused")
    refusal(bench, spec(name, "nowhere"))
    assert not bench.client.pfs.repo_exists(pfs.Repo(name=name))


def test_a_pipeline_that_is_not_there_is_not_found(bench: Workbench) -> None:
    assert not bench.client.pps.pipeline_exists(pps.Pipeline(name="nowhere"))
    for call in (bench.client.pps.stop_pipeline, bench.client.pps.delete_pipeline):
        call(pipeline=pps.Pipeline(name="nowhere"))
        with pytest.raises(grpc.RpcError) as refused:
            call(pipeline=pps.Pipeline(name="nowhere"), must_exist=True)
        assert refused.value.code() == grpc.StatusCode.NOT_FOUND


def test_an_update_runs_nothing_again_when_only_the_code_changes(bench: Workbench) -> None:
    """The salt decides which datums run again, and it survives an update, as in Pachyderm."""
    repo, name = bench.repo(a="1"), bench.name("update")
    create(bench, spec(name, repo))
    pipeline = pps.Pipeline(name=name)
    bench.job(pipeline)
    changed = spec(name, repo, transform={"image": IMAGE, "cmd": ["sh"], "stdin": ["echo new > /pfs/out/a"]})
    create(bench, changed, update=True)
    job = bench.job(pipeline)
    assert (job.pipeline_version, job.data_skipped, job.data_processed) == (2, 1, 0)
    create(bench, changed, update=True, reprocess=True)
    job = bench.job(pipeline)
    assert (job.pipeline_version, job.data_skipped, job.data_processed) == (3, 0, 1)
    assert bench.files(f"{name}@master") == {"/a": "new\n"}


def test_an_update_that_narrows_the_input_deletes_what_it_leaves_out(bench: Workbench) -> None:
    repo, name = bench.repo(a="1", b="2"), bench.name("narrow")
    create(bench, spec(name, repo))
    bench.job(pps.Pipeline(name=name))
    create(bench, spec(name, repo, input={"pfs": {"repo": repo, "glob": "/a"}}), update=True)
    job = bench.job(pps.Pipeline(name=name))
    assert (job.data_total, job.data_skipped) == (1, 1)
    assert set(bench.files(f"{name}@master")) == {"/a"}


def test_every_job_reprocesses_when_asked_to(bench: Workbench) -> None:
    repo, name = bench.repo(a="1"), bench.name("every")
    create(bench, spec(name, repo, reprocess_spec="every_job"))
    bench.job(pps.Pipeline(name=name))
    bench.commit(repo, {"b": "2"})
    assert bench.job(pps.Pipeline(name=name)).data_processed == 2


def test_rerunning_makes_a_new_version_with_the_same_spec(bench: Workbench) -> None:
    repo, name = bench.repo(a="1"), bench.name("rerun")
    create(bench, spec(name, repo))
    pipeline = pps.Pipeline(name=name)
    bench.job(pipeline)
    bench.client.pps.rerun_pipeline(pipeline=pipeline, reprocess=True)
    job = bench.job(pipeline)
    assert (job.pipeline_version, job.data_processed) == (2, 1)


def test_an_update_kills_the_jobs_of_the_old_version(bench: Workbench) -> None:
    repo = bench.repo(a="1")
    pipeline = bench.pipeline(repo, "sleep 600")
    (old,) = bench.client.pps.list_job(pipeline=pipeline)
    bench.pipeline(repo, "true", pipeline=pipeline, update=True)
    killed = bench.client.pps.inspect_job(job=old.job, wait=True)
    assert (killed.state, killed.reason) == (pps.JobState.JOB_KILLED, "all jobs killed because pipeline was updated")
    assert bench.job(pipeline).state == SUCCESS
    assert [info.job.id for info in bench.client.pps.list_job(pipeline=pipeline)] != [old.job.id]
    assert old.job.id in [info.job.id for info in bench.client.pps.list_job(pipeline=pipeline, history=-1)]


def test_a_stopped_pipeline_runs_no_jobs_until_it_is_started(bench: Workbench) -> None:
    repo = bench.repo(a="1")
    pipeline = bench.pipeline(repo, f"cp /pfs/{repo}/* /pfs/out/")
    bench.job(pipeline)
    bench.client.pps.stop_pipeline(pipeline=pipeline)
    stopped = bench.client.pps.inspect_pipeline(pipeline=pipeline)
    assert (stopped.stopped, stopped.state) == (True, pps.PipelineState.PIPELINE_PAUSED)
    bench.commit(repo, {"b": "2"})
    assert len(list(bench.client.pps.list_job(pipeline=pipeline))) == 1
    bench.client.pps.start_pipeline(pipeline=pipeline)
    job = bench.job(pipeline)
    assert (job.data_skipped, job.data_processed) == (1, 1)
    assert not bench.client.pps.inspect_pipeline(pipeline=pipeline).stopped


def test_stopping_a_pipeline_kills_its_job(bench: Workbench) -> None:
    pipeline = bench.pipeline(bench.repo(a="1"), "sleep 600")
    bench.client.pps.stop_pipeline(pipeline=pipeline)
    job = bench.job(pipeline)
    assert (job.state, job.reason) == (pps.JobState.JOB_KILLED, "all jobs killed because pipeline was stopped")


def test_deleting_a_pipeline_deletes_its_repos_and_jobs(bench: Workbench) -> None:
    pipeline = bench.pipeline(bench.repo(a="1"), "true")
    job = bench.job(pipeline).job
    bench.client.pps.delete_pipeline(pipeline=pipeline)
    assert not bench.client.pps.pipeline_exists(pipeline)
    assert not bench.client.pps.job_exists(job)
    assert pipeline.name not in {info.repo.name for info in bench.client.pfs.list_repo(type="")}


def test_a_deleted_pipelines_output_can_be_kept(bench: Workbench) -> None:
    repo = bench.repo(a="1")
    pipeline = bench.pipeline(repo, f"cp /pfs/{repo}/* /pfs/out/")
    bench.job(pipeline)
    bench.client.pps.delete_pipeline(pipeline=pipeline, keep_repo=True)
    assert bench.files(f"{pipeline.name}@master") == {"/a": "1"}
    bench.commit(pipeline.name, {"b": "2"})


def test_a_pipeline_with_another_downstream_is_deleted_by_force_only(bench: Workbench) -> None:
    first = bench.pipeline(bench.repo(), "true")
    bench.pipeline(first.name, "true")
    with pytest.raises(grpc.RpcError):
        bench.client.pps.delete_pipeline(pipeline=first)
    assert bench.client.pps.pipeline_exists(first)
    bench.client.pps.delete_pipeline(pipeline=first, force=True)
    assert not bench.client.pps.pipeline_exists(first)


def test_a_projects_pipelines_are_deleted_together(bench: Workbench) -> None:
    project = pfs.Project(name=bench.name("project"))
    bench.client.pfs.create_project(project=project)
    repo = pfs.Repo(name="source", project=project)
    bench.client.pfs.create_repo(repo=repo)
    node = pps.Input(pfs=pps.PfsInput(repo="source", glob="/*"))
    first = bench.pipeline(node, "true", pipeline=pps.Pipeline(name="first", project=project))
    node = pps.Input(pfs=pps.PfsInput(repo="first", glob="/*"))
    second = bench.pipeline(node, "true", pipeline=pps.Pipeline(name="second", project=project))
    assert bench.job(second).state == SUCCESS
    deleted = bench.client.pps.delete_pipelines(projects=[project]).pipelines
    assert {pipeline.name for pipeline in deleted} == {"first", "second"}
    assert not bench.client.pps.pipeline_exists(first)


def test_a_pipelines_repo_is_deleted_with_the_pipeline_only(bench: Workbench) -> None:
    pipeline = bench.pipeline(bench.repo(), "true")
    with pytest.raises(grpc.RpcError, match="delete the pipeline instead"):
        bench.client.pfs.delete_repo(repo=pfs.Repo(name=pipeline.name))


def test_pipelines_are_listed_newest_first_with_their_last_jobs_state(bench: Workbench) -> None:
    repo = bench.repo()
    first, second = bench.pipeline(repo, "true"), bench.pipeline(repo, "true")
    bench.job(first)
    bench.job(second)
    names = [info.pipeline.name for info in bench.client.pps.list_pipeline()]
    assert names.index(second.name) < names.index(first.name)
    (info,) = bench.client.pps.list_pipeline(pipeline=first)
    assert info.last_job_state == SUCCESS
    bench.pipeline(repo, "true", pipeline=first, update=True)
    assert [info.version for info in bench.client.pps.list_pipeline(pipeline=first, history=-1)] == [2, 1]


def test_a_pipeline_writes_to_the_output_branch_it_names(bench: Workbench) -> None:
    repo = bench.repo(a="1")
    pipeline = bench.pipeline(repo, f"cp /pfs/{repo}/* /pfs/out/", output_branch="results")
    bench.job(pipeline)
    assert bench.files(f"{pipeline.name}@results") == {"/a": "1"}


def test_an_autoscaling_pipeline_stands_by_while_there_is_nothing_to_do(bench: Workbench) -> None:
    pipeline = bench.pipeline(bench.repo(a="1"), "true", autoscaling=True)
    bench.job(pipeline)
    standby = pps.PipelineState.PIPELINE_STANDBY
    wait_for(lambda: bench.client.pps.inspect_pipeline(pipeline=pipeline).state == standby, what="STANDBY")


def test_a_pipeline_crashes_until_its_image_is_built(bench: Workbench, home: Home, tmp_path: Path) -> None:
    from minipdk.images import ImageStore

    image = bench.name("image") + ":1.0"
    transform = pps.Transform(image=image, cmd=["cat", "/marker"])
    pipeline = bench.pipeline(bench.repo(a="1"), transform=transform)
    reason = bench.crash_reason(pipeline)
    assert image in reason
    assert "minipdk image build" in reason
    (tmp_path / "marker").write_text("built")
    (tmp_path / "Dockerfile").write_text("FROM python:3.11\nCOPY marker /marker\n")
    ImageStore(home).build(tmp_path, image)
    assert bench.job(pipeline).state == SUCCESS
    assert bench.log(pipeline=pipeline) == ["built"]


def test_a_pipeline_that_wants_more_gpus_than_there_are_crashes(bench: Workbench) -> None:
    limits = pps.ResourceSpec(gpu=pps.GpuSpec(type="nvidia.com/gpu", number=64))
    pipeline = bench.pipeline(bench.repo(), "true", resource_limits=limits)
    assert "asks for 64 GPUs" in bench.crash_reason(pipeline)


def test_a_host_path_of_pod_patch_is_mounted(bench: Workbench, tmp_path: Path) -> None:
    (tmp_path / "shared").write_text("from the host")
    patch = [
        {
            "op": "add",
            "path": "/volumes/-",
            "value": {"name": "v", "hostpath": {"path": str(tmp_path), "type": "Directory"}},
        },
        {"op": "add", "path": "/containers/0/volumeMounts/-", "value": {"name": "v", "mountPath": "/determined_shared_fs"}},
    ]
    script = "cat /determined_shared_fs/shared; echo; echo back > /determined_shared_fs/written"
    pipeline = bench.pipeline(bench.repo(a="1"), script, pod_patch=json.dumps(patch))
    assert bench.job(pipeline).state == SUCCESS
    assert bench.log(pipeline=pipeline) == ["from the host"]
    assert (tmp_path / "written").read_text() == "back\n"


def test_defaults_fill_in_what_a_spec_leaves_out(bench: Workbench) -> None:
    project = pfs.Project(name=bench.name("project"))
    bench.client.pfs.create_project(project=project)
    bench.client.pfs.create_repo(repo=pfs.Repo(name="source", project=project))
    defaults = json.dumps({"createPipelineRequest": {"datumTries": "1", "description": "by default"}})
    bench.client.pps.set_project_defaults(project=project, project_defaults_json=defaults)
    written = spec("p", "source") | {"pipeline": {"name": "p", "project": {"name": project.name}}}
    create(bench, written)
    pipeline = pps.Pipeline(name="p", project=project)
    details = bench.client.pps.inspect_pipeline(pipeline=pipeline, details=True).details
    assert (details.datum_tries, details.description) == (1, "by default")
    changed = json.dumps({"createPipelineRequest": {"datumTries": "2"}})
    affected = bench.client.pps.set_project_defaults(project=project, project_defaults_json=changed, regenerate=True)
    assert [pipeline.name for pipeline in affected.affected_pipelines] == ["p"]
    info = bench.client.pps.inspect_pipeline(pipeline=pipeline, details=True)
    assert (info.version, info.details.datum_tries) == (2, 2)
    assert bench.client.pps.get_project_defaults(project=project).project_defaults_json == changed


def test_malformed_defaults_are_refused_with_the_field_named(bench: Workbench) -> None:
    with pytest.raises(grpc.RpcError, match=r'unknown field "createPipelineRequest\.datumTrys"'):
        bench.client.pps.set_cluster_defaults(cluster_defaults_json='{"createPipelineRequest": {"datumTrys": 1}}')


@pytest.mark.parametrize("call", ["render_template", "run_load_test_default", "run_pipeline", "query_loki"])
def test_calls_that_are_left_out_are_refused_by_name(bench: Workbench, call: str) -> None:
    with pytest.raises(grpc.RpcError) as refused:
        list(getattr(bench.client.pps, call)())
    assert refused.value.code() == grpc.StatusCode.UNIMPLEMENTED
    assert "is not supported by minipdk" in refused.value.details()
