"""The steps of the iris pipelines as a pipeline runs them: from a CSV to species, and one line for each error."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
DATA = ROOT / "sample-data" / "iris"
HEADER = "sepal_length,sepal_width,petal_length,petal_width,species\n"
SETOSA, VIRGINICA = "5.1,3.5,1.4,0.2,Iris-setosa\n", "6.3,3.3,6.0,2.5,Iris-virginica\n"


def run(script: str, *arguments: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / script), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture
def folder(tmp_path: Path) -> Callable[..., Path]:
    """``folder("in", iris="...")`` makes a folder with these CSV files."""

    def make(name: str, **files: str) -> Path:
        path = tmp_path / name
        path.mkdir()
        for stem, text in files.items():
            (path / f"{stem}.csv").write_text(text)
        return path

    return make


def test_the_data_are_what_the_generator_makes(tmp_path: Path) -> None:
    assert run("sample-data/iris/generate.py", Path("--output"), tmp_path).returncode == 0
    made = {path.relative_to(tmp_path): path.read_bytes() for path in tmp_path.rglob("*.csv")}
    assert made == {path.relative_to(DATA): path.read_bytes() for path in DATA.rglob("*.csv")}
    assert len(made[Path("iris.csv")].splitlines()) == 151


def test_the_three_steps_name_the_test_flowers(folder: Callable[..., Path]) -> None:
    training, prepared, model, attributes, species = map(folder, ("training", "prepared", "model", "attributes", "species"))
    shutil.copy(DATA / "iris.csv", training)
    for name in ("test1.csv", "test2.csv"):
        shutil.copy(DATA / name, attributes)

    prepare = run("containers/iris-pre-process/pre_process.py", training, prepared)
    train = run("containers/iris-train/train_iris.py", prepared, model)
    infer = run("containers/iris-infer/infer.py", model, attributes, species)

    assert prepare.stdout == "Prepared 150 flowers of 3 species: Iris-setosa, Iris-versicolor, Iris-virginica\n"
    assert (prepared / "y_train.csv").read_text().splitlines()[:2] == ["Iris-setosa,Iris-versicolor,Iris-virginica", "1,0,0"]
    right = re.fullmatch(r"Trained on 150 flowers, of which the model names (\d+) right\n", train.stdout)
    assert right is not None
    assert int(right[1]) >= 144
    assert (prepare.stderr, train.stderr, infer.stderr) == ("", "", "")
    expected = {
        "test1.csv": ["versicolor", "virginica", "virginica", "virginica", "setosa", "setosa"],
        "test2.csv": ["setosa", "setosa", "virginica", "virginica"],
    }
    named = {path.name: path.read_text().replace("Iris-", "").split() for path in species.iterdir()}
    assert named == expected


def test_the_same_data_make_the_same_model(
    import_from: Callable[[str, str], ModuleType], folder: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    train = import_from("containers/iris-train", "train_iris")
    data = folder("data", x_train="a,b\n1,2\n3,5\n4,1\n", y_train="no,yes\n1,0\n0,1\n1,0\n")
    models = [folder("one"), folder("two")]
    for model in models:
        monkeypatch.setattr(sys, "argv", ["train.py", str(data), str(model)])
        train.main()
    assert (models[0] / "model.pt").read_bytes() == (models[1] / "model.pt").read_bytes()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "iris.csv is empty: it needs a line with sepal_length,"),
        (HEADER, "iris.csv has no flowers below its first line"),
        (HEADER.replace(",petal_width", ""), "iris.csv has no column petal_width: its first line is sepal_length,"),
        (SETOSA + SETOSA, "iris.csv has no column sepal_length, sepal_width, petal_length, petal_width, species"),
        (HEADER + SETOSA.replace("1.4", "tall"), "iris.csv, line 2: petal_length is 'tall', not a number"),
        (HEADER + SETOSA.replace("1.4", "nan"), "iris.csv, line 2: petal_length is nan, not a length in centimetres"),
        (HEADER + SETOSA.replace("1.4", "-1.4"), "iris.csv, line 2: petal_length is -1.4, not a length in centimetres"),
        (HEADER + VIRGINICA + "5.1,3.5\n", "iris.csv, line 3: petal_length is '', not a number"),
        (HEADER + VIRGINICA + "5.1,3.5,1.4,0.2\n", "iris.csv, line 3: the species is missing"),
        (HEADER + SETOSA, "every flower is Iris-setosa: a model needs two species or more"),
    ],
)
def test_training_data_that_cannot_be_used_are_refused_in_one_line(
    import_from: Callable[[str, str], ModuleType], folder: Callable[..., Path], text: str, message: str
) -> None:
    module = import_from("containers/iris-pre-process", "pre_process")
    with pytest.raises(module.DataError, match=re.escape(message)):
        module.write(module.read_all(folder("training", iris=text)), folder("out"))


def test_an_empty_training_repository_is_named_in_the_last_line(folder: Callable[..., Path]) -> None:
    training = folder("training")
    done = run("containers/iris-pre-process/pre_process.py", training, folder("out"))
    assert done.returncode == 1
    assert done.stderr == f"error: there is no CSV file in {training}: commit iris.csv to the repository\n"


def test_a_file_that_is_no_text_is_named(import_from: Callable[[str, str], ModuleType], folder: Callable[..., Path]) -> None:
    module = import_from("containers/iris-pre-process", "pre_process")
    path = folder("training") / "picture.csv"
    path.write_bytes(b"\x89PNG\xff\xfe")
    with pytest.raises(module.DataError, match=r"picture\.csv is not a text file"):
        module.read(path)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (None, "is not there: the input of this step is the output of pre_process"),
        ("a,b\n", "x_train.csv has no flowers"),
        ("a,b\n1,2\n3\n", "x_train.csv, line 3: it has other columns than the first line"),
        ("a,b\n1,two\n", "x_train.csv: could not convert string to float: 'two'"),
    ],
)
def test_prepared_data_that_cannot_be_used_are_refused_in_one_line(
    import_from: Callable[[str, str], ModuleType], folder: Callable[..., Path], x: str | None, message: str
) -> None:
    module = import_from("containers/iris-train", "train_iris")
    data = folder("data") if x is None else folder("data", x_train=x)
    with pytest.raises(module.DataError, match=re.escape(message)):
        module.read(data / "x_train.csv")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "test1.csv has no flowers: give each a line with length, width"),
        ("5.1,3.5\n5.1\n", "test1.csv, line 2: '5.1' is not 2 numbers: length, width"),
        ("length,width\n", "test1.csv, line 1: 'length,width' holds something that is not a number"),
    ],
)
def test_attributes_that_cannot_be_used_are_refused_in_one_line(
    import_from: Callable[[str, str], ModuleType], folder: Callable[..., Path], text: str, message: str
) -> None:
    module = import_from("containers/iris-infer", "infer")
    path = folder("attributes", test1=text) / "test1.csv"
    with pytest.raises(module.DataError, match=re.escape(message)):
        module.read(path, ["length", "width"])


def test_a_missing_model_says_where_it_comes_from(
    import_from: Callable[[str, str], ModuleType], folder: Callable[..., Path]
) -> None:
    module = import_from("containers/iris-infer", "infer")
    with pytest.raises(module.DataError, match=r"model\.pt is not there: cross the attributes with the output of train"):
        module.load(folder("model") / "model.pt")
