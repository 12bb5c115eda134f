"""Make the data of the iris lab from scikit-learn's copy of Fisher's iris set: the same bytes on every machine.

    python sample-data/iris/generate.py

writes iris.csv, 150 flowers with their species; test1.csv and test2.csv, a few flowers without; and batch/, all of them
without, in six files.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from sklearn.datasets import load_iris

HERE = Path(__file__).parent
HEADER = "sepal_length,sepal_width,petal_length,petal_width,species"
TESTS = {"test1.csv": (57, 104, 115, 143, 10, 26), "test2.csv": (30, 1, 120, 108)}
"""Flowers of each test file, by their row in the set: typical ones, far from the border between two species."""

BATCH_SIZE = 25


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--output", type=Path, default=HERE, help="folder to write to (default: the script's own)")
    output = parser.parse_args().output
    (output / "batch").mkdir(parents=True, exist_ok=True)
    for name, content in make().items():
        (output / name).write_text(content)
        print(f"Wrote {name}, {len(content):,} bytes")


def make() -> dict[str, str]:
    """The files' names and contents: lengths and widths in centimetres."""
    iris = load_iris()
    flowers = [",".join(f"{value:.1f}" for value in row) for row in iris.data]
    labelled = [f"{row},Iris-{iris.target_names[kind]}" for row, kind in zip(flowers, iris.target, strict=True)]
    files = {"iris.csv": _lines([HEADER, *labelled])}
    files |= {name: _lines([flowers[row] for row in rows]) for name, rows in TESTS.items()}
    for number, start in enumerate(range(0, len(flowers), BATCH_SIZE), start=1):
        files[f"batch/batch{number}.csv"] = _lines(flowers[start : start + BATCH_SIZE])
    return files


def _lines(lines: list[str]) -> str:
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
