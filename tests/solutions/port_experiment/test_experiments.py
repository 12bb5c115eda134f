"""The base experiment and the ported one: shared code, new code, and trials with bad data."""

from __future__ import annotations

import difflib
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd
import pytest
import yaml

ROOT = Path(__file__).parents[3]
BASE = "labs/port-experiment/base_experiment"
PORTED = "solutions/port-experiment/experiment"
ROWS = 60


def config(folder: str) -> dict[str, Any]:
    return dict(yaml.safe_load((ROOT / folder / "const.yaml").read_text()))


@pytest.mark.parametrize("name", ["preprocessing.py", "numscale.json"])
def test_the_two_experiments_preprocess_alike(name: str) -> None:
    assert (ROOT / BASE / name).read_bytes() == (ROOT / PORTED / name).read_bytes()


@pytest.mark.parametrize("name", ["const.yaml", "data.py", "model_def.py", "startup-hook.sh"])
def test_every_addition_of_the_port_is_marked_as_new(name: str) -> None:
    old, new = ((ROOT / folder / name).read_text().splitlines() for folder in (BASE, PORTED))
    for kind, _, _, start, end in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind == "insert" and any(line.strip() for line in new[start:end]):
            near = new[max(0, start - 6) : end]
            assert any("# New" in line for line in near), "\n".join(new[start:end])


def test_the_port_trains_the_same_network_with_the_same_parameters() -> None:
    base, ported = config(BASE), config(PORTED)
    for key in ("hyperparameters", "reproducibility", "entrypoint", "max_restarts"):
        assert base[key] == ported[key]


def test_the_ported_configuration_waits_for_its_commit() -> None:
    ported = config(PORTED)
    assert ported["data"]["pachyderm"] == dict.fromkeys(
        ("host", "port", "project", "repo", "branch", "token", "previous_commit")
    )
    assert (ported["workspace"], ported["project"]) == ("PDK Demos", "pdk-customer-churn")
    assert ported["searcher"]["max_length"] == {"batches": 1000}
    assert ported["min_validation_period"] == {"batches": 100}


