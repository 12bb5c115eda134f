"""The churn table: its columns, and a check that a CSV file has them."""

from __future__ import annotations

import csv
from pathlib import Path

COLUMNS = tuple(Path(__file__).with_name("columns.txt").read_text().split())
PART1, PART2 = "data_part1.csv", "data_part2.csv"
PART1_ROWS, PART2_ROWS, SAMPLE_ROWS = 31_009, 31_000, 10


class SchemaError(ValueError):
    """A file that is not a churn table; the message names the file and the column."""


def validate_csv(path: Path) -> None:
    """Check the first line of ``path``. Raises SchemaError naming the columns that are missing."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            header = next(csv.reader(file), [])
    except FileNotFoundError:
        raise SchemaError(f"{path} is not there") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise SchemaError(f"{path} is not a CSV file: {error}") from error
    if missing := [name for name in COLUMNS if name not in header]:
        raise SchemaError(f"{path}: {'column' if len(missing) == 1 else 'columns'} missing: {', '.join(missing)}")
