"""Name the species of flowers with a trained model.

    infer.py /pfs/train /pfs/attributes /pfs/out

Reads model.pt from the first folder and every file of the second: one flower a line, its four measurements in centimetres
separated by commas, without column names. Writes a file of the same name with one species a line.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor


class DataError(Exception):
    """The flowers or the model cannot be used; the message names the file, the line and the fix."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("model", type=Path, help="folder with model.pt")
    parser.add_argument("attributes", type=Path, help="folder with the flowers")
    parser.add_argument("output", type=Path, help="folder for the species")
    arguments = parser.parse_args()
    paths = sorted(path for path in arguments.attributes.iterdir() if path.is_file())
    print("Naming the flowers of", ", ".join(path.name for path in paths))
    try:
        model = load(arguments.model / "model.pt")
        for path in paths:
            species = predict(model, read(path, model["features"]))
            (arguments.output / path.name).write_text("".join(f"{kind}\n" for kind in species))
            print(f"Named {len(species)} flowers of {path.name}")
    except DataError as error:
        sys.exit(f"error: {error}")


def load(path: Path) -> dict[str, Any]:
    """The model that the step train has saved: weights, features and species. Raises DataError."""
    import torch

    if not path.exists():
        raise DataError(f"{path} is not there: cross the attributes with the output of train")
    return dict(torch.load(path, weights_only=True))


def read(path: Path, features: list[str]) -> Tensor:
    """The flowers of a file, one row for each, ``features`` in columns. Raises DataError."""
    import torch

    flowers = []
    for number, line in enumerate(path.read_text(errors="replace").splitlines(), start=1):
        if not line.strip():
            continue
        values = line.split(",")
        if len(values) != len(features):
            raise DataError(f"{path.name}, line {number}: {line!r} is not {len(features)} numbers: {', '.join(features)}")
        try:
            flowers.append([float(value) for value in values])
        except ValueError:
            raise DataError(f"{path.name}, line {number}: {line!r} holds something that is not a number") from None
    if not flowers:
        raise DataError(f"{path.name} has no flowers: give each a line with {', '.join(features)}")
    return torch.tensor(flowers)


def predict(model: dict[str, Any], flowers: Tensor) -> list[str]:
    """The species of each flower."""
    from torch import nn

    layer = nn.Linear(len(model["features"]), len(model["species"]))
    layer.load_state_dict(model["weights"])
    return [model["species"][kind] for kind in layer(flowers).argmax(1)]


if __name__ == "__main__":
    main()