def test_the_base_configuration_counts_the_training_rows_of_the_first_part() -> None:
    assert config(BASE)["records_per_epoch"] == 31_009 - -(-31_009 // 5)


@pytest.mark.parametrize("folder", [BASE, PORTED])
def test_startup_hooks_are_shell(folder: str) -> None:
    subprocess.run(["sh", "-n", str(ROOT / folder / "startup-hook.sh")], check=True)


@pytest.fixture(scope="module")
def csv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small churn table."""
    sample = pd.read_csv(ROOT / "sample-data" / "customer_churn_sample.csv", keep_default_na=False)
    path = tmp_path_factory.mktemp("data") / "small.csv"
    pd.concat([sample] * (ROWS // 10)).to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def data(import_from: Callable[[str, str], ModuleType]) -> ModuleType:
    return import_from(PORTED, "data")


class TestReadCsv:
    def test_rows_and_labels(self, data: ModuleType, csv: Path) -> None:
        features, labels = data.read_csv(str(csv))
        assert (features.shape, labels.shape) == ((ROWS, 139), (ROWS, 1))
        assert set(labels[:, 0]) == {0.0, 1.0}

    def test_several_files_are_trained_on_together(self, data: ModuleType, csv: Path) -> None:
        training, validation = data.get_train_and_validation_datasets([str(csv), str(csv)])
        assert (len(training), len(validation)) == (2 * ROWS * 0.8, 2 * ROWS * 0.2)

    def test_the_same_seed_splits_the_same_way(self, data: ModuleType, csv: Path) -> None:
        first, again, other = (
            data.get_train_and_validation_datasets([str(csv)], random_seed=seed)[1].features for seed in (1, 1, 2)
        )
        assert first.equal(again)
        assert not first.equal(other)

    def test_a_batch_equals_its_rows(self, data: ModuleType, csv: Path) -> None:
        dataset, _ = data.get_train_and_validation_datasets([str(csv)])
        features, labels = dataset.__getitems__([3, 1])
        assert features[0].equal(dataset[3][0])
        assert labels[1].equal(dataset[1][1])

    @pytest.mark.parametrize(
        ("spoil", "message"),
        [
            (lambda frame: frame.drop(columns="months"), "column missing: months"),
            (lambda frame: frame.drop(columns="churn"), "column missing: churn"),
            (lambda frame: frame.assign(churn=2), "column churn holds something other than 0 and 1"),
            (lambda frame: frame.assign(area="MARS"), 'column area, row 0: "MARS" is none of NORTHWEST'),
            (lambda frame: frame.assign(months="many"), 'column months, row 0: "many" is not a number'),
            (lambda frame: frame.assign(months=["", *frame["months"][1:]]), 'column months, row 0: "" is not a number'),
            (lambda frame: frame.head(0), "the file holds no rows"),
        ],
    )
    def test_a_bad_file_is_named_with_its_error(
        self, data: ModuleType, csv: Path, tmp_path: Path, spoil: Callable[[pd.DataFrame], pd.DataFrame], message: str
    ) -> None:
        path = tmp_path / "bad.csv"
        spoil(pd.read_csv(csv, keep_default_na=False)).to_csv(path, index=False)
        with pytest.raises(data.InputError) as caught:
            data.read_csv(str(path))
        assert str(caught.value).startswith(f"{path}: {message}")

    @pytest.mark.parametrize("content", [b"", b"\x89PNG\xff\xfe", b'a,b\n1,"2'])
    def test_a_file_that_is_no_csv_is_named(self, data: ModuleType, tmp_path: Path, content: bytes) -> None:
        path = tmp_path / "picture.csv"
        path.write_bytes(content)
        with pytest.raises(data.InputError, match=str(path)):
            data.read_csv(str(path))


class TestDownload:
    """Where a path of the repository goes; the download itself is tested with the training step, against a real pachd."""

    def test_folders_are_kept(self, data: ModuleType, tmp_path: Path) -> None:
        assert data._below(tmp_path, "/more/part.csv") == tmp_path / "more" / "part.csv"

    @pytest.mark.parametrize("path", ["/", "", "/../x", "/a/../../x", "//../x", "/a\\..\\x"])
    def test_a_path_that_would_leave_the_folder_is_refused(self, data: ModuleType, tmp_path: Path, path: str) -> None:
        with pytest.raises(ValueError, match="is not a path that can be downloaded"):
            data._below(tmp_path, path)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
class TestTrial:
    """Trials made as the deployment step makes them: with Determined's own context, without a master."""

    def context(self, folder: str, **data: Any) -> Any:
        from determined.pytorch import CheckpointLoadContext

        settings = config(folder)
        settings["data"] = data
        return CheckpointLoadContext(hparams=settings["hyperparameters"], exp_conf=settings)

    def test_the_base_trial_reads_its_file(self, import_from: Callable[[str, str], ModuleType], csv: Path) -> None:
        trial = import_from(BASE, "model_def").ChurnTrial(self.context(BASE, data_file=str(csv)))
        assert len(trial.train_dataset) + len(trial.val_dataset) == ROWS
        batch = next(iter(trial.build_training_data_loader()))
        assert [tuple(part.shape) for part in batch] == [(48, 139), (48, 1)]
        metrics = trial.evaluate_batch(next(iter(trial.build_validation_data_loader())))
        assert 0 <= metrics["val_acc"] <= 1

    def test_the_ported_trial_downloads_nothing_while_serving(
        self, import_from: Callable[[str, str], ModuleType], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SERVING_MODE", "true")
        trial = import_from(PORTED, "model_def").ChurnTrial(self.context(PORTED))
        assert [tuple(weights.shape) for weights in trial.model.parameters()] == [(32, 139), (32,), (1, 32), (1,)]

    def test_a_commit_without_data_is_named(
        self, import_from: Callable[[str, str], ModuleType], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        module = import_from(PORTED, "model_def")
        monkeypatch.setattr(module, "download_pach_repo", lambda **_: [])
        pachyderm = {"project": "p", "repo": "r", "branch": "c0ffee", "previous_commit": "0ld"}
        with pytest.raises(module.NoDataError, match=r"No data in p/r@c0ffee: .* since commit 0ld"):
            module.ChurnTrial(self.context(PORTED, pachyderm=pachyderm))
