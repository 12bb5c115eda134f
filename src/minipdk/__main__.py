"""``minipdk`` and ``python -m minipdk``: the command, with this environment's packages and no other's."""

from __future__ import annotations

import os
import sys

FOREIGN = ("PYTHONPATH", "PYTHONHOME")
"""Variables that put the packages of another Python before this one's."""


def main() -> None:
    """Run the command line, isolated from the caller's Python."""
    if not sys.flags.isolated and any(os.environ.get(name) for name in FOREIGN):
        os.execv(sys.executable, [sys.executable, "-I", "-m", "minipdk", *sys.argv[1:]])  # noqa: S606  # no shell is wanted
    from minipdk.cli import main as run

    run()


if __name__ == "__main__":
    main()
