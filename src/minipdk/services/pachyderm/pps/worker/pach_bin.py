"""pachctl in a pipeline's containers: in /pach-bin, last on PATH, as Pachyderm's worker does for every image.

The command brings its modules along, so that it works with any Python packages in the image.
"""

from __future__ import annotations

import functools
import importlib.util
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path

from minipdk.common.home import Home
from minipdk.sandbox import Mount
from minipdk.sandbox.host import search_path

FOLDER = "/pach-bin"
COMMAND = f"""\
#!{Path(sys.base_prefix) / "bin" / f"python3.{sys.version_info.minor}"} -IS
import sys
sys.path[:0] = ["{FOLDER}/modules", "{FOLDER}/packages"]
from pachctl.cli import main
main()
"""


def mounts(home: Home) -> tuple[Mount, ...]:
    """/pach-bin, read-only. The script of the same name in the Python environment finds no modules: it is replaced, too."""
    folder = home.folder("run") / "pach-bin"
    command = _command(folder)
    script = Path(sysconfig.get_path("scripts"), "pachctl")
    return (
        Mount(folder, FOLDER, read_only=True),
        Mount(_package(), f"{FOLDER}/modules/pachctl", read_only=True),
        Mount(Path(sysconfig.get_path("purelib")), f"{FOLDER}/packages", read_only=True),
        *((Mount(command, str(script), read_only=True),) if script.exists() else ()),
    )


@functools.cache
def _command(folder: Path) -> Path:
    """Arrange ``folder``, once in a process's life; returns the file of the command."""
    for name in ("modules/pachctl", "packages"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    command = folder / "pachctl"
    if not command.exists() or command.read_text() != COMMAND:
        command.write_text(COMMAND)
        command.chmod(0o755)
    return command


def on_path(environment: Mapping[str, str], image: Mapping[str, str]) -> dict[str, str]:
    """``environment`` with /pach-bin at the end of its PATH, which is the ``image``'s if it has none."""
    path = environment.get("PATH") or image.get("PATH") or search_path()
    return {**environment, "PATH": f"{path}:{FOLDER}"}


def _package() -> Path:
    """The folder of pachctl's modules. This process needs none of them, so it does not import them."""
    spec = importlib.util.find_spec("pachctl")
    assert spec is not None, "minipdk is installed with pachctl"
    assert spec.submodule_search_locations is not None, "pachctl is a package"
    return Path(spec.submodule_search_locations[0])
