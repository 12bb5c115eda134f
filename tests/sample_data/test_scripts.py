"""The scripts of sample-data as a person runs them."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "sample-data" / "customer_churn_sample.csv"


def run(script: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "sample-data" / script), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_generating_writes_every_file_of_the_manifest_and_then_leaves_them_alone(tmp_path: Path) -> None:
    assert run("generate.py", "--output", tmp_path).returncode == 0
    manifest = json.loads((ROOT / "sample-data" / "manifest.json").read_text())
    assert {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in tmp_path.iterdir()} == manifest
    assert "are complete" in run("generate.py", "--output", tmp_path).stdout


def test_a_damaged_file_is_generated_again(tmp_path: Path) -> None:
    run("generate.py", "--output", tmp_path)
    damaged = tmp_path / "data_part1.csv"
    whole = damaged.read_bytes()
    damaged.write_bytes(whole[: len(whole) // 2])
    assert run("generate.py", "--output", tmp_path).returncode == 0
    assert damaged.read_bytes() == whole


@pytest.fixture(scope="module")
def schema(import_from: Callable[[str, str], ModuleType]) -> ModuleType:
    return import_from("sample-data", "schema")


def test_a_churn_table_is_valid(schema: ModuleType) -> None:
    schema.validate_csv(SAMPLE)


def test_a_missing_column_is_named(schema: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "short.csv"
    pd.read_csv(SAMPLE).drop(columns=["months", "area"]).to_csv(path, index=False)
    with pytest.raises(schema.SchemaError, match=re.escape(f"{path}: columns missing: months, area")):
        schema.validate_csv(path)


def test_a_file_that_is_not_there_or_no_csv_is_named(schema: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(schema.SchemaError, match=r"none\.csv is not there"):
        schema.validate_csv(tmp_path / "none.csv")
    (tmp_path / "picture.csv").write_bytes(b"\x89PNG\xff\xfe")
    with pytest.raises(schema.SchemaError, match=r"picture\.csv is not a CSV file"):
        schema.validate_csv(tmp_path / "picture.csv")


class TestConvert:
    """The converter, on an original of a few rows and with parts of a few rows."""

    @pytest.fixture
    def convert(self, import_from: Callable[[str, str], ModuleType], monkeypatch: pytest.MonkeyPatch) -> ModuleType:
        module = import_from("sample-data", "convert")
        for name, rows in {"PART1_ROWS": 4, "PART2_ROWS": 2, "SAMPLE_ROWS": 2}.items():
            monkeypatch.setattr(module, name, rows)
        return module

    @pytest.fixture
    def original(self, tmp_path: Path) -> Path:
        """Ten customers, two with a missing value, in other columns' company and another order."""
        frame = pd.read_csv(SAMPLE, keep_default_na=False)
        frame = frame.assign(Customer_ID=range(10), lor=1.0)[["Customer_ID", *frame.columns[::-1], "lor"]]
        frame["eqpdays"] = frame["eqpdays"].astype(float)
        frame.loc[1, "eqpdays"] = None
        frame.loc[5, "area"] = None
        path = tmp_path / "Telecom_customer churn.csv"
        frame.to_csv(path, index=False)
        return path

    def test_it_keeps_the_columns_and_the_complete_rows(self, convert: ModuleType, original: Path, tmp_path: Path) -> None:
        convert.convert(original, tmp_path / "out")
        parts = [pd.read_csv(tmp_path / "out" / name) for name in ("data_part1.csv", "data_part2.csv")]
        complete = pd.read_csv(SAMPLE).drop(index=[1, 5])
        assert [len(part) for part in parts] == [4, 2]
        pd.testing.assert_frame_equal(
            pd.concat(parts, ignore_index=True), complete[:6].reset_index(drop=True), check_dtype=False
        )

    def test_it_writes_the_samples_in_every_form(self, convert: ModuleType, original: Path, tmp_path: Path) -> None:
        convert.convert(original, tmp_path / "out")
        sample = pd.read_csv(tmp_path / "out" / "customer_churn_sample.csv")
        columns = json.loads((tmp_path / "out" / "customer_churn_sample.json").read_text())
        assert columns == json.loads(sample.to_json())
        assert json.loads((tmp_path / "out" / "sample.json").read_text()) == {"instances": [{"data": columns}]}

    def test_too_few_complete_rows_are_counted(
        self, convert: ModuleType, original: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(convert, "PART1_ROWS", 100)
        with pytest.raises(convert.SchemaError, match="has 8 rows without a missing value; the course needs 104"):
            convert.convert(original, tmp_path / "out")

    def test_a_missing_column_is_named_in_one_line(self, tmp_path: Path) -> None:
        path = tmp_path / "other.csv"
        pd.read_csv(SAMPLE).drop(columns="eqpdays").to_csv(path, index=False)
        done = run("convert.py", path)
        assert (done.returncode, done.stderr) == (1, f"error: {path}: column missing: eqpdays\n")
