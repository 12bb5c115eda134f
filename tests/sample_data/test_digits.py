"""The digits of the MNIST lab: fixed bytes in MNIST's format; other sets in their place are left alone. 10 s."""

from __future__ import annotations

import gzip
import hashlib
import io
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "sample-data" / "mnist" / "generate.py"
PICTURE = ROOT / "solutions" / "mnist" / "img_103.jpg"


@pytest.fixture(scope="module")
def generate(import_from: Callable[[str, str], ModuleType]) -> ModuleType:
    return import_from("sample-data/mnist", "generate")


@pytest.fixture(scope="module")
def contents(generate: ModuleType) -> dict[str, bytes]:
    made: dict[str, bytes] = generate.make()
    return made


def run(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, SCRIPT, "--output", folder], capture_output=True, text=True)


def test_the_same_seed_gives_the_same_bytes(generate: ModuleType, contents: dict[str, bytes]) -> None:
    assert {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()} == generate.DIGESTS


def test_the_files_have_mnists_format(contents: dict[str, bytes]) -> None:
    headers = {name: content[: 4 + 4 * content[3]].hex(" ", -4) for name, content in contents.items()}
    assert headers == {
        "train-images-idx3-ubyte": "00000803 0000059d 0000001c 0000001c",
        "train-labels-idx1-ubyte": "00000801 0000059d",
        "t10k-images-idx3-ubyte": "00000803 00000168 0000001c 0000001c",
        "t10k-labels-idx1-ubyte": "00000801 00000168",
    }


def test_digits_are_white_on_black_in_a_margin_and_every_class_is_there(generate: ModuleType) -> None:
    images, labels = generate.digits()
    assert set(labels[: generate.TEST_DIGITS]) == set(labels[generate.TEST_DIGITS :]) == set(range(10))
    inside = images[:, 4:-4, 4:-4]
    assert inside.sum() == images.sum()
    assert (inside.max(axis=(1, 2)) >= 200).all()


def test_the_picture_that_ships_is_a_2_of_the_test_set(generate: ModuleType) -> None:
    from PIL import Image

    images, labels = generate.digits()
    assert labels[generate.PICTURE] == 2
    assert generate.PICTURE < generate.TEST_DIGITS
    shown = np.asarray(Image.open(io.BytesIO(PICTURE.read_bytes())), dtype=int)
    assert abs(shown - images[generate.PICTURE]).max() < 12


def test_missing_and_damaged_digits_are_written_again(contents: dict[str, bytes], tmp_path: Path) -> None:
    assert run(tmp_path).returncode == 0
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == contents
    assert "are complete" in run(tmp_path).stdout
    damaged = tmp_path / "t10k-images-idx3-ubyte"
    damaged.write_bytes(damaged.read_bytes()[:1000])
    assert run(tmp_path).returncode == 0
    assert damaged.read_bytes() == contents[damaged.name]


def test_another_set_is_left_alone_and_half_of_one_is_refused(generate: ModuleType, tmp_path: Path) -> None:
    for name in generate.DIGESTS:
        shape = (2, 28, 28) if "images" in name else (2,)
        (tmp_path / f"{name}.gz").write_bytes(gzip.compress(generate.idx(np.ones(shape, np.uint8))))
    before = sorted(tmp_path.iterdir())
    assert "are used" in run(tmp_path).stdout
    assert sorted(tmp_path.iterdir()) == before
    (tmp_path / "t10k-labels-idx1-ubyte.gz").unlink()
    refused = run(tmp_path)
    assert refused.returncode == 1
    assert "no valid t10k-labels-idx1-ubyte: add the rest of that set, or delete its files" in refused.stderr
    assert len(list(tmp_path.iterdir())) == 3
