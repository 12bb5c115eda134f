"""A commit on an input makes a job: datums, skipping, failure."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import timedelta

import grpc
import pytest
from pachyderm_sdk.api import pfs, pps
from tests.conftest import wait_for
from tests.minipdk.services.pachyderm.pipelines import IMAGE, Workbench

COPY = 'cp -r "/pfs/$SOURCE/." /pfs/out/'
SUCCESS, FAILURE, KILLED = pps.JobState.JOB_SUCCESS, pps.JobState.JOB_FAILURE, pps.JobState.JOB_KILLED


def copy_of(bench: Workbench, repo: str, **fields: object) -> pps.Pipeline:
    """A pipeline that copies each file of ``repo``."""
    return bench.pipeline(repo, f"cp /pfs/{repo}/* /pfs/out/", prefix="copy", **fields)


def test_a_commit_runs_the_pipeline_on_its_files(bench: Workbench) -> None:
    repo = bench.repo(a="one", b="two")
    pipeline = copy_of(bench, repo)
    job = bench.job(pipeline)
    assert (job.state, job.data_total, job.data_processed, job.data_skipped) == (SUCCESS, 2, 2, 0)
    assert bench.files(f"{pipeline.name}@master") == {"/a": "one", "/b": "two"}
    assert (job.stats.download_bytes, job.stats.upload_bytes) == (6, 6)
    assert job.created <= job.started <= job.finished
    assert job.stats.process_time.total_seconds() > 0


def test_a_job_has_the_id_of_the_commit_that_set_it_off(bench: Workbench) -> None:
    repo = bench.repo()
    pipeline = copy_of(bench, repo)
    bench.job(pipeline)
    commit = bench.commit(repo, {"a": "1"})
    job = bench.job(pipeline)
    assert job.job.id == job.output_commit.id == commit
    assert job.details.input.pfs.commit == commit


def test_a_pipeline_on_an_empty_repo_makes_a_job_without_datums(bench: Workbench) -> None:
    job = bench.job(copy_of(bench, bench.repo()))
    assert (job.state, job.data_total) == (SUCCESS, 0)


def test_unchanged_datums_are_skipped(bench: Workbench) -> None:
    repo = bench.repo(a="1", b="2")
    pipeline = copy_of(bench, repo)
    first = bench.job(pipeline)
    bench.commit(repo, {"b": "changed", "c": "3"})
    job = bench.job(pipeline)
    assert (job.data_processed, job.data_skipped, job.data_total) == (2, 1, 3)
    assert bench.files(f"{pipeline.name}@master") == {"/a": "1", "/b": "changed", "/c": "3"}
    states = {info.data[0].file.path: (info.state, info.datum.job.id) for info in bench.client.pps.list_datum(job=job.job)}
    assert states["/a"] == (pps.DatumState.SKIPPED, first.job.id)
    assert states["/c"] == (pps.DatumState.SUCCESS, job.job.id)


def test_the_output_of_a_vanished_datum_is_deleted(bench: Workbench) -> None:
    repo = bench.repo(a="1", b="2")
    pipeline = copy_of(bench, repo)
    bench.job(pipeline)
    bench.commit(repo, {"a": None})
    assert bench.job(pipeline).data_processed == 0
    assert bench.files(f"{pipeline.name}@master") == {"/b": "2"}


def test_the_old_output_of_a_changed_datum_is_deleted(bench: Workbench) -> None:
    repo = bench.repo(a="old")
    pipeline = bench.pipeline(repo, f'touch "/pfs/out/$(cat /pfs/{repo}/a)"')
    bench.job(pipeline)
    bench.commit(repo, {"a": "new"})
    bench.job(pipeline)
    assert set(bench.files(f"{pipeline.name}@master")) == {"/new"}


def test_pipelines_in_a_chain_share_one_commit_set(bench: Workbench) -> None:
    repo = bench.repo()
    first = copy_of(bench, repo)
    second = copy_of(bench, first.name)
    bench.job(second)
    commit = bench.commit(repo, {"a": "1"})
    jobs = list(bench.client.pps.inspect_job_set(job_set=pps.JobSet(id=commit), wait=True))
    assert [job.job.pipeline.name for job in jobs] == [first.name, second.name]
    assert bench.files(f"{second.name}@master") == {"/a": "1"}


def test_a_cross_runs_every_pair(bench: Workbench) -> None:
    """As the iris course's inference: every attribute file with the model."""
    attributes, model = bench.repo("attributes", one="1", two="2"), bench.repo("model", weights="w")
    node = pps.Input(
        cross=[pps.Input(pfs=pps.PfsInput(repo=attributes, glob="/*")), pps.Input(pfs=pps.PfsInput(repo=model, glob="/"))]
    )
    pipeline = bench.pipeline(node, f"cp /pfs/{attributes}/* /pfs/out/; cat /pfs/{model}/weights")
    job = bench.job(pipeline)
    assert (job.state, job.data_total) == (SUCCESS, 2)
    assert set(bench.files(f"{pipeline.name}@master")) == {"/one", "/two"}
    bench.commit(model, {"weights": "better"})
    assert bench.job(pipeline).data_processed == 2


