"""``python -m course.labs``: generate labs/ from solutions/ and the README's table of labs from labs.toml."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from course.labs import Index, LabError, load, work
from course.labs.generator import MarkerError, replace_labs
from course.labs.readme import with_table
from course.profile import ProfileError, find_root


def main(arguments: list[str] | None = None) -> None:
    """Generate, or print a list for the Makefile."""
    parser = argparse.ArgumentParser(prog="python -m course.labs", description=__doc__)
    parser.add_argument(
        "action",
        nargs="?",
        choices=["generate", "unchanged", "images", "solutions"],
        default="generate",
        help="generate labs/ [default], fail if generated files have changes that are not in Git, print each image's folder "
        "and name, or print the labs with a solution to run",
    )
    parser.add_argument("--overwrite", action="store_true", help="generate labs/ over answers that are not in Git")
    chosen = parser.parse_args(arguments)
    action = chosen.action
    try:
        root = find_root()
        index = load(root)
        if action == "unchanged":
            work.check_files(root)
        if action == "generate":
            if not chosen.overwrite:
                work.check_files(root, ("labs",))
            generate(root, index)
    except (LabError, MarkerError, ProfileError, work.WorkError) as error:
        sys.exit(f"course.labs: {error}")
    if action == "images":
        print(*(f"{image.folder} {image.tag}" for image in index.images), sep="\n")  # noqa: T201
    elif action == "solutions":
        print(*(lab.name for lab in index.runnable), sep="\n")  # noqa: T201


def generate(root: Path, index: Index) -> None:
    """Replace labs/ and the README's table. Raises MarkerError, and LabError if the index does not match the files."""
    replace_labs(root)
    if mismatches := list(index.mismatches(root)):
        raise LabError("\n".join(mismatches))
    readme = root / "README.md"
    readme.write_text(with_table(readme.read_text(), index))


if __name__ == "__main__":
    main()
