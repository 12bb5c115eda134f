"""Carry out a Dockerfile: each RUN, COPY, ADD and WORKDIR becomes a layer, captured from a container's private layer.

A layer's name is a hash of its inputs (the layer below, the instruction, the variables it sees, the files it copies), so a
step that was built before, for any image, is used again.
"""

from __future__ import annotations

import functools
import hashlib
import json
import platform
import posixpath
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path

from minipdk.images import expansion, names, settings
from minipdk.images.context import Context
from minipdk.images.dockerfile import Instruction, read
from minipdk.images.errors import DockerfileError, ImageNameError, ImageNotFoundError, ImageStaleError, StepFailedError
from minipdk.images.image import Image, Progress
from minipdk.images.layers import LayerMaker, Placement, base_key, changes_anything
from minipdk.images.stages import Stage, Stages
from minipdk.sandbox import Mount
from minipdk.sandbox.errors import ContainerSpecError

_MACHINE = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
PLATFORM_ARGUMENTS = {
    f"{side}{part}": value
    for side in ("TARGET", "BUILD")
    for part, value in (("PLATFORM", f"linux/{_MACHINE}"), ("OS", "linux"), ("ARCH", _MACHINE))
}
PROXY_ARGUMENTS = frozenset(f"{kind}_PROXY" for kind in ("HTTP", "HTTPS", "FTP", "NO", "ALL"))
FLAGS = {
    "FROM": {"platform"},
    "COPY": {"from", "chown", "chmod", "link"},
    "ADD": {"chown", "chmod", "link"},
    "RUN": {"mount"},
}
SCRIPT = "/run/minipdk/script"
_REMOTE = re.compile(r"(https?|ftp|git|ssh)://|git@")


