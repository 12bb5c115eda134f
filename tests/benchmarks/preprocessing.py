"""The time to encode one customer's row into the network's input.

python -m tests.benchmarks.preprocessing
"""

from __future__ import annotations

import sys
import timeit
from pathlib import Path

import pandas as pd

ROOT = Path(__file__).parents[2]
CALLS, RUNS = 50, 5


def main() -> None:
    sys.path.insert(0, str(ROOT / "solutions" / "port-experiment" / "experiment"))
    import preprocessing

    sample = pd.read_csv(ROOT / "sample-data" / "customer_churn_sample.csv", keep_default_na=False)
    row = {name: [value] for name, value in sample.iloc[0].items()}
    seconds = min(timeit.repeat(lambda: preprocessing.encode(row), number=CALLS, repeat=RUNS)) / CALLS
    print(f"one row: {seconds * 1000:.3f} ms (the best of {RUNS} runs of {CALLS} calls)")


if __name__ == "__main__":
    main()
