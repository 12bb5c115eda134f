"""The effect of each instruction of a Dockerfile on the image."""

from __future__ import annotations

import sys
import tarfile
from pathlib import Path

import pytest
from tests.conftest import wheel
from tests.minipdk.images.conftest import Build, Run

from minipdk.images import ImageStore
from minipdk.images.errors import DockerfileError, StepFailedError


def test_an_image_has_its_files_environment_command_and_working_folder(build: Build, run: Run, context: Path) -> None:
    (context / "app").mkdir()
    (context / "app/main.py").write_text("import os; print(os.getcwd(), os.environ['GREETING'])\n")
    image = build('WORKDIR /srv/app\nCOPY app .\nENV GREETING="good day"\nENTRYPOINT ["python"]\nCMD ["main.py"]')
    assert run(image) == "/srv/app good day"
    assert image.config.working_dir == "/srv/app"


def test_run_adds_a_package_to_the_environment_and_to_no_other_image(build: Build, run: Run, context: Path) -> None:
    name, content = wheel("six", "__version__ = '1.16.0'", "1.16.0")
    (context / name).write_bytes(content)
    image = build(f"COPY {name} /\nRUN pip install -q --no-index --no-deps /{name}")
    version = "python -c 'import six; print(six.__version__)'"
    assert run(image, version) == "1.16.0"
    assert run(build("RUN true", name="other"), version) == "1.17.0"


def test_requirements_that_the_environment_meets_add_no_layer(build: Build, context: Path) -> None:
    (context / "requirements.txt").write_text("numpy\n")
    image = build("COPY requirements.txt /\nRUN pip install -q -r /requirements.txt")
    assert len(image.layers) == 1


def test_deletions_and_replaced_folders_stay_so_in_the_layers_above(build: Build, run: Run) -> None:
    image = build(
        "RUN mkdir -p /a/b /c && touch /a/b/old /c/old\n"
        "RUN rm -r /a/b /usr/bin/env /etc/apt && mkdir /a/b /etc/apt && touch /a/b/new /etc/apt/new\n"
        "RUN rm /c/old"
    )
    assert run(image, "ls /a/b /c /etc/apt; test -e /usr/bin/env || echo gone").split() == [
        "/a/b:",
        "new",
        "/c:",
        "/etc/apt:",
        "new",
        "gone",
    ]
    assert Path("/usr/bin/env").exists()


def test_an_unchanged_build_runs_nothing_and_a_changed_file_only_later_steps(build: Build, run: Run, context: Path) -> None:
    text = "RUN date +%N > /first\nCOPY x /x\nRUN date +%N > /last"
    (context / "x").write_text("1")
    first = build(text)
    assert build(text).id == first.id
    (context / "x").write_text("2")
    second = build(text)
    assert run(first, "cat /first") == run(second, "cat /first")
    assert run(first, "cat /last") != run(second, "cat /last")


def test_progress_names_each_step_and_shows_its_output(build: Build) -> None:
    lines: list[str] = []
    build("RUN echo one; echo two >&2\nLABEL a=b", progress=lines.append)
    assert [line for line in lines if line.startswith("Step")] == [
        "Step 1/3 : FROM python:3.11",
        "Step 2/3 : RUN echo one; echo two >&2",
        "Step 3/3 : LABEL a=b",
    ]
    assert {"one", "two"} <= set(lines)
    assert any("stands for this environment's Python" in line for line in lines)


def test_a_failing_run_shows_its_line_and_its_last_output(build: Build, store: ImageStore, context: Path) -> None:
    with pytest.raises(StepFailedError) as error:
        build("ENV A=1\nRUN for i in $(seq 30); do echo line $i; done; exit 4")
    message = str(error.value)
    assert message.startswith(f"{context}/Dockerfile:3: RUN for i in")
    assert "ended with status 4" in message
    assert "line 30" in message
    assert "line 9\n" not in message
    assert list(store.home.folder("containers").iterdir()) == []


