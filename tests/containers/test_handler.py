"""The churn handler as TorchServe's own loader runs it from an archive."""

from __future__ import annotations

import json
import sys
import timeit
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from tests.churn_archive import EXPERIMENT, write_checkpoint

ROOT = Path(__file__).parents[2]
Predict = Callable[[Any], list[list[float]]]

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("checkpoint"))


@pytest.fixture(scope="module")
def predict(
    checkpoint: Path, tmp_path_factory: pytest.TempPathFactory, import_from: Callable[[str, str], ModuleType]
) -> Iterator[Predict]:
    """Ask the packed handler, behind TorchServe's envelope for KServe, with the body of a request."""
    import ts
    from ts.context import RequestProcessor
    from ts.metrics.metric_cache_yaml_impl import MetricsCacheYamlImpl
    from ts.model_loader import ModelLoaderFactory

    folder, model = tmp_path_factory.mktemp("archive"), tmp_path_factory.mktemp("model")
    archives = import_from("containers/deploy", "model_archive")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{Path(sys.executable).parent}:/usr/bin:/bin")
        patch.setenv("SERVING_MODE", "")
        patch.setenv("TMPDIR", str(tmp_path_factory.mktemp("archiver")))  # it works in a folder called as the model there
        script = archives.create_script_module(checkpoint, folder)
        zipfile.ZipFile(archives.create_archive("churn", "1", script, checkpoint, folder)).extractall(model)
    metrics = MetricsCacheYamlImpl(config_file_path=str(Path(ts.__path__[0]) / "configs" / "metrics.yaml"))
    metrics.initialize_cache()
    sys.path.insert(0, str(model))
    for name in ("preprocessing", "customer_churn_handler"):
        sys.modules.pop(name, None)
    loader = ModelLoaderFactory.get_model_loader()
    service = loader.load("churn", str(model), "customer_churn_handler.py", None, 1, "kserve", True, metrics)
    service.context.request_processor = [RequestProcessor({})]

    def ask(body: Any) -> list[list[float]]:
        return list(service._entry_point([{"body": body}], service.context)[0]["predictions"])

    yield ask
    sys.path.remove(str(model))
    for name in ("preprocessing", "customer_churn_handler"):
        sys.modules.pop(name, None)


@pytest.fixture
def columns() -> dict[str, dict[str, Any]]:
    """The ten customers of the sample."""
    return dict(json.loads((ROOT / "sample-data" / "customer_churn_sample.json").read_text()))


@pytest.fixture
def expected(columns: dict[str, dict[str, Any]]) -> list[list[float]]:
    mean = json.loads((EXPERIMENT / "numscale.json").read_text())["eqpdays"]["mean"]
    return [[1.0 if days >= mean else 0.0] for days in columns["eqpdays"].values()]


def test_one_instance_with_ten_customers_gives_ten_predictions(
    predict: Predict, columns: dict[str, dict[str, Any]], expected: list[list[float]]
) -> None:
    assert predict({"instances": [{"data": columns}]}) == expected
    assert len({row[0] for row in expected}) == 2


def test_the_sample_request_is_understood_as_bytes(predict: Predict, expected: list[list[float]]) -> None:
    assert predict((ROOT / "sample-data" / "sample.json").read_bytes()) == expected


def test_lists_and_records_give_the_same_predictions(
    predict: Predict, columns: dict[str, dict[str, Any]], expected: list[list[float]]
) -> None:
    lists = {name: list(column.values()) for name, column in columns.items()}
    records = [{name: column[row] for name, column in columns.items()} for row in columns["churn"]]
    assert predict({"instances": [{"data": lists}]}) == expected
    assert predict({"instances": [{"data": records}]}) == expected


def test_several_instances_are_answered_one_after_the_other(
    predict: Predict, columns: dict[str, dict[str, Any]], expected: list[list[float]]
) -> None:
    assert predict({"instances": [{"data": columns}, {"data": columns}]}) == expected * 2


