"""`python -m sklearnserver.trainer`: train a model, evaluate it on flowers that it has not seen, and save it."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

from sklearnserver.trainer import config
from sklearnserver.trainer.model import MyModel
from sklearnserver.trainer.utils import read_flowers, split


def main() -> None:
    """Train on ``--columns``, print the accuracy, save to ``--output`` (by default a folder of this package).

    Exits with a sentence if the model cannot be trained or saved.
    """
    parser = argparse.ArgumentParser(prog="sklearnserver.trainer", description=__doc__)
    parser.add_argument("--columns", nargs="+", choices=config.MEASURES, default=config.COLUMNS, metavar="NAME")
    parser.add_argument("--version", default=config.VERSION, help="the model's folder in trainer/ [default: %(default)s]")
    parser.add_argument("--output", type=Path, help="another folder")
    arguments = parser.parse_args()
    if len(set(arguments.columns)) < len(arguments.columns):
        parser.error("--columns: name each column once")
    if not re.fullmatch(r"\w[\w.-]*", arguments.version):
        parser.error("--version: use letters, digits, points and hyphens, as in 0002")

    training, held_out = split(*read_flowers(config.DATA))
    try:
        model = MyModel(columns=arguments.columns)
        model.train(*training)
        result = model.evaluate(*held_out)
        saved = model.save(arguments.output or config.HERE / arguments.version)
    except (NotImplementedError, OSError) as error:
        sys.exit(f"sklearnserver.trainer: {error}")

    print(f"Trained on {len(training[1])} flowers, looking at {' and '.join(model.columns)}")
    print(f"Right about {result['right']} of {result['flowers']} others (accuracy {result['accuracy']:.2f})")
    print(f"Saved {saved.relative_to(Path.cwd()) if saved.is_relative_to(Path.cwd()) else saved}")


if __name__ == "__main__":
    main()
