"""The stages of a Dockerfile: their instructions, the stages they depend on, and the state of each during a build."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from minipdk.images import expansion
from minipdk.images.dockerfile import Dockerfile, Instruction
from minipdk.images.errors import DockerfileError
from minipdk.images.image import Image
from minipdk.sandbox.host import search_path


@dataclass
class Stage:
    """A build stage and its state: the image so far, the key of its top layer, and its build arguments."""

    instructions: list[Instruction]
    name: str = ""
    image: Image = field(default_factory=lambda: Image("scratch", ""))
    key: str = ""
    arguments: dict[str, str] = field(default_factory=dict)

    @property
    def variables(self) -> dict[str, str]:
        """The values of variables in instructions: build arguments, overridden by ENV, as in Docker."""
        return {"PATH": search_path(), **self.arguments, **self.image.config.env}


class Stages:
    """The stages of ``dockerfile``, in its order, and the ARGs that come before the first."""

    def __init__(self, dockerfile: Dockerfile) -> None:
        self._file = dockerfile
        self.all: list[Stage] = []
        self.first_arguments: list[Instruction] = []
        for instruction in dockerfile.instructions:
            if instruction.keyword == "FROM":
                self.all.append(Stage([instruction], _name(dockerfile, instruction)))
            elif self.all:
                self.all[-1].instructions.append(instruction)
            elif instruction.keyword == "ARG":
                self.first_arguments.append(instruction)
            else:
                raise dockerfile.error(instruction.line, f"{instruction.keyword} comes before the first FROM")
        if not self.all:
            raise DockerfileError(f"{dockerfile.path}: there is no FROM")

    @property
    def last(self) -> Stage:
        return self.all[-1]

    def find(self, reference: str, before: Stage) -> Stage | None:
        """The stage called or numbered ``reference`` among the stages before ``before``."""
        earlier = self.all[: self.all.index(before)]
        if reference.isdecimal() and int(reference) < len(earlier):
            return earlier[int(reference)]
        return next((stage for stage in reversed(earlier) if stage.name and stage.name == reference.lower()), None)

    def needed(self, variables: Mapping[str, str]) -> list[Stage]:
        """The stages that the last one is made from, itself included, in the order of the file."""
        needed, waiting = [], [self.last]
        while waiting:
            stage = waiting.pop()
            if stage in needed:
                continue
            needed.append(stage)
            references = (self._reference(instruction, variables) for instruction in stage.instructions)
            waiting.extend(earlier for reference in references if (earlier := self.find(reference, stage)))
        return [stage for stage in self.all if stage in needed]

    def _reference(self, instruction: Instruction, variables: Mapping[str, str]) -> str:
        """The stage or image that FROM or COPY --from names; empty for other instructions."""
        reference = dict(instruction.flags).get("from") if instruction.keyword == "COPY" else None
        if instruction.keyword == "FROM":
            reference = instruction.text.split()[0]
        try:
            return expansion.expand(reference or "", variables, self._file.escape)
        except expansion.ExpansionError as error:
            raise self._file.error(instruction.line, f"{instruction.keyword}: {error}") from error


def _name(dockerfile: Dockerfile, instruction: Instruction) -> str:
    """The stage's name, from ``AS``; empty if it has none."""
    parts = instruction.text.split()
    if len(parts) == 1:
        return ""
    if len(parts) != 3 or parts[1].upper() != "AS":
        raise dockerfile.error(instruction.line, "FROM requires an image, or an image AS a name")
    return parts[2].lower()
