"""Check the flowers of the training repository and split them into a model's inputs and its expected outputs.

    pre_process.py /pfs/training /pfs/out

Reads every CSV file in the first folder. Writes x_train.csv, the four measurements of each flower in centimetres, and
y_train.csv, one column for each species with a 1 for the flower's own. Both begin with a line of column names.
"""

from __future__ import annotations

import argparse
import csv
import sys
from pathlib import Path

FEATURES = ("sepal_length", "sepal_width", "petal_length", "petal_width")
LABEL = "species"

Flower = tuple[list[float], str]
"""The measurements of one flower in FEATURES' order, and its species."""


class DataError(Exception):
    """The data cannot be used; the message names the file, the line and the fix."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("training", type=Path, help="folder with the CSV files")
    parser.add_argument("output", type=Path, help="folder for x_train.csv and y_train.csv")
    arguments = parser.parse_args()
    try:
        flowers = read_all(arguments.training)
        species = write(flowers, arguments.output)
    except DataError as error:
        sys.exit(f"error: {error}")
    print(f"Prepared {len(flowers)} flowers of {len(species)} species: {', '.join(species)}")


def read_all(folder: Path) -> list[Flower]:
    """The flowers of every CSV file in ``folder``. Raises DataError."""
    paths = sorted(folder.glob("*.csv"))
    if not paths:
        raise DataError(f"there is no CSV file in {folder}: commit iris.csv to the repository")
    return [flower for path in paths for flower in read(path)]


def read(path: Path) -> list[Flower]:
    """The flowers of one CSV file, whose first line names its columns. Raises DataError."""
    try:
        rows = csv.DictReader(path.read_text(encoding="utf-8-sig").splitlines(), skipinitialspace=True)
    except UnicodeDecodeError:
        raise DataError(f"{path.name} is not a text file") from None
    names = rows.fieldnames
    if names is None:
        raise DataError(f"{path.name} is empty: it needs a line with {','.join((*FEATURES, LABEL))} and one for each flower")
    if missing := [name for name in (*FEATURES, LABEL) if name not in names]:
        raise DataError(f"{path.name} has no column {', '.join(missing)}: its first line is {','.join(names)}")
    flowers = [(_measurements(path, rows.line_num, row), _species(path, rows.line_num, row)) for row in rows]
    if not flowers:
        raise DataError(f"{path.name} has no flowers below its first line")
    return flowers


def write(flowers: list[Flower], output: Path) -> list[str]:
    """Write x_train.csv and y_train.csv; return the species, which are y_train's columns. Raises DataError."""
    species = sorted({kind for _, kind in flowers})
    if len(species) < 2:
        raise DataError(f"every flower is {species[0]}: a model needs two species or more to distinguish")
    with (output / "x_train.csv").open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(FEATURES)
        writer.writerows(measurements for measurements, _ in flowers)
    with (output / "y_train.csv").open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(species)
        writer.writerows([int(kind == column) for column in species] for _, kind in flowers)
    return species


def _measurements(path: Path, line: int, row: dict[str, str | None]) -> list[float]:
    return [_centimetres(f"{path.name}, line {line}: {name}", row[name]) for name in FEATURES]


def _centimetres(where: str, text: str | None) -> float:
    try:
        value = float(text or "")
    except ValueError:
        raise DataError(f"{where} is {text or ''!r}, not a number") from None
    if not 0 < value < float("inf"):
        raise DataError(f"{where} is {text}, not a length in centimetres")
    return value


def _species(path: Path, line: int, row: dict[str, str | None]) -> str:
    if not (species := row[LABEL]):
        raise DataError(f"{path.name}, line {line}: the {LABEL} is missing")
    return species


if __name__ == "__main__":
    main()
