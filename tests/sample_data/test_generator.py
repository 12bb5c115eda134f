"""The synthetic data: fixed bytes, the original's statistics, and an effect as weak as the original's."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest

ROOT = Path(__file__).parents[2]
TOLERANCE = 0.05
SUMS = {
    "ovrrev_Mean": ["vceovr_Mean", "datovr_Mean"],
    "attempt_Mean": ["plcd_vce_Mean", "plcd_dat_Mean"],
    "complete_Mean": ["comp_vce_Mean", "comp_dat_Mean"],
    "comp_dat_Mean": ["peak_dat_Mean", "opk_dat_Mean"],
    "drop_blk_Mean": ["drop_vce_Mean", "drop_dat_Mean", "blck_vce_Mean", "blck_dat_Mean"],
    "mou_cdat_Mean": ["mou_pead_Mean", "mou_opkd_Mean"],
}
WHOLE = ["churn", "months", "uniqsubs", "actvsubs", "totcalls", "adjqty", "avg3mou", "avg3qty", "avg3rev"]
WHOLE += ["avg6mou", "avg6qty", "avg6rev", "phones", "models", "truck", "rv", "forgntvl", "eqpdays"]


@pytest.fixture(scope="module")
def files(import_from: Callable[[str, str], ModuleType]) -> dict[str, bytes]:
    made: dict[str, bytes] = import_from("sample-data", "generate").make()
    return made


@pytest.fixture(scope="module")
def part1(files: dict[str, bytes]) -> pd.DataFrame:
    return _frame(files["data_part1.csv"])


@pytest.fixture(scope="module")
def part2(files: dict[str, bytes]) -> pd.DataFrame:
    return _frame(files["data_part2.csv"])


@pytest.fixture(scope="module")
def preprocessing(import_from: Callable[[str, str], ModuleType]) -> ModuleType:
    return import_from("solutions/port-experiment/experiment", "preprocessing")


def _frame(content: bytes) -> pd.DataFrame:
    return pd.read_csv(io.BytesIO(content), keep_default_na=False)


def test_the_same_seed_gives_the_bytes_of_the_manifest(files: dict[str, bytes]) -> None:
    manifest = json.loads((ROOT / "sample-data" / "manifest.json").read_text())
    assert {name: hashlib.sha256(content).hexdigest() for name, content in files.items()} == manifest


@pytest.mark.parametrize("name", ["customer_churn_sample.csv", "customer_churn_sample.json", "sample.json"])
def test_the_committed_samples_are_the_generated_ones(files: dict[str, bytes], name: str) -> None:
    assert (ROOT / "sample-data" / name).read_bytes() == files[name]


def test_the_parts_have_their_rows_and_columns(part1: pd.DataFrame, part2: pd.DataFrame) -> None:
    columns = (ROOT / "sample-data" / "columns.txt").read_text().split()
    assert (part1.shape, part2.shape) == ((31_009, 88), (31_000, 88))
    assert list(part1.columns) == list(part2.columns) == columns


def test_means_and_deviations_are_the_originals(part1: pd.DataFrame) -> None:
    stats = json.loads((ROOT / "solutions/port-experiment/experiment/numscale.json").read_text())
    wrong = {
        name: (part1[name].mean(), part1[name].std(), target)
        for name, target in stats.items()
        if abs(part1[name].mean() - target["mean"]) > TOLERANCE * abs(target["mean"])
        or abs(part1[name].std() - target["std"]) > TOLERANCE * target["std"]
    }
    assert not wrong


def test_the_second_part_drifts_only_a_little(part1: pd.DataFrame, part2: pd.DataFrame) -> None:
    deviations = part1.select_dtypes("number").std()
    shift = (part2.mean(numeric_only=True) - part1.mean(numeric_only=True)).abs() / deviations
    assert shift.max() < 0.2
    assert shift["eqpdays"] > 0.05


@pytest.mark.parametrize("total", SUMS)
def test_sums_between_columns_are_right(part1: pd.DataFrame, part2: pd.DataFrame, total: str) -> None:
    for part in (part1, part2):
        assert np.allclose(part[total], part[SUMS[total]].sum(axis=1), atol=0.006)


def test_minutes_called_and_received_are_minutes_at_peak_and_off_peak(part1: pd.DataFrame) -> None:
    talked = part1["mou_cvce_Mean"] + part1["mou_rvce_Mean"]
    assert np.allclose(talked, part1["mou_peav_Mean"] + part1["mou_opkv_Mean"], atol=0.011)


def test_averages_over_months_are_near_the_mean_of_the_last(part1: pd.DataFrame) -> None:
    for name in ("avg3mou", "avg6mou"):
        assert np.corrcoef(part1[name], part1["mou_Mean"])[0, 1] > 0.9


def test_totals_are_no_less_than_adjusted_totals(part1: pd.DataFrame) -> None:
    for total, adjusted in (("totmou", "adjmou"), ("totrev", "adjrev"), ("totcalls", "adjqty")):
        assert (part1[total] >= part1[adjusted]).all()


def test_usage_is_never_negative_and_mostly_skewed(part1: pd.DataFrame) -> None:
    numbers = part1.select_dtypes("number")
    assert set(numbers.columns[(numbers < 0).any()]) == {"change_mou", "change_rev"}
    usage = [name for name in numbers if name.endswith("_Mean")]
    assert (numbers[usage].skew() > 1).all()


def test_whole_numbers_are_written_as_such_and_nothing_is_missing(part1: pd.DataFrame) -> None:
    assert list(part1.columns[part1.dtypes == np.int64]) == [name for name in part1 if name in WHOLE]
    assert not (part1 == "").any(axis=None)
    assert set(part1["churn"]) == {0, 1}
    assert abs(part1["churn"].mean() - 0.5) < 0.02


def test_every_category_is_one_the_network_knows(
    part1: pd.DataFrame, part2: pd.DataFrame, preprocessing: ModuleType
) -> None:
    for name, values in preprocessing.CATEGORIES.items():
        assert set(part1[name]) == set(values)
        assert set(part2[name]) <= set(values)


def test_churn_depends_on_the_handset_and_the_usage(part1: pd.DataFrame) -> None:
    effect = part1.corr(numeric_only=True)["churn"]
    assert effect["eqpdays"] > 0.1
    assert effect["change_mou"] < -0.1
    assert effect["hnd_price"] < -0.1
    assert effect.drop("churn").abs().max() < 0.3


def test_the_sample_is_ten_customers_of_neither_part(
    files: dict[str, bytes], part1: pd.DataFrame, part2: pd.DataFrame
) -> None:
    sample = _frame(files["customer_churn_sample.csv"])
    assert len(sample) == 10
    assert sample["churn"].sum() == 5
    both = pd.concat([part1, part2])
    assert len(sample.merge(both, how="inner")) == 0


def test_the_json_samples_have_the_rows_of_the_csv_sample(files: dict[str, bytes]) -> None:
    sample = _frame(files["customer_churn_sample.csv"])
    columns = json.loads(files["customer_churn_sample.json"])
    assert columns == json.loads(sample.to_json())
    assert json.loads(files["sample.json"]) == {"instances": [{"data": columns}]}


@pytest.fixture(scope="module")
def networks(part1: pd.DataFrame, part2: pd.DataFrame, preprocessing: ModuleType) -> dict[str, float]:
    """The seed's network after 1000 batches of 512 rows on each part, as the experiment trains it."""
    import copy

    import torch
    from sklearn.model_selection import train_test_split

    def split(frame: pd.DataFrame) -> list[torch.Tensor]:
        features = preprocessing.encode({name: frame[name].to_numpy() for name in frame})
        labels = frame[["churn"]].to_numpy(dtype=np.float32)
        return [torch.from_numpy(part) for part in train_test_split(features, labels, test_size=0.2, random_state=42)]

    def train(network: torch.nn.Module, features: torch.Tensor, labels: torch.Tensor) -> None:
        optimizer = torch.optim.Adam(network.parameters(), lr=1e-4)
        for batch in range(1000):
            rows = torch.arange(batch * 512, batch * 512 + 512) % len(features)
            optimizer.zero_grad()
            torch.nn.functional.binary_cross_entropy(network(features[rows]), labels[rows]).backward()
            optimizer.step()

    def accuracy(network: torch.nn.Module, features: torch.Tensor, labels: torch.Tensor) -> float:
        with torch.no_grad():
            return float(((network(features) >= 0.5) == (labels == 1)).float().mean())

    torch.manual_seed(42)
    first = torch.nn.Sequential(torch.nn.Linear(139, 32), torch.nn.Linear(32, 1), torch.nn.Sigmoid())
    train_x, val_x, train_y, val_y = split(part1)
    train(first, train_x, train_y)
    new_x, new_val_x, new_y, new_val_y = split(part2)
    second = copy.deepcopy(first)
    train(second, new_x, new_y)
    return {
        "accuracy": accuracy(first, val_x, val_y),
        "majority": float(max(val_y.mean(), 1 - val_y.mean())),
        "accuracy of the old network on new customers": accuracy(first, new_val_x, new_val_y),
        "accuracy of the new network on new customers": accuracy(second, new_val_x, new_val_y),
    }


def test_the_seeds_network_validates_between_58_and_65_percent(networks: dict[str, float]) -> None:
    assert 0.58 <= networks["accuracy"] <= 0.65
    assert networks["majority"] < 0.52


def test_the_seeds_network_gains_from_training_on_the_second_part(networks: dict[str, float]) -> None:
    old = networks["accuracy of the old network on new customers"]
    assert networks["accuracy of the new network on new customers"] > old + 0.01
