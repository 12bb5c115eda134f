"""Make the digits of the MNIST lab from scikit-learn's copy of the UCI digits: the same bytes on every machine.

    python sample-data/mnist/generate.py

writes the four files of the MNIST database beside this script, in its IDX format: 1,437 digits to train on and 360 to test
with, drawn by hand at 8 x 8 pixels, enlarged to 20 x 20 and centred in 28 x 28 as MNIST's are. A complete set of other files
in that place, MNIST's own or Debian's dataset-fashion-mnist, is left alone and used by the lab.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import math
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

HERE = Path(__file__).parent
DIGESTS = {
    "train-images-idx3-ubyte": "2513316e5a2cefe35b7681a673a34179177488f5859478f03dc457329563a258",
    "train-labels-idx1-ubyte": "fef7e27ba75c2a7f182bb4835d3015b0b1c766817ec710c8b3fb8784b6b5efc4",
    "t10k-images-idx3-ubyte": "18d4115fec1f4ea292b53039201a30f050fca387540e4bb05d11f4e38370f77f",
    "t10k-labels-idx1-ubyte": "98cbf8b3f7f6f0dcb56278606b354a615a085f0a6fc7c1beb53cf85f846faa2c",
}
"""The SHA-256 of each file."""

SEED = 0
TEST_DIGITS = 360
ENLARGED, SIZE = 20, 28
"""Pixels of a digit's side, without and with its margin."""

BRIGHTEST = 16
"""The value of a full pixel in the UCI digits."""

UNSIGNED_BYTE = 8
"""The IDX format's code for this type of element."""

PICTURE = 103
"""The digit of the test set that ships as a picture."""

JPEG_QUALITY = 95

Bytes = NDArray[np.uint8]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--output", type=Path, default=HERE, help="folder to write to (default: the script's own)")
    parser.add_argument("--picture", type=Path, help="write this JPEG of a digit of the test set too")
    arguments = parser.parse_args()
    output = arguments.output
    others = [path for path in present(output) if _digest(path.read_bytes()) != DIGESTS[_stem(path)]]
    valid = [path for path in others if is_valid(path)]
    if len(valid) == len(DIGESTS):
        print(f"The digits in {output} are other than this script's, and are used")
    elif valid:
        missing = sorted(set(DIGESTS) - {_stem(path) for path in valid})
        sys.exit(
            f"error: {output} has {valid[0].name}, which is not of this script, but no valid {', '.join(missing)}: "
            "add the rest of that set, or delete its files to generate digits"
        )
    elif others or len(present(output)) < len(DIGESTS):
        contents = make()
        if wrong := [name for name, content in contents.items() if _digest(content) != DIGESTS[name]]:
            sys.exit(f"error: {', '.join(wrong)}: not as expected. Are numpy, pillow and scikit-learn the course's?")
        output.mkdir(parents=True, exist_ok=True)
        for name, content in contents.items():
            (output / name).write_bytes(content)
            print(f"Wrote {name}, {len(content):,} bytes")
    else:
        print(f"The digits in {output} are complete")
    if arguments.picture:
        Image.fromarray(digits()[0][PICTURE]).save(arguments.picture, quality=JPEG_QUALITY)


def make() -> dict[str, bytes]:
    """The files' names and contents."""
    images, labels = digits()
    test, train = slice(0, TEST_DIGITS), slice(TEST_DIGITS, None)
    contents = [idx(images[train]), idx(labels[train]), idx(images[test]), idx(labels[test])]
    return dict(zip(DIGESTS, contents, strict=True))


def digits() -> tuple[Bytes, Bytes]:
    """The digits (n, 28, 28), black on the outside, and their labels (n,), in a random order."""
    from sklearn.datasets import load_digits  # takes two seconds, which complete files need not

    data = load_digits()
    order = np.random.default_rng(SEED).permutation(len(data.images))
    images = np.stack([_enlarged(image) for image in data.images[order]])
    return images, data.target[order].astype(np.uint8)


def idx(array: Bytes) -> bytes:
    """``array`` in the IDX format: a magic number with the type and the number of dimensions, their sizes, the elements."""
    header = bytes([0, 0, UNSIGNED_BYTE, array.ndim]) + b"".join(size.to_bytes(4, "big") for size in array.shape)
    return header + array.tobytes()


def is_valid(path: Path) -> bool:
    """Whether ``path`` is a complete IDX file of bytes."""
    try:
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError):
        return False
    dimensions = data[3] if data[:3] == bytes([0, 0, UNSIGNED_BYTE]) and len(data) > 3 else 0
    sizes = [int.from_bytes(data[4 + 4 * at : 8 + 4 * at], "big") for at in range(dimensions)]
    return bool(sizes) and len(data) == 4 + 4 * dimensions + math.prod(sizes)


def present(folder: Path) -> list[Path]:
    """The files of the set that are in ``folder``, plain or compressed; of two of a name, the plain one."""
    pairs = ((folder / name, folder / f"{name}.gz") for name in DIGESTS)
    return [path for pair in pairs for path in [path for path in pair if path.is_file()][:1]]


def _enlarged(image: NDArray[np.float64]) -> Bytes:
    small = Image.fromarray(np.rint(image * (255 / BRIGHTEST)).astype(np.uint8))
    return np.pad(np.asarray(small.resize((ENLARGED, ENLARGED), Image.Resampling.BICUBIC)), (SIZE - ENLARGED) // 2)


def _stem(path: Path) -> str:
    return path.name.removesuffix(".gz")


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


if __name__ == "__main__":
    main()