def test_user_code_finds_the_whole_environment(bench: Workbench) -> None:
    repo = bench.repo(a="1")
    stdin = ["import json, os", "json.dump(dict(os.environ), open('/pfs/out/env', 'w'))"]
    transform = pps.Transform(image=IMAGE, cmd=["python3"], stdin=stdin, env={"MINE": "value"})
    pipeline = bench.pipeline(repo, transform=transform)
    job = bench.job(pipeline)
    environment = json.loads(bench.files(f"{pipeline.name}@master")["/env"])
    (datum,) = bench.client.pps.list_datum(job=job.job)
    info = bench.client.pps.inspect_pipeline(pipeline=pipeline)
    expected = {
        "MINE": "value",
        "PACH_JOB_ID": job.job.id,
        "PACH_OUTPUT_COMMIT_ID": job.job.id,
        "PACH_DATUM_ID": datum.datum.id,
        "PPS_PIPELINE_NAME": pipeline.name,
        "PPS_PROJECT_NAME": "default",
        "PPS_SPEC_COMMIT": info.spec_commit.id,
        "PACH_IN_WORKER": "true",
        repo: f"/pfs/{repo}/a",
    }
    assert expected.items() <= environment.items()
    assert {"PACHD_PEER_SERVICE_HOST", "PACHD_PEER_SERVICE_PORT", "PACH_TOKEN", f"{repo}_COMMIT"} <= set(environment)


def test_user_code_reaches_pachd_with_its_environment(bench: Workbench) -> None:
    repo = bench.repo(a="1")
    code = [
        "import os",
        "from pachyderm_sdk import Client",
        "print(Client.new_in_cluster(auth_token=os.environ['PACH_TOKEN']).get_version().major)",
    ]
    pipeline = bench.pipeline(repo, transform=pps.Transform(image=IMAGE, cmd=["python3", "-"], stdin=code))
    assert bench.job(pipeline).state == SUCCESS
    assert bench.log(pipeline=pipeline) == ["2"]


def test_user_code_may_change_and_move_its_inputs_without_touching_the_store(bench: Workbench) -> None:
    content = "precious" * 100_000  # more than PFS keeps in its database: a separate blob
    repo = bench.repo(a=content)
    pipeline = bench.pipeline(repo, f"echo more >> /pfs/{repo}/a; mv /pfs/{repo}/a /pfs/out/; touch /pfs/{repo}/scratch")
    assert bench.job(pipeline).state == SUCCESS
    assert bench.files(f"{repo}@master") == {"/a": content}
    assert bench.files(f"{pipeline.name}@master") == {"/a": content + "more\n"}


def test_small_public_images_run_the_machines_own_shell_and_no_image_means_ubuntu(bench: Workbench) -> None:
    repo = bench.repo(a="1")
    images = ["", "alpine:3.20", "docker.io/library/busybox", "bash:5", "debian:bookworm-slim", "ubuntu"]
    transforms = [pps.Transform(image=image, cmd=["sh"], stdin=[f"cp /pfs/{repo}/* /pfs/out/"]) for image in images]
    pipelines = [bench.pipeline(repo, transform=transform) for transform in transforms]
    for pipeline in pipelines:
        assert bench.job(pipeline).state == pps.JobState.JOB_SUCCESS
        assert bench.files(f"{pipeline.name}@master") == {"/a": "1"}
    unnamed = bench.client.pps.inspect_pipeline(pipeline=pipelines[0], details=True)
    assert unnamed.details.transform.image == "ubuntu:20.04"


