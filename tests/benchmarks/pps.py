"""The latency of pipelines: from the end of a commit to the first line of user code, and one datum more in a done pipeline.

Run it as a script: ``python tests/benchmarks/pps.py [number of datums] [batched]``. It starts a
separate pachd. With ``batched`` the pipeline of many datums has datum batching: one container for a set of datums.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from pachyderm_sdk import Client
from pachyderm_sdk.api import pfs, pps

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from tests.conftest import new_home, wait_for  # noqa: E402

from minipdk.common.home import Home  # noqa: E402
from minipdk.common.ports import HOST, is_listening  # noqa: E402

RUNS = 20
BATCHED = """
import os, shutil
from pachyderm_sdk import batch_all_datums

@batch_all_datums
def copy():
    shutil.copy(os.environ["many-source"], "/pfs/out/")

copy()
"""
say = sys.stdout.write


def commit(client: Client, repo: str, names: list[str]) -> float:
    """Commit small files; when the commit was finished, in seconds since 1970."""
    with client.pfs.commit(branch=pfs.Branch.from_uri(f"{repo}@master")) as transaction:
        for name in names:
            transaction.put_file_from_bytes(path=f"/{name}", data=name.encode())
    return time.time()


def job(client: Client, pipeline: pps.Pipeline) -> pps.JobInfo:
    newest = next(iter(client.pps.list_job(pipeline=pipeline)))
    done = client.pps.inspect_job(job=newest.job, wait=True)
    if done.state != pps.JobState.JOB_SUCCESS:
        sys.exit(f"a job ended in {pps.JobState(done.state).name}: {done.reason}")
    return done


def make(client: Client, name: str, command: list[str], script: str, *, batched: bool = False) -> pps.Pipeline:
    client.pfs.create_repo(repo=pfs.Repo(name=f"{name}-source"))
    pipeline = pps.Pipeline(name=name)
    client.pps.create_pipeline(
        pipeline=pipeline,
        transform=pps.Transform(image="python:3.11", cmd=command, stdin=script.splitlines(), datum_batching=batched),
        input=pps.Input(pfs=pps.PfsInput(repo=f"{name}-source", glob="/*")),
        parallelism_spec=pps.ParallelismSpec(constant=2),
    )
    job(client, pipeline)
    return pipeline


def commit_to_user_code(client: Client) -> None:
    pipeline = make(client, "latency", ["sh"], "date +%s.%N")
    waits, whole = [], []
    for number in range(RUNS):
        finished = commit(client, "latency-source", [f"file{number}"])
        done = job(client, pipeline)
        whole.append(time.time() - finished)
        (line,) = [line for line in client.pps.get_logs(job=done.job) if line.user]
        waits.append(float(line.message) - finished)
    for what, values in (("commit to user code", waits), ("commit to job done", whole)):
        say(f"{what}: median {statistics.median(values) * 1000:.0f} ms, worst of {RUNS} {max(values) * 1000:.0f} ms\n")


def one_datum_more(client: Client, count: int, *, batched: bool) -> None:
    command, script = (["python3", "-"], BATCHED) if batched else (["sh"], "cp /pfs/many-source/* /pfs/out/")
    pipeline = make(client, "many", command, script, batched=batched)
    began = commit(client, "many-source", [f"file{number:06}" for number in range(count)])
    done = job(client, pipeline)
    took = time.time() - began
    say(f"{count} datums on 2 workers: {took:.1f} s, {count / took:.0f} a second ({done.data_processed} processed)\n")
    finished = commit(client, "many-source", ["one-more"])
    done = job(client, pipeline)
    say(
        f"datum {count + 1}: {time.time() - finished:.2f} s ({done.data_skipped} skipped, {done.data_processed} processed)\n"
    )


def run(home: Home, count: int, *, batched: bool) -> None:
    client = Client(host=HOST, port=home.port("pachd"), auth_token=home.token)
    commit_to_user_code(client)
    one_datum_more(client, count, batched=batched)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        home = new_home(Path(folder) / "home")
        command = [sys.executable, "-m", "minipdk.services.pachyderm.server", "--home", str(home.path)]
        with home.log_file("pachyderm").open("wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            wait_for(lambda: is_listening(home.port("s3")), what="pachd")
            numbers = [int(argument) for argument in sys.argv[1:] if argument.isdecimal()]
            run(home, numbers[0] if numbers else 1000, batched="batched" in sys.argv)
        finally:
            process.terminate()
            process.wait()


if __name__ == "__main__":
    main()