def test_churn_and_other_columns_are_ignored(
    predict: Predict, columns: dict[str, dict[str, Any]], expected: list[list[float]]
) -> None:
    del columns["churn"]
    assert predict({"instances": [{"data": columns | {"churn": "?", "comment": {}}}]}) == expected


def test_rows_are_matched_by_their_name(
    predict: Predict, columns: dict[str, dict[str, Any]], expected: list[list[float]]
) -> None:
    columns["eqpdays"] = dict(reversed(columns["eqpdays"].items()))
    assert predict({"instances": [{"data": columns}]}) == expected


def one_customer(columns: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return {name: {"0": column["0"]} for name, column in columns.items()}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"months": None}, "column months is null; the first column is an object {row: value}, so all have to be"),
        ({"months": {"0": "3"}}, 'column months, row 0: "3" is not a number'),
        ({"months": {"0": None}}, "column months, row 0: null is not a number"),
        ({"months": {"0": float("inf")}}, "column months, row 0: inf is not a finite number in range"),
        ({"creditcd": {"0": "?"}}, 'column creditcd, row 0: "?" is none of Y, N'),
        ({"months": {"0": 1, "1": 2}}, "column months has 2 rows where the first column has 1"),
        ({"months": {"1": 1}}, "column months has no row '0'"),
    ],
)
def test_a_bad_value_is_a_400_that_names_it(
    predict: Predict, columns: dict[str, dict[str, Any]], change: dict[str, Any], message: str
) -> None:
    assert refused(predict, {"instances": [{"data": one_customer(columns) | change}]}) == message


def test_a_missing_column_is_a_400_that_names_it(predict: Predict, columns: dict[str, dict[str, Any]]) -> None:
    columns.pop("area")
    assert refused(predict, {"instances": [{"data": one_customer(columns)}]}) == "column missing: area"
    records = [{name: column["0"] for name, column in columns.items()}]
    assert refused(predict, {"instances": [{"data": records}]}) == "column missing: area"


def test_an_error_in_one_of_several_instances_has_its_number(predict: Predict, columns: dict[str, dict[str, Any]]) -> None:
    good = {name: column["0"] for name, column in columns.items()}
    bad = {name: value for name, value in good.items() if name != "area"}
    assert refused(predict, {"instances": [{"data": columns}, {"data": [good, bad]}]}) == (
        "instance 1: column missing: area in row 1"
    )


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, 'the request needs a list under "instances" with at least one entry'),
        ({"instances": []}, 'the request needs a list under "instances" with at least one entry'),
        ({"instances": {"data": 1}}, 'the request needs a list under "instances" with at least one entry'),
        ({"instances": [1]}, 'each instance needs an object {"data": ...}'),
        ({"instances": [{}]}, 'each instance needs an object {"data": ...}'),
        ({"instances": [{"data": {}}]}, '"data" is empty'),
        ({"instances": [{"data": []}]}, '"data" is empty'),
        ({"instances": [{"data": "rows"}]}, '"data" is a text; it has to be an object with one entry per column'),
        ({"instances": [{"data": [1]}]}, "row 0 is a number; in a list, each row has to be an object {column: value}"),
        ({"instances": [{"data": {"months": []}}]}, '"data" holds no rows'),
        (
            {"instances": [{"data": {"months": 1}}]},
            "column months is a number; it has to be an object {row: value} or a list",
        ),
    ],
)
def test_a_body_of_another_shape_is_a_400_that_says_which(predict: Predict, body: dict[str, Any], message: str) -> None:
    assert refused(predict, body) == message


def refused(predict: Predict, body: Any) -> str:
    from ts.utils.util import PredictionException

    with pytest.raises(PredictionException) as caught:
        predict(body)
    assert caught.value.error_code == 400
    return str(caught.value.message)


def test_one_customer_costs_less_than_a_millisecond(predict: Predict, columns: dict[str, dict[str, Any]]) -> None:
    body = {"instances": [{"data": one_customer(columns)}]}
    seconds = min(timeit.repeat(lambda: predict(body), number=50, repeat=5)) / 50
    assert seconds < 0.001