def test_a_link_in_the_output_to_an_input_stands_for_the_file(bench: Workbench) -> None:
    repo = bench.repo(a="content")
    script = f"mkdir /pfs/out/deep; ln -s /pfs/{repo}/a /pfs/out/deep/b; ln -s /pfs/out/deep/b /pfs/out/c"
    pipeline = bench.pipeline(repo, script)
    job = bench.job(pipeline)
    assert (job.state, job.reason) == (SUCCESS, "")
    assert bench.files(f"{pipeline.name}@master") == {"/deep/b": "content", "/c": "content"}


def test_empty_files_have_names_only_and_links_to_them_mean_the_content(bench: Workbench) -> None:
    repo = bench.repo(a="content")
    node = pps.Input(pfs=pps.PfsInput(repo=repo, glob="/*", empty_files=True))
    pipeline = bench.pipeline(node, f"test ! -s /pfs/{repo}/a; ln -s /pfs/{repo}/a /pfs/out/shuffled")
    job = bench.job(pipeline)
    assert (job.state, job.stats.download_bytes) == (SUCCESS, 0)
    assert bench.files(f"{pipeline.name}@master") == {"/shuffled": "content"}


def test_links_in_the_output_are_followed_below_pfs(bench: Workbench) -> None:
    """Over further links and to folders; bytes of inputs count as not uploaded; named pipes are left out."""
    repo = bench.repo(**{"a": "content", "deep/b": "more"})
    pipeline = bench.pipeline(
        pps.Input(pfs=pps.PfsInput(repo=repo, glob="/")),
        f"ln -s /pfs/{repo}/a /pfs/out/file; ln -s /pfs/{repo}/deep /pfs/out/folder",
        "ln -s ./file /pfs/out/relative; ln -s ../../pfs/out/folder/b /pfs/out/far",
        "mkfifo /pfs/out/pipe; echo own > /pfs/out/own",
    )
    job = bench.job(pipeline)
    assert (job.state, job.reason) == (SUCCESS, "")
    assert bench.files(f"{pipeline.name}@master") == {
        "/far": "more",
        "/file": "content",
        "/folder/b": "more",
        "/own": "own\n",
        "/relative": "content",
    }
    assert job.stats.upload_bytes == 4


def test_links_in_the_output_are_followed_out_of_pfs(bench: Workbench) -> None:
    """Files that end with the container, folders with links in them, and links over links made elsewhere."""
    repo = bench.repo(a="content")
    pipeline = bench.pipeline(
        repo,
        "mkdir -p /made/deep; echo made > /made/deep/file; ln -s deep/file /made/near; ln -s /made/deep /made/folder",
        f"mkfifo /made/deep/pipe; ln -s /pfs/{repo}/a /made/input",
        "ln -s /made/deep/file /pfs/out/file; ln -s /made /pfs/out/tree; ln -s /made/input /pfs/out/input",
        "touch /pfs/out/file.settled /pfs/out/.file",
    )
    job = bench.job(pipeline)
    assert (job.state, job.reason) == (SUCCESS, "")
    assert bench.files(f"{pipeline.name}@master") == {
        "/.file": "",
        "/file": "made\n",
        "/file.settled": "",
        "/input": "content",
        "/tree/deep/file": "made\n",
        "/tree/folder/file": "made\n",
        "/tree/input": "content",
        "/tree/near": "made\n",
    }
    assert job.stats.upload_bytes == 4 * len("made\n") + len("content")  # /input is a link to an input still


@pytest.mark.parametrize(
    "link",
    ["/pfs/out/link", "/absent", "/proc/self/status", "/made"],
    ids=["circle", "nowhere", "kernel", "circle in a folder"],
)
def test_a_link_that_leads_in_a_circle_or_nowhere_fails_the_datum(bench: Workbench, link: str) -> None:
    script = f"mkdir /made; ln -s . /made/up; ln -s {link} /pfs/out/link"
    job = bench.job(bench.pipeline(bench.repo(a="1"), script, datum_tries=1))
    assert job.state == FAILURE
    assert "what it wrote to /pfs/out could not be stored: the symbolic link" in job.reason


def test_a_failed_datum_fails_the_job_and_says_why(bench: Workbench) -> None:
    repo = bench.repo(good="1", bad="2")
    script = f'cp /pfs/{repo}/* /pfs/out/; [ ! -e /pfs/{repo}/bad ] || {{ echo "no such column: churn" >&2; exit 3; }}'
    pipeline = bench.pipeline(repo, script, datum_tries=2)
    job = bench.job(pipeline)
    failed = [info for info in bench.client.pps.list_datum(job=job.job) if info.state == pps.DatumState.FAILED]
    assert (job.state, job.data_processed, job.data_failed) == (FAILURE, 1, 1)
    assert job.reason == f"datum {failed[0].datum.id} failed: exit status 3; its last line was: no such column: churn"
    assert bench.log(pipeline=pipeline).count("no such column: churn") == 2