def test_a_failing_system_package_manager_names_the_alternative(build: Build) -> None:
    with pytest.raises(StepFailedError, match="this machine's own system packages"):
        build("RUN apt-get install --no-such-option")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ADD https://example.com/x /x", "Dockerfile:2: ADD: https://example.com/x: remote sources are not supported"),
        ("ADD git@github.com:a/b.git /x", "Dockerfile:2: ADD: git@github.com.* not supported"),
        ("ONBUILD RUN true", "Dockerfile:2: ONBUILD: ONBUILD is not supported by minipdk"),
        ("RUN --network=none true", "Dockerfile:2: RUN: --network is not supported"),
        ("RUN --mount=type=secret,id=x true", "Dockerfile:2: RUN: --mount=type=secret is not supported"),
        ("COPY --parents a b", "--parents is not supported"),
        ("COPY ../x /x", "Dockerfile:2: COPY: '../x' leads out of the build context"),
        ("COPY absent /x", "Dockerfile:2: COPY: no file of the build context .* matches 'absent'"),
        ("COPY Dockerfile", "needs at least one source and a destination"),
        ("COPY Dockerfile* .dockerignore /x", "must be a folder and end with /"),
        ("COPY --chmod=rwx Dockerfile /", "not an octal mode"),
        ("COPY Dockerfile /usr", None),
        ("COPY . /etc/passwd", "Dockerfile:2: COPY:"),
        ("ENV A", "ENV A must have a value"),
        ("ENV A=1 B", "'B' should look like NAME=VALUE"),
        ("ENV A='1", "not closed"),
        ("EXPOSE 99999", "not a port"),
        ("STOPSIGNAL SIGNOTHING", "not a signal"),
        ("SHELL /bin/bash", "JSON form"),
        ("USER stranger\nRUN true", "Dockerfile:3: RUN: unable to find user stranger"),
        ("COPY --from=nowhere /a /b", "image nowhere:latest is not here"),
        ("FROM fedora", "Dockerfile:1: FROM: image fedora:latest is not here.*known bases: python,"),
        ("FROM scratch", "scratch is not supported"),
        ("FROM --platform=windows/amd64 python", "--platform=windows/amd64 is not supported"),
        ("FROM Python", "not a valid image name"),
        ("FROM ${OPEN", "Dockerfile:1: FROM: .*not a variable|Dockerfile:1: FROM: .*unsupported form"),
        ("FROM python 3.11", "Dockerfile:1: FROM requires an image, or an image AS a name"),
        ("RUN true\nFROM python", "Dockerfile:1: RUN comes before the first FROM"),
        ("ARG FROMAGE=1", "there is no FROM"),
    ],
)
def test_an_instruction_that_is_wrong_or_unsupported_is_refused_with_its_line(
    build: Build, context: Path, text: str, message: str | None
) -> None:
    (context / ".dockerignore").write_text("")
    if message is None:
        build(text)
        return
    with pytest.raises(DockerfileError, match=message):
        build(text)


def test_a_missing_dockerfile_or_context_is_named(store: ImageStore, tmp_path: Path) -> None:
    with pytest.raises(DockerfileError, match="there is no Dockerfile at"):
        store.build(tmp_path, "x")
    with pytest.raises(DockerfileError, match="is not a folder"):
        store.build(tmp_path / "absent", "x")


def test_copy_puts_files_where_docker_would(build: Build, run: Run, context: Path) -> None:
    for name in ("a", "b", "tree/x", "tree/sub/y"):
        (context / name).parent.mkdir(parents=True, exist_ok=True)
        (context / name).write_text(name)
    image = build(
        "COPY a /named\nCOPY a /folder/\nCOPY a b /both/\nCOPY tree /tree\nCOPY tree/ /merged\nCOPY tree/sub /merged/\n"
        'COPY ["a", "/with blank"]\nWORKDIR /w\nCOPY a .\nCOPY a ./deep/er\nCOPY tr* /star/\nCOPY a /usr/share'
    )
    files = run(
        image, "cd /; find named folder both tree merged star w 'with blank' usr/share/a -type f | sort | tr '\\n' ' '"
    )
    assert files == (
        "both/a both/b folder/a merged/sub/y merged/x merged/y named star/sub/y star/x tree/sub/y tree/x "
        "usr/share/a w/a w/deep/er with blank"
    )


def test_copy_keeps_modes_and_symlinks_and_follows_symlinks_of_the_image(build: Build, run: Run, context: Path) -> None:
    (context / "tree").mkdir(mode=0o750)
    (context / "tree/run.sh").write_text("#!/bin/sh\necho ran\n")
    (context / "tree/run.sh").chmod(0o755)
    (context / "tree/link").symlink_to("run.sh")
    image = build("RUN mkdir /real && ln -s /real /alias\nCOPY tree /alias/tree\nCOPY --chmod=600 tree/run.sh /secret")
    assert run(image, "/real/tree/link; readlink /real/tree/link; stat -c %a /real/tree /secret") == "ran\nrun.sh\n750\n600"


def test_files_belong_to_the_user_of_the_image(build: Build, run: Run, context: Path) -> None:
    (context / "x").write_text("x")
    image = build("COPY --chown=1000:1000 x /data/x\nUSER 1000")
    assert run(image, "id -u; stat -c %u /data/x; echo y > /data/x && cat /data/x") == "1000\n1000\ny"


def test_dockerignore_keeps_files_out(build: Build, run: Run, context: Path) -> None:
    (context / "keep").touch()
    (context / "leave.log").touch()
    (context / ".dockerignore").write_text("*.log\n.dockerignore\nDockerfile\n")
    assert run(build("COPY . /all/"), "ls -A /all") == "keep"


def test_add_unpacks_a_local_archive_within_its_destination(build: Build, run: Run, context: Path) -> None:
    (context / "x").write_text("inside")
    with tarfile.open(context / "a.tar.gz", "w:gz") as archive:
        archive.add(context / "x", "deep/x")
    assert run(build("ADD a.tar.gz /to/\nCOPY a.tar.gz /kept"), "cat /to/deep/x; ls /kept") == "inside/kept"
    with tarfile.open(context / "a.tar.gz", "w:gz") as archive:
        archive.add(context / "x", "../../escaped")
    with pytest.raises(DockerfileError, match="outside the destination"):
        build("ADD a.tar.gz /to/")


