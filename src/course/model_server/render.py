"""Render the templates for one framework.

In the path of a template ``server`` stands for the package's name; the suffix ``.jinja`` goes away. The framework's own
module, from `course.model_server.cores`, becomes the package's ``trainer/_core.py``; everything else is common to all.
"""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from course.labs.generator import finished
from course.profile import find_root

HERE = Path(__file__).parent
TEMPLATES = HERE / "template"


class FrameworkError(ValueError):
    """The framework is unknown or the folder is in use; the message lists the frameworks or names the folder."""


@dataclass(frozen=True)
class Framework:
    """The values in which the templates differ from framework to framework."""

    name: str
    """As in the names of the package and its core: ``sklearn``."""

    title: str
    """As its makers write it: ``scikit-learn``."""

    prefix: str
    """As in the names of classes: ``SKLearn``."""

    model_file: str
    requirements: tuple[str, ...]
    """The packages that the core imports; pinned as the course pins them."""

    @property
    def server(self) -> str:
        """The package's name."""
        return f"{self.name}server"


FRAMEWORKS = {
    framework.name: framework
    for framework in (
        Framework("sklearn", "scikit-learn", "SKLearn", "model.joblib", ("scikit-learn",)),
        Framework("pytorch", "PyTorch", "PyTorch", "model.pt", ("torch",)),
    )
}


def render(framework: str, folder: Path, *, keep_markers: bool = False) -> list[Path]:
    """Write the package for ``framework`` into ``folder``; return the files written.

    With ``keep_markers`` the answers stay marked, for the lab's generator. Raises FrameworkError for an unknown framework,
    and OSError if the folder cannot be written.
    """
    if framework not in FRAMEWORKS:
        raise FrameworkError(
            f"there is no framework {framework!r}: choose {' or '.join(FRAMEWORKS)}, "
            "or add one to FRAMEWORKS in render.py, with its module in cores"
        )
    chosen, root = FRAMEWORKS[framework], find_root()
    values = {"framework": chosen, "server": chosen.server, "pins": _pins(root, chosen)}
    templates = Environment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701  # the output is not HTML
    )
    files = {
        name.removesuffix(".jinja").replace("server", chosen.server): templates.get_template(name).render(values)
        for name in templates.list_templates()
    }
    files[f"{chosen.server}/trainer/_core.py"] = (HERE / "cores" / f"{framework}.py").read_text()
    for name, text in files.items():
        _write(folder / name, text if keep_markers else finished(text))
    shutil.copy(root / "sample-data" / "iris" / "iris.csv", folder / chosen.server / "trainer")
    (folder / f"run_{chosen.server}").chmod(0o755)
    return sorted(folder / name for name in [*files, f"{chosen.server}/trainer/iris.csv"])


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def _pins(root: Path, framework: Framework) -> list[str]:
    """The lines of the image's requirements: the course's own pins, so that nothing behaves differently in the image."""
    pinned = dict(re.findall(r"^([\w.-]+)==([\w.]+)", (root / "requirements.txt").read_text(), re.M))
    required = ("kserve", "numpy", *framework.requirements)
    if missing := [name for name in required if name not in pinned]:
        raise FrameworkError(f"requirements.txt pins no {' and no '.join(missing)}, which {framework.name} needs")
    return [f"{name}=={pinned[name]}" for name in required]