class Builder:
    """One build: of the Dockerfile ``dockerfile``, with the files of ``context``."""

    def __init__(
        self,
        resolve: Callable[[str], Image],
        maker: LayerMaker,
        context: Path,
        dockerfile: Path | None,
        progress: Progress,
        *,
        arguments: Mapping[str, str],
    ) -> None:
        if not context.is_dir():
            raise DockerfileError(f"the build context {context} is not a folder")
        path = dockerfile or context / "Dockerfile"
        self._file = read(path)
        self._context = Context(context, _ignore_file(context, path))
        self._resolve, self._maker, self._progress, self._given = resolve, maker, progress, dict(arguments)
        self._stages = Stages(self._file)
        self._global: dict[str, str] = {}
        self._used: set[str] = set()

    def build(self, name: str) -> Image:
        """The image, with its layers on disk. Raises BuildError."""
        for instruction in self._stages.first_arguments:
            self._checked(instruction, lambda arg: self._global.update(self._argument(arg, self._global, {})))
        needed = self._stages.needed(self._global)
        total, step = sum(len(stage.instructions) for stage in needed), 0
        for stage in needed:
            for instruction in stage.instructions:
                step += 1
                self._progress(f"Step {step}/{total} : {instruction}")
                self._carry_out(stage, instruction)
        if unknown := set(self._given) - self._used - PROXY_ARGUMENTS:
            self._progress(f"Build arguments that no ARG names: {', '.join(sorted(unknown))}")
        image = self._stages.last.image
        digest = _digest([layer.name for layer in image.layers], asdict(image.config), names.environment())
        return replace(image, name=name, id=digest)

    def _carry_out(self, stage: Stage, instruction: Instruction) -> None:
        steps = {
            "FROM": self._from,
            "ARG": self._arg,
            "RUN": self._run,
            "COPY": self._copy,
            "ADD": self._copy,
            "WORKDIR": self._workdir,
            "HEALTHCHECK": self._healthcheck,
            "ONBUILD": self._refuse,
        }
        step = steps.get(instruction.keyword, self._setting)
        self._checked(instruction, functools.partial(step, stage))

    def _checked(self, instruction: Instruction, step: Callable[[Instruction], None]) -> None:
        """Carry out ``step``; a failure names the file, the line and the instruction."""
        try:
            allowed = FLAGS.get(instruction.keyword, set())
            for flag, _ in instruction.flags:
                if flag not in allowed:
                    raise ValueError(f"--{flag} is not supported by minipdk")
            step(instruction)
        except (ValueError, ImageNameError, ImageNotFoundError, ImageStaleError, ContainerSpecError) as error:
            raise self._file.error(instruction.line, f"{instruction.keyword}: {error}") from error
        except StepFailedError as error:
            raise StepFailedError(f"{self._file.path}:{instruction.line}: {instruction}: {error}") from error

    def _from(self, stage: Stage, instruction: Instruction) -> None:
        flags = dict(instruction.flags)
        requested = expansion.expand(flags.get("platform") or "", PLATFORM_ARGUMENTS | self._global, self._file.escape)
        if requested not in ("", PLATFORM_ARGUMENTS["TARGETPLATFORM"]):
            raise ValueError(f"--platform={requested} is not supported by minipdk: images are for this machine's {_MACHINE}")
        reference = expansion.expand(instruction.text.split()[0], self._global, self._file.escape)
        if earlier := self._stages.find(reference, stage):
            stage.image, stage.key = earlier.image, earlier.key
            return
        if reference == "scratch":
            raise ValueError("scratch is not supported by minipdk: every image has the host's system below it")
        stage.image = self._resolve(reference)
        stage.key = _digest(base_key(), stage.image.id, [layer.name for layer in stage.image.layers])
        if not stage.image.layers and (base := names.stands_for(reference)):
            self._progress(f" ---> {reference} stands for {base}")

    def _arg(self, stage: Stage, instruction: Instruction) -> None:
        stage.arguments |= self._argument(instruction, stage.variables, self._global | PLATFORM_ARGUMENTS)

    def _argument(
        self, instruction: Instruction, variables: Mapping[str, str], inherited: Mapping[str, str]
    ) -> dict[str, str]:
        """The variables that an ARG sets: from the caller, else from its default, else from before the first FROM."""
        values = {}
        for part in expansion.split(instruction.text, self._file.escape):
            name, has_default, default = part.partition("=")
            self._used.add(name)
            if name in self._given:
                values[name] = self._given[name]
            elif has_default:
                values[name] = expansion.expand(default, {**variables, **values}, self._file.escape)
            elif name in inherited:
                values[name] = inherited[name]
        return values

    def _setting(self, stage: Stage, instruction: Instruction) -> None:
        config = settings.apply(instruction, stage.image.config, stage.variables, self._file.escape)
        stage.image = replace(stage.image, config=config)

    def _refuse(self, _stage: Stage, instruction: Instruction) -> None:
        raise ValueError(f"{instruction.keyword} is not supported by minipdk")

    def _healthcheck(self, _stage: Stage, _instruction: Instruction) -> None:
        self._progress(" ---> no effect, as on Kubernetes: pods have probes instead")

    def _workdir(self, stage: Stage, instruction: Instruction) -> None:
        path = expansion.expand(instruction.text, stage.variables, self._file.escape)
        path = posixpath.normpath(posixpath.join(stage.image.config.working_dir, path))
        stage.image = replace(stage.image, config=replace(stage.image.config, working_dir=path))
        if path != "/":
            self._layer(stage, ["WORKDIR", path], lambda: self._maker.fill(stage.image, folders=[path]))

    def _run(self, stage: Stage, instruction: Instruction) -> None:
        config, heredocs, script = stage.image.config, instruction.heredocs, None
        argv = settings.command(instruction, config)
        if len(heredocs) == 1 and len(expansion.split(instruction.text, self._file.escape)) == 1:
            script = heredocs[0].content  # RUN <<EOF: the inline file is the command
            argv = [SCRIPT] if script.startswith("#!") else [*config.shell, script]
        elif heredocs:
            argv = [
                *config.shell,
                "".join([f"{instruction.text}\n", *(f"{heredoc.content}{heredoc.name}\n" for heredoc in heredocs)]),
            ]
        caches = [_cache_mount(value, stage.variables) for flag, value in instruction.flags if flag == "mount"]
        arguments = {name: value for name, value in stage.arguments.items() if name not in config.env}

        def run() -> Path:
            with self._maker.scratch() as folder:
                (folder / "script").write_text(script or "")
                (folder / "script").chmod(0o755)
                mounts = [Mount(folder / "script", SCRIPT), *map(self._maker.cache, caches)]
                return self._maker.run(stage.image, argv, arguments, mounts, self._progress)

        made_from = [argv, script, config.env, arguments, config.user, config.working_dir, caches]
        self._layer(stage, ["RUN", *made_from], run)

    def _copy(self, stage: Stage, instruction: Instruction) -> None:
        parts = settings.expanded(instruction, stage.variables, self._file.escape)
        if len(parts) < 2:
            raise ValueError("needs at least one source and a destination")
        *patterns, target = parts
        flags = {
            name: expansion.expand(value or "", stage.variables, self._file.escape) for name, value in instruction.flags
        }
        placement = Placement(_target(target, stage), _mode(flags), extract=instruction.keyword == "ADD")
        if instruction.keyword == "ADD" and (remote := next(filter(_REMOTE.match, patterns), None)):
            raise ValueError(f"{remote}: remote sources are not supported by minipdk; download it and use COPY")
        if instruction.heredocs:
            self._copy_heredocs(stage, instruction, patterns, placement)
        elif "from" in flags:
            self._copy_from(stage, flags["from"], patterns, placement)
        else:
            self._copy_context(stage, self._context, patterns, placement, ["COPY"])

    def _copy_context(
        self, stage: Stage, context: Context, patterns: list[str], placement: Placement, made_from: list[object]
    ) -> None:
        sources = [source for pattern in patterns for source in context.select(pattern)]
        if len(sources) > 1 and not placement.target.endswith("/"):
            raise ValueError("with more than one source the destination must be a folder and end with /")
        made_from = [*made_from, asdict(placement), context.digest(sources)]
        self._layer(stage, made_from, lambda: self._maker.fill(stage.image, context.root, sources, placement))

    def _copy_heredocs(self, stage: Stage, instruction: Instruction, patterns: list[str], placement: Placement) -> None:
        if len(patterns) != len(instruction.heredocs):
            raise ValueError("inline files and files of the context cannot be mixed")
        with self._maker.scratch() as folder:
            for heredoc in instruction.heredocs:
                content = heredoc.content
                if heredoc.expand:
                    content = expansion.expand_variables(content, stage.variables, self._file.escape)
                (folder / heredoc.name).write_text(content)
            names_of_files = [heredoc.name for heredoc in instruction.heredocs]
            self._copy_context(stage, Context(folder), names_of_files, placement, ["COPY <<"])

    def _copy_from(self, stage: Stage, reference: str, patterns: list[str], placement: Placement) -> None:
        """COPY --from: first take the files out of the root of an earlier stage or another image."""
        earlier = self._stages.find(reference, stage)
        image = earlier.image if earlier else self._resolve(reference)
        key = earlier.key if earlier else _digest(base_key(), image.id)
        absolute = [posixpath.normpath(posixpath.join("/", pattern)) for pattern in patterns]

        def copy() -> Path:
            with self._maker.scratch() as folder:
                self._maker.export(image, absolute, folder)
                context = Context(folder)
                sources = [source for pattern in absolute for source in context.select(pattern)]
                return self._maker.fill(stage.image, context.root, sources, placement)

        self._layer(stage, ["COPY --from", key, absolute, asdict(placement)], copy)

    def _layer(self, stage: Stage, made_from: list[object], make: Callable[[], Path]) -> None:
        """Add the layer of one step to the stage: the layer that was made from the same inputs before, or a new one."""
        stage.key = _digest(stage.key, *made_from)
        layer = self._maker.layer(stage.key)
        if layer is None:
            layer = self._maker.keep(make(), stage.key)
        else:
            self._progress(" ---> Using cache")
        if any(layer.iterdir()) and changes_anything(layer):
            stage.image = replace(stage.image, layers=(*stage.image.layers, layer))