def test_a_job_downstream_of_a_failed_one_is_unrunnable(bench: Workbench) -> None:
    repo = bench.repo(a="1")
    first = bench.pipeline(repo, "exit 1", datum_tries=1)
    bench.job(first)
    second = copy_of(bench, first.name)
    job = bench.job(second)
    assert job.state == pps.JobState.JOB_UNRUNNABLE
    assert job.reason == f"unrunnable because the following upstream pipelines failed: {first.name}"


def test_the_next_commit_fixes_a_failed_job(bench: Workbench) -> None:
    repo = bench.repo(a="bad")
    pipeline = bench.pipeline(repo, f"grep -q good /pfs/{repo}/a", datum_tries=1)
    assert bench.job(pipeline).state == FAILURE
    bench.commit(repo, {"a": "good"})
    assert bench.job(pipeline).state == SUCCESS


def test_a_pipeline_without_a_command_fails_and_says_so(bench: Workbench) -> None:
    pipeline = bench.pipeline(bench.repo(a="1"), transform=pps.Transform(image=IMAGE), datum_tries=1)
    job = bench.job(pipeline)
    assert (job.state, job.reason) == (pps.JobState.JOB_KILLED, "nothing to run: no transform.cmd")
    info = bench.client.pps.inspect_pipeline(pipeline=pipeline, details=True)
    assert (info.state, info.reason) == (pps.PipelineState.PIPELINE_FAILURE, "nothing to run: no transform.cmd")
    bench.client.pps.create_pipeline(
        pipeline=pipeline,
        transform=pps.Transform(image=IMAGE, cmd=["true"]),
        input=info.details.input,
        update=True,
    )
    assert bench.job(pipeline).state == SUCCESS


def test_the_reason_of_a_failure_is_the_last_line_that_says_something(bench: Workbench) -> None:
    script = """printf 'ValueError: no column\\n\\n   ^^^\\n"\\n'; exit 1"""
    job = bench.job(bench.pipeline(bench.repo(a="1"), script, datum_tries=1))
    assert job.reason.endswith("its last line was: ValueError: no column")


def test_an_accepted_return_code_is_success(bench: Workbench) -> None:
    repo = bench.repo(a="1")
    transform = pps.Transform(image=IMAGE, cmd=["sh", "-c", "exit 7"], accept_return_code=[7])
    assert bench.job(bench.pipeline(repo, transform=transform)).state == SUCCESS


def test_a_datum_whose_error_command_succeeds_is_recovered(bench: Workbench) -> None:
    repo = bench.repo(a="1")
    transform = pps.Transform(image=IMAGE, cmd=["false"], err_cmd=["sh"], err_stdin=["echo handled"])
    pipeline = bench.pipeline(repo, transform=transform, datum_tries=1)
    job = bench.job(pipeline)
    assert (job.state, job.data_recovered, job.data_processed) == (SUCCESS, 1, 0)
    assert bench.log(job=job.job) == ["handled"]
    bench.commit(repo, {"b": "1"})
    assert bench.job(pipeline).data_skipped == 0


def test_a_datum_that_takes_too_long_fails(bench: Workbench) -> None:
    repo = bench.repo(a="1")
    pipeline = bench.pipeline(repo, "sleep 60", datum_timeout=timedelta(seconds=0.3), datum_tries=1)
    job = bench.job(pipeline)
    assert job.state == FAILURE
    assert "it ran longer than the datum_timeout of 0.3s" in job.reason


def test_a_job_that_takes_too_long_is_killed(bench: Workbench) -> None:
    repo = bench.repo(a="1")
    job = bench.job(bench.pipeline(repo, "sleep 60", job_timeout=timedelta(seconds=0.3)))
    assert (job.state, job.reason) == (KILLED, "job timed out")


