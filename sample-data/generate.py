"""Make the churn data of the course: synthetic customers, the same bytes from the same seed on every machine.

    python sample-data/generate.py

writes data_part1.csv and data_part2.csv (too large for the repository) and the small samples beside this file, and compares
them with manifest.json. Files that are there and right are left alone.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from schema import COLUMNS, PART1, PART1_ROWS, PART2, PART2_ROWS
from synthetic import Table, log_odds, population

HERE = Path(__file__).parent
SEED = 20240223
POOL_ROWS = 4_000
"""Customers in neither part, of whom the sample's ten are taken."""

SAMPLE_KINDS = "MSLSsLSMLS"
"""The sample, one letter a customer: L leaves and S stays as the odds say, M leaves and s stays against them."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--output", type=Path, default=HERE, help="folder to write to (default: the script's own)")
    parser.add_argument("--write-manifest", action="store_true", help="accept the files written as the new manifest")
    arguments = parser.parse_args()
    manifest_file = HERE / "manifest.json"
    manifest = {} if arguments.write_manifest else json.loads(manifest_file.read_text())

    if manifest and all(_sha256(arguments.output / name) == digest for name, digest in manifest.items()):
        print(f"The sample data in {arguments.output} are complete")
        return
    contents = make()
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    if arguments.write_manifest:
        manifest_file.write_text(json.dumps(digests, indent=2) + "\n")
    elif wrong := [name for name, digest in manifest.items() if digests[name] != digest]:
        sys.exit(
            f"error: {', '.join(wrong)}: not as in manifest.json. Is numpy {np.__version__} the one of requirements.txt? "
            "After a change of the generator, run it with --write-manifest."
        )
    arguments.output.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (arguments.output / name).write_bytes(content)
        print(f"Wrote {name}, {len(content):,} bytes")


def make() -> dict[str, bytes]:
    """The files' names and contents."""
    customers = population(SEED, PART1_ROWS + POOL_ROWS + PART2_ROWS, reference=PART1_ROWS, drifted=PART2_ROWS)
    sample = _take(customers, choose_sample(customers))
    columns = as_json(sample)
    return {
        PART1: as_csv(_take(customers, slice(0, PART1_ROWS))),
        PART2: as_csv(_take(customers, slice(PART1_ROWS + POOL_ROWS, None))),
        "customer_churn_sample.csv": as_csv(sample),
        "customer_churn_sample.json": json.dumps(columns).encode() + b"\n",
        "sample.json": json.dumps({"instances": [{"data": columns}]}).encode() + b"\n",
    }


def choose_sample(customers: Table) -> NDArray[np.int64]:
    """Rows of ten customers whose odds are clear, so that small differences between machines change no prediction.

    Seven act as their odds say and three against them, about as many as a good model gets wrong.
    """
    pool = np.arange(PART1_ROWS, PART1_ROWS + POOL_ROWS)
    before, after = (log_odds(customers, drift)[pool] for drift in (0.0, 1.0))
    leaves, wants = customers["churn"][pool] == 1, np.where(before > 0, 1, 0)
    clear = (np.sign(before) == np.sign(after)) & (np.minimum(abs(before), abs(after)) > 1.0)
    groups = {
        "L": iter(pool[clear & leaves & (wants == 1)]),
        "S": iter(pool[clear & ~leaves & (wants == 0)]),
        "M": iter(pool[clear & leaves & (wants == 0)]),
        "s": iter(pool[clear & ~leaves & (wants == 1)]),
    }
    return np.array([next(groups[kind]) for kind in SAMPLE_KINDS])


def as_csv(table: Table) -> bytes:
    """``table`` as CSV, numbers in their shortest form."""
    columns = [[str(value) for value in table[name].tolist()] for name in COLUMNS]
    lines = [",".join(COLUMNS), *map(",".join, zip(*columns, strict=True))]
    return ("\n".join(lines) + "\n").encode()


def as_json(table: Table) -> dict[str, dict[str, Any]]:
    """``table`` as column -> {row: value}, the form that pandas' DataFrame.to_json writes."""
    return {name: {str(row): value for row, value in enumerate(table[name].tolist())} for name in COLUMNS}


def _take(table: Table, rows: slice | NDArray[np.int64]) -> Table:
    return {name: values[rows] for name, values in table.items()}


def _sha256(path: Path) -> str | None:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None


if __name__ == "__main__":
    main()
