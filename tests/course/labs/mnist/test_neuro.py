"""The tables that `neuro` prints are read; the texts here are its own. 1 s."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from course.checks import CheckError
from course.labs.mnist import neuro

STATUS = """\
 Job                     job-34341e14-0e12-4b38-b65c-173f0bbeb07a                    
 Name                    train-mnist                                                 
 Status                  {status}                                                   
 Image                   image:examples/mnist:train                                  
 Resources                Memory              4.3 GB                                 
                          Extended SHM space    True                                 
 TTY                     False                                                       
 Volumes                  /var/storage  storage:examples/mnist  READONLY             
                          /data         storage:data                                 
 Http URL                http://127.0.0.1:8094/jobs/train-mnist--user/               
 Http port               80                                                          
 Environment              MODEL_PATH  /var/storage/model.pkl                         
                          EMPTY                                                      
 Created                 6 minutes and 8 seconds ago                                 
"""  # noqa: W291
TAGS = "Tags for image://minipdk/course/default/examples/mnist\n\n  Tag    \n ━━━━━━━ \n  train  \n  seldon \n"
LISTING = "-m  4803113  2026-12-01 09:48:29  model.pkl\ndm        0  2026-12-01 08:52:42  old models\n"


@pytest.fixture
def prints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on the PATH for programs called neuro."""
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/usr/bin{os.pathsep}/bin")
    return tmp_path


def write(folder: Path, output: str, error: str = "", status: int = 0) -> None:
    """A program that prints this."""
    (folder / "output").write_text(output)
    (folder / "error").write_text(error)
    program = folder / "neuro"
    program.write_text(f"#!/bin/sh\ncat {folder}/output; cat {folder}/error >&2; exit {status}\n")
    program.chmod(0o755)


def test_a_jobs_status_is_read() -> None:
    job = neuro.read_job(STATUS.format(status="failed (OOMKilled)"))
    assert (job.status, job.reason, job.port, job.ended) == ("failed", "OOMKilled", "80", True)
    assert job.volumes == ("/var/storage storage:examples/mnist READONLY", "/data storage:data")
    assert job.variables == {"MODEL_PATH": "/var/storage/model.pkl", "EMPTY": ""}
    assert job.url == "http://127.0.0.1:8094/jobs/train-mnist--user/"
    assert not neuro.read_job(STATUS.format(status="running")).ended


def test_tags_and_files_are_read(prints: Path) -> None:
    write(prints, TAGS)
    assert neuro.tags("image:examples/mnist") == ["train", "seldon"]
    write(prints, LISTING)
    assert neuro.files("storage:examples/mnist") == {"model.pkl": 4803113, "old models": 0}


def test_missing_things_are_none(prints: Path) -> None:
    write(prints, "", 'ERROR: {"errors":[{"code":"NAME_UNKNOWN","message":"repository name is not known"}]}\n', 72)
    assert neuro.tags("image:examples/mnist") == []
    write(prints, "", "ERROR: cannot access storage://c/o/p/x: /o/p/x: no such file or directory\n", 72)
    assert neuro.files("storage:x") == {}
    write(prints, "", "ERROR: there is no job 'nope': `neuro ps -a` lists all\n", 72)
    assert neuro.job("nope") is None
    with pytest.raises(CheckError, match=r"the job nope is there\. Hint: run it in the cell above, with --name nope"):
        neuro.wait("nope", lambda _: True)


def test_another_failure_is_a_hint_in_the_clients_words(prints: Path) -> None:
    write(prints, "", "ERROR: User is not registered, run 'neuro login'.\n", 1)
    with pytest.raises(CheckError, match=r"`neuro config show` works\. Hint: ERROR: User is not registered"):
        neuro.ask("config", "show")


def test_without_the_program_the_remedy_is_named(prints: Path) -> None:
    with pytest.raises(CheckError, match="`make setup` installs it"):
        neuro.ask("config", "show")