def test_workers_really_work_side_by_side(bench: Workbench) -> None:
    """Each of three datums waits for the two others: only three workers together get through."""
    repo = bench.repo(a="1", b="1", c="1")
    meeting = bench.repo("meeting")
    code = [
        "import os, time",
        "from pachyderm_sdk import Client",
        "from pachyderm_sdk.api import pfs",
        "client = Client.new_in_cluster(auth_token=os.environ['PACH_TOKEN'])",
        f"branch = pfs.Branch.from_uri('{meeting}@' + os.environ['PACH_DATUM_ID'][:12])",
        "client.pfs.create_branch(branch=branch)",
        f"while len(list(client.pfs.list_branch(repo=pfs.Repo.from_uri('{meeting}')))) < 3: time.sleep(0.05)",
    ]
    transform = pps.Transform(image=IMAGE, cmd=["python3", "-"], stdin=code)
    pipeline = bench.pipeline(repo, transform=transform, parallelism_spec=pps.ParallelismSpec(constant=3))
    job = bench.job(pipeline)
    assert (job.state, job.reason) == (SUCCESS, "")


def test_two_datums_that_write_one_path_fail_the_job(bench: Workbench) -> None:
    repo = bench.repo(a="1", b="2")
    job = bench.job(bench.pipeline(repo, "echo > /pfs/out/same"))
    assert job.state == FAILURE
    assert "/same" in job.reason


def test_a_name_that_pfs_cannot_hold_fails_the_datum(bench: Workbench) -> None:
    repo = bench.repo(a="1")
    job = bench.job(bench.pipeline(repo, "touch '/pfs/out/a*b'", datum_tries=1))
    assert job.state == FAILURE
    assert "could not be stored: path (/a*b) invalid" in job.reason


def test_a_container_that_writes_elsewhere_changes_nothing_outside(bench: Workbench) -> None:
    repo = bench.repo(a="1", b="2")
    script = "test ! -e /tmp/marker; touch /tmp/marker /usr/marker"
    assert bench.job(bench.pipeline(repo, script, datum_tries=1)).state == SUCCESS


def test_stopping_a_job_kills_it_and_its_containers(bench: Workbench) -> None:
    repo = bench.repo(a="1")
    pipeline = bench.pipeline(repo, "echo started; sleep 600")
    lines = bench.client.pps.get_logs(pipeline=pipeline, follow=True)
    assert any(line.message == "started" for line in lines)
    (running,) = bench.client.pps.list_job(pipeline=pipeline, details=True)
    assert running.state == pps.JobState.JOB_RUNNING
    assert running.details.worker_status[0].datum_status.data[0].path == "/a"
    bench.client.pps.stop_job(job=running.job, reason="enough")
    job = bench.client.pps.inspect_job(job=running.job, wait=True)
    assert (job.state, job.reason) == (KILLED, "enough")
    bench.commit(repo, {"a": None})
    assert bench.job(pipeline).state == SUCCESS


def test_a_restarted_datum_is_tried_again(bench: Workbench) -> None:
    repo = bench.repo(a="1")
    counter = bench.repo("counter")
    code = [
        "import os, time",
        "from pachyderm_sdk import Client",
        "from pachyderm_sdk.api import pfs",
        "client = Client.new_in_cluster(auth_token=os.environ['PACH_TOKEN'])",
        f"tried = client.pfs.branch_exists(pfs.Branch.from_uri('{counter}@tried'))",
        f"client.pfs.create_branch(branch=pfs.Branch.from_uri('{counter}@tried'))",
        "print('again' if tried else 'first', flush=True)",
        "time.sleep(0 if tried else 600)",
    ]
    pipeline = bench.pipeline(repo, transform=pps.Transform(image=IMAGE, cmd=["python3", "-"], stdin=code))
    wait_for(lambda: bench.log(pipeline=pipeline) == ["first"], what="the first try")
    (running,) = bench.client.pps.list_job(pipeline=pipeline)
    with pytest.raises(grpc.RpcError, match="could not be found for job ID"):
        bench.client.pps.restart_datum(job=running.job, data_filters=["/nowhere"])
    bench.client.pps.restart_datum(job=running.job, data_filters=["/a"])
    assert bench.job(pipeline).state == SUCCESS
    assert bench.log(pipeline=pipeline) == ["first", "again"]


def test_a_deleted_job_is_gone(bench: Workbench) -> None:
    pipeline = copy_of(bench, bench.repo(a="1"))
    job = bench.job(pipeline).job
    bench.client.pps.delete_job(job=job)
    assert not bench.client.pps.job_exists(job)