def _ignore_file(context: Path, dockerfile: Path) -> str:
    """The text of <Dockerfile>.dockerignore, else of the context's .dockerignore, else nothing."""
    for path in (dockerfile.with_name(f"{dockerfile.name}.dockerignore"), context / ".dockerignore"):
        if path.is_file():
            return path.read_text()
    return ""


def _target(path: str, stage: Stage) -> str:
    """The absolute destination; it is a folder if it ends with / or a dot."""
    joined = posixpath.join(stage.image.config.working_dir, path)
    is_folder = path.endswith("/") or posixpath.basename(path) in (".", "..")
    return posixpath.normpath(joined) + "/" * (is_folder and posixpath.normpath(joined) != "/")


def _mode(flags: Mapping[str, str]) -> int | None:
    mode = flags.get("chmod")
    if mode is None:
        return None
    if not re.fullmatch("[0-7]{3,4}", mode):
        raise ValueError(f"--chmod={mode} is not an octal mode such as 755")
    return int(mode, 8)


def _cache_mount(value: str | None, variables: Mapping[str, str]) -> str:
    """The target of ``--mount=type=cache,target=...``, the only supported kind of mount."""
    options = dict(part.partition("=")[::2] for part in expansion.expand(value or "", variables).split(","))
    kind = options.get("type", "bind")
    target = options.get("target") or options.get("dst") or options.get("destination") or ""
    if kind != "cache":
        raise ValueError(f"--mount=type={kind} is not supported by minipdk; type=cache is")
    if not target.startswith("/"):
        raise ValueError("--mount=type=cache needs target=/an/absolute/path")
    return posixpath.normpath(target)


def _digest(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
