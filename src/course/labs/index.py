"""Read labs.toml, the index of labs: which labs there are, how long they take, and which images they need."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any

from course.profile import find_root

FILE = "labs.toml"


class LabError(ValueError):
    """A lab is unknown or its entry in labs.toml is wrong; the message names the lab and the field."""


@dataclass(frozen=True)
class Image:
    """An image of the course: the folder of its Dockerfile, relative to the repository's root, and its name."""

    folder: str
    tag: str


@dataclass(frozen=True, kw_only=True)
class Lab:
    """A lab's entry in labs.toml, which describes each field. Paths are relative to the repository's root."""

    name: str
    title: str
    summary: str
    minutes: int
    environment: str
    solution: str
    notebook: str = ""
    target: str = ""
    project: str = ""
    images: tuple[Image, ...] = field(default=())


@dataclass(frozen=True)
class Index:
    """All labs in the order of labs.toml, and the images of the numbered notebooks."""

    labs: tuple[Lab, ...]
    walkthrough_images: tuple[Image, ...]

    def lab(self, name: str) -> Lab:
        """The lab called ``name``. Raises LabError, which lists the names, if there is none."""
        for lab in self.labs:
            if lab.name == name:
                return lab
        raise LabError(f"there is no lab {name!r}: choose one of {', '.join(lab.name for lab in self.labs)}")

    @property
    def images(self) -> tuple[Image, ...]:
        """Every image of the course, each listed once."""
        images = [*self.walkthrough_images, *(image for lab in self.labs for image in lab.images)]
        return tuple(dict.fromkeys(images))

    @property
    def runnable(self) -> tuple[Lab, ...]:
        """The labs whose solution is a notebook."""
        return tuple(lab for lab in self.labs if lab.notebook)

    def mismatches(self, root: Path) -> Iterator[str]:
        """A sentence for each difference between the entries and the files below ``root``."""
        names = {lab.name for lab in self.labs}
        for parent in ("solutions", "labs"):
            folders = {path.name for path in (root / parent).glob("[!._]*") if path.is_dir()}
            yield from (f"{parent}/{name} has no entry in {FILE}: add [labs.{name}]" for name in sorted(folders - names))
            yield from (f"{FILE} has the lab {name}, but there is no {parent}/{name}" for name in sorted(names - folders))
        for lab in self.labs:
            for path in filter(None, (lab.solution, lab.notebook)):
                if lab.name not in Path(path).parts:
                    yield f"{FILE}, lab {lab.name}: {path} is outside the lab's folder"
                elif not (root / path).exists():
                    yield f"{FILE}, lab {lab.name}: there is no {path}"
        for image in self.images:
            if not (root / image.folder / "Dockerfile").exists():
                yield f"{FILE}: the image {image.tag} needs {image.folder}/Dockerfile"


def load(root: Path | None = None) -> Index:
    """Read labs.toml in ``root``, by default the repository's. Raises LabError."""
    path = (root or find_root()) / FILE
    try:
        content = tomllib.loads(path.read_text())
    except (FileNotFoundError, tomllib.TOMLDecodeError) as error:
        raise LabError(f"{path}: {error}") from None
    labs = tuple(_lab(name, entry) for name, entry in content.get("labs", {}).items())
    return Index(labs, _images("walkthrough", content.get("walkthrough", {}).get("images", {})))


def _lab(name: str, entry: dict[str, Any]) -> Lab:
    known = {attribute.name: attribute for attribute in fields(Lab) if attribute.name != "name"}
    if unknown := sorted(entry.keys() - known.keys()):
        raise LabError(f"{FILE}, lab {name}: unknown field {', '.join(unknown)}")
    required = [key for key, attribute in known.items() if attribute.default is MISSING]
    if missing := [key for key in required if key not in entry]:
        raise LabError(f"{FILE}, lab {name}: {', '.join(missing)} is missing")
    for key in sorted(entry.keys() - {"images"}):
        expected = int if key == "minutes" else str
        if type(entry[key]) is not expected:
            raise LabError(f"{FILE}, lab {name}: {key} is {entry[key]!r}, not {expected.__name__}")
    return Lab(**entry | {"name": name, "images": _images(name, entry.get("images", {}))})


def _images(name: str, entry: dict[str, Any]) -> tuple[Image, ...]:
    if not isinstance(entry, dict) or not all(isinstance(tag, str) for tag in entry.values()):
        raise LabError(f"{FILE}, {name}: images is a table of folders and image names")
    return tuple(Image(f"containers/{folder}", tag) for folder, tag in entry.items())
