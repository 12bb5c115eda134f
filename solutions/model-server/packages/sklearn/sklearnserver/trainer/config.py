"""The model's settings: change them here."""

from __future__ import annotations

from pathlib import Path

HERE = Path(__file__).parent
DATA = HERE / "iris.csv"

MEASURES = ("sepal_length", "sepal_width", "petal_length", "petal_width")
"""The four numbers of a flower in centimetres, in the order of a request."""

CLASSES = ("Iris-setosa", "Iris-versicolor", "Iris-virginica")
"""A prediction is the number of one of these: 0, 1 or 2."""

COLUMNS = ("sepal_length", "sepal_width")
"""The measures that a model looks at by default."""

VERSION = "0001"
HELD_OUT = 50
"""The number of flowers kept from training, to evaluate the model on."""

SEED = 0
