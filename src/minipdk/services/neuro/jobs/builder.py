"""The process of one build: ``python -m minipdk.services.neuro.jobs.builder``. Its output is the build's log."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from minipdk.common.home import keep_private, load
from minipdk.common.processes import die_with_parent
from minipdk.images import ImageStore
from minipdk.images.errors import ImageError
from minipdk.sandbox.errors import SandboxError


def main() -> None:
    parser = argparse.ArgumentParser()
    for name in ("home", "context", "dockerfile"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--parent", type=int, required=True, help="process id to die with")
    parser.add_argument("--name", required=True)
    parser.add_argument("--build-arg", action="append", default=[])
    options = parser.parse_args()
    if not die_with_parent(options.parent):
        sys.exit("the platform has ended")
    keep_private()
    arguments = dict(argument.split("=", 1) for argument in options.build_arg)
    try:
        image = ImageStore(load(options.home)).build(
            options.context, options.name, dockerfile=options.dockerfile, arguments=arguments, progress=_show
        )
    except (ImageError, SandboxError) as error:
        _show(str(error))
        sys.exit(1)
    _show(f"Built {image.name}")


def _show(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