def test_stages_copy_from_each_other_and_only_needed_stages_are_built(build: Build, run: Run) -> None:
    lines: list[str] = []
    image = build(
        "FROM python:3.11 AS base\nRUN echo shared > /shared\n"
        "FROM base AS maker\nRUN mkdir /out && echo made > /out/it && ln -s it /out/link\n"
        "FROM python:3.11 AS unused\nRUN exit 1\n"
        "FROM base\nCOPY --from=maker /out /in\nCOPY --from=1 /out/i* /by-number/",
        progress=lines.append,
    )
    assert run(image, "cat /shared /in/link /by-number/it; ls /out") == (
        "shared\nmade\nmade\nls: cannot access '/out': No such file or directory"
    )
    assert not any("exit 1" in line for line in lines)


def test_an_image_can_extend_another_and_copy_from_it(build: Build, run: Run) -> None:
    build("RUN echo below > /below\nENV A=1\nWORKDIR /w", name="lower:1")
    image = build("FROM lower:1\nRUN cat /below > /copy\nCOPY --from=lower:1 /below /again", name="upper")
    assert run(image, "cat /copy /again; pwd; echo $A") == "below\nbelow\n/w\n1"


def test_arguments_come_from_the_caller_the_default_or_before_the_first_from(build: Build, run: Run) -> None:
    text = (
        "ARG VERSION=3.11\nARG FLAVOUR=plain\nFROM python:${VERSION}\nARG FLAVOUR\nARG SIZE=small\nARG UNSET\n"
        "RUN echo $FLAVOUR $SIZE $UNSET $VERSION > /said\nENV KEPT=${SIZE:-none}"
    )
    image = build(text)
    assert run(image, "cat /said; echo $KEPT $SIZE") == "plain small\nsmall"
    assert run(build(text, arguments={"SIZE": "large"}), "cat /said; echo $KEPT") == "plain large\nlarge"


def test_env_overrides_an_argument_and_extends_the_path(build: Build, run: Run) -> None:
    image = build("ARG A=argument\nENV A=environment PATH=/mine:$PATH\nRUN echo $A > /said")
    assert run(image, "cat /said; echo $PATH").splitlines() == ["environment", f"/mine:{sys.prefix}/bin:" + SYSTEM_PATH]


SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def test_heredocs_are_scripts_input_and_files(build: Build, run: Run) -> None:
    image = build(
        "ENV NAME=world\nRUN <<EOF\nset -e\necho $NAME > /one\nEOF\n"
        "RUN python <<'EOF'\nprint('py', file=open('/two', 'w'))\nEOF\n"
        'COPY <<EOF <<"RAW" /files/\nhello $NAME\nEOF\nhello $NAME\nRAW\nSHELL ["/bin/bash", "-c"]\n'
        "RUN <<EOF\n[[ $NAME == w* ]] && echo bash > /three\nEOF"
    )
    assert run(image, "cat /one /two /files/EOF /files/RAW /three") == "world\npy\nhello world\nhello $NAME\nbash"


def test_a_script_with_its_own_interpreter_runs_in_it(build: Build, run: Run) -> None:
    image = build("RUN <<EOF\n#!/usr/bin/env python\nopen('/said', 'w').write('python')\nEOF")
    assert run(image, "cat /said") == "python"


def test_the_user_of_the_image_runs_its_steps(build: Build, run: Run) -> None:
    image = build("RUN mkdir -m 777 /open\nUSER 1234\nRUN id -u > /open/id\nUSER root\nRUN id -u >> /open/id")
    assert run(image, "cat /open/id; id -u") == "1234\n0\n0"


def test_metadata_is_kept(build: Build) -> None:
    config = build(
        'LABEL a=1 "b c"="d e"\nMAINTAINER me\nEXPOSE 8080 53/UDP\nVOLUME /data ["not json"]\nSTOPSIGNAL 2\nCMD echo $HOME'
    ).config
    assert config.labels == {"a": "1", "b c": "d e", "maintainer": "me"}
    assert config.exposed_ports == ["53/udp", "8080/tcp"]
    assert "/data" in config.volumes
    assert config.stop_signal == "SIGINT"
    assert config.cmd == ["/bin/sh", "-c", "echo $HOME"]


def test_entrypoint_drops_the_command_of_the_base(build: Build) -> None:
    build('CMD ["a"]', name="lower")
    assert build('FROM lower\nENTRYPOINT ["b"]').config.cmd == []


def test_a_cache_mount_outlives_the_step_and_is_not_in_the_image(build: Build, run: Run) -> None:
    image = build(
        "RUN --mount=type=cache,target=/cache echo x > /cache/x\nRUN --mount=type=cache,target=/cache cat /cache/x > /y"
    )
    assert run(image, "cat /y; ls -A /cache") == "x"
