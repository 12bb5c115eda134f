"""Make the course's files from the original data set instead of the synthetic one.

Download the CSV of https://www.kaggle.com/datasets/abhinav89/telecom-customer yourself (it may not be shipped), then:

    python sample-data/convert.py "Telecom_customer churn.csv" --output sample-data/original

It keeps the 88 columns that the course uses, drops every row with a missing value, and writes files of the same names and
sizes as the synthetic ones. Commit them to Pachyderm in their place.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import pandas as pd
from schema import COLUMNS, PART1, PART1_ROWS, PART2, PART2_ROWS, SAMPLE_ROWS, SchemaError, validate_csv


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("source", type=Path, help="the CSV file that you downloaded")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "original", help="folder to write to")
    arguments = parser.parse_args()
    try:
        convert(arguments.source, arguments.output)
    except SchemaError as error:
        sys.exit(f"error: {error}")


def convert(source: Path, output: Path) -> None:
    """Write the course's files made from ``source`` to ``output``. Raises SchemaError if columns or rows are missing."""
    validate_csv(source)
    complete = pd.read_csv(source, usecols=list(COLUMNS), low_memory=False)[list(COLUMNS)].dropna()
    needed = PART1_ROWS + PART2_ROWS + SAMPLE_ROWS
    if len(complete) < needed:
        raise SchemaError(f"{source} has {len(complete):,} rows without a missing value; the course needs {needed:,}")
    complete = complete.convert_dtypes(convert_string=False)  # whole numbers were floats only because some were missing

    output.mkdir(parents=True, exist_ok=True)
    complete[:PART1_ROWS].to_csv(output / PART1, index=False)
    complete[PART1_ROWS : PART1_ROWS + PART2_ROWS].to_csv(output / PART2, index=False)
    sample = complete[PART1_ROWS + PART2_ROWS : needed].reset_index(drop=True)
    sample.to_csv(output / "customer_churn_sample.csv", index=False)
    columns = json.loads(sample.to_json())
    (output / "customer_churn_sample.json").write_text(json.dumps(columns) + "\n")
    (output / "sample.json").write_text(json.dumps({"instances": [{"data": columns}]}) + "\n")
    print(f"Wrote {PART1}, {PART2} and the samples to {output}, from {len(complete):,} complete rows")


if __name__ == "__main__":
    main()
