"""The MNIST lab's training script: it reads MNIST's format, trains, and names missing digits. 15 s."""

from __future__ import annotations

import gzip
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import torch

ROOT = Path(__file__).parents[3]
LAB = ROOT / "solutions" / "mnist"
DIGITS = ROOT / "sample-data" / "mnist"


@pytest.fixture(scope="module")
def script(import_from: Callable[[str, str], ModuleType]) -> ModuleType:
    return import_from("solutions/mnist", "main")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A working directory with the digits in data/."""
    (tmp_path / "data").mkdir()
    for path in DIGITS.glob("*-ubyte"):
        shutil.copy(path, tmp_path / "data")
    return tmp_path


def run(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(LAB / "main.py"), "--dry-run", "--epochs", "1", *options]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


def test_it_reads_plain_and_compressed_files_alike(script: ModuleType, folder: Path) -> None:
    plain = script.read_idx(folder / "data" / "t10k-images-idx3-ubyte")
    assert plain.shape == (360, 28, 28)
    path = folder / "data" / "t10k-images-idx3-ubyte"
    path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()
    assert (script.read_idx(path) == plain).all()


def test_pixels_are_normalized_as_mnists_are(script: ModuleType) -> None:
    black, white = script.transform([[0, 255]])[0, 0].tolist()
    assert (black, white) == (pytest.approx(-0.4242, abs=1e-4), pytest.approx(2.8215, abs=1e-4))


def test_the_network_is_the_examples(script: ModuleType) -> None:
    assert sum(weight.numel() for weight in script.Net().parameters()) == 1_199_882
    output = script.Net()(torch.zeros(3, 1, 28, 28))
    assert output.shape == (3, 10)
    assert output.exp().sum(1).tolist() == pytest.approx([1, 1, 1], abs=1e-5)


def test_a_dry_run_takes_one_step_and_tests(folder: Path) -> None:
    done = run(folder, "--save-model")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Train Epoch: 1 [0/1437 (0%)]") == 1
    assert "/360 (" in done.stdout
    assert 4_700_000 < (folder / "mnist_cnn.pt").stat().st_size < 4_900_000


def test_missing_digits_are_named_with_the_remedy(tmp_path: Path) -> None:
    done = run(tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "error: data/train-images-idx3-ubyte is not there: copy the digits into data/, or name their folder with --data\n"
    )