def test_a_datum_outlives_the_job_that_ran_it_while_later_jobs_build_on_it(bench: Workbench) -> None:
    repo = bench.repo(a="1")
    pipeline = copy_of(bench, repo)
    first = bench.job(pipeline).job
    bench.commit(repo, {"b": "2"})
    bench.job(pipeline)
    bench.client.pps.delete_job(job=first)
    bench.commit(repo, {"c": "3"})
    job = bench.job(pipeline)
    assert (job.data_skipped, job.data_processed) == (2, 1)
    assert bench.files(f"{pipeline.name}@master") == {"/a": "1", "/b": "2", "/c": "3"}


def test_subscribers_receive_jobs_as_they_appear(bench: Workbench) -> None:
    repo = bench.repo()
    pipeline = bench.pipeline(repo, "sleep 0.2")
    bench.job(pipeline)
    stream: Iterator[pps.JobInfo] = bench.client.pps.subscribe_job(pipeline=pipeline)
    received: list[str] = []
    thread = threading.Thread(target=lambda: received.append(next(stream).job.id))
    thread.start()
    commit = bench.commit(repo, {"a": "1"})
    thread.join(10)
    assert received == [commit]


def test_jobs_can_be_listed_in_parts(bench: Workbench) -> None:
    repo = bench.repo()
    pipeline = copy_of(bench, repo)
    ids = [bench.job(pipeline).job.id]
    ids += [bench.commit(repo, {name: name}) for name in "abc"]
    bench.job(pipeline)

    def listed(**filters: object) -> list[str]:
        return [info.job.id for info in bench.client.pps.list_job(pipeline=pipeline, **filters)]

    assert listed() == ids[::-1]
    assert listed(reverse=True) == ids
    assert listed(number=2) == ids[:1:-1]
    marker = bench.client.pps.inspect_job(job=pps.Job(pipeline=pipeline, id=ids[2])).created
    assert listed(pagination_marker=marker) == ids[1::-1]
    assert listed(pagination_marker=marker, reverse=True) == ids[3:]


def test_the_datums_of_an_input_can_be_had_without_a_pipeline(bench: Workbench) -> None:
    repo = bench.repo(**{f"file{number}": "x" for number in range(23)})
    node = pps.Input(pfs=pps.PfsInput(repo=repo, glob="/*"))
    assert len(list(bench.client.pps.list_datum(input=node))) == 23
    batches = bench.client.pps.generate_datums(input_spec=node, batch_size=10)
    assert [len(next(batches)), len(batches.send(5)), len(batches.send(20))] == [10, 5, 8]
    with pytest.raises(StopIteration):
        next(batches)


def test_log_lines_can_be_filtered(bench: Workbench) -> None:
    repo = bench.repo(a="1", b="2")
    pipeline = bench.pipeline(repo, f"cat /pfs/{repo}/*; echo; echo done")
    job = bench.job(pipeline)
    datums = {info.data[0].file.path: info.datum for info in bench.client.pps.list_datum(job=job.job)}
    assert sorted(bench.log(pipeline=pipeline)) == ["1", "2", "done", "done"]
    assert bench.log(job=job.job, datum=datums["/a"]) == ["1", "done"]
    assert bench.log(job=job.job, data_filters=["/b"]) == ["2", "done"]
    assert len(list(bench.client.pps.get_logs(job=job.job, datum=datums["/a"], tail=1))) == 1
    assert bench.log(pipeline=pipeline, since=timedelta(hours=1)) == bench.log(pipeline=pipeline)
    assert bench.log(pipeline=pipeline, since=timedelta(microseconds=1)) == []
    line = next(line for line in bench.client.pps.get_logs(job=job.job, datum=datums["/a"]) if line.user)
    assert (line.pipeline_name, line.project_name, line.job_id) == (pipeline.name, "default", job.job.id)
    assert line.data[0].path == "/a"
    assert [line.message for line in bench.client.pps.get_logs(job=job.job, master=True)][
        -1
    ] == "job successful, closing commits"


def test_a_job_waits_until_its_input_is_finished(bench: Workbench) -> None:
    repo = bench.repo()
    pipeline = copy_of(bench, repo)
    bench.job(pipeline)
    open_commit = bench.client.pfs.start_commit(branch=pfs.Branch.from_uri(f"{repo}@master"))
    job = pps.Job(pipeline=pipeline, id=open_commit.id)
    starting = pps.JobState.JOB_STARTING
    wait_for(lambda: bench.client.pps.inspect_job(job=job).state == starting, what="the job to wait for its input")
    bench.client.pfs.finish_commit(commit=open_commit)
    assert bench.client.pps.inspect_job(job=job, wait=True).state == SUCCESS
