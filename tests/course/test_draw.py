"""The pictures show the values that they are given."""

from __future__ import annotations

import numpy as np
from matplotlib.patches import Rectangle

from course import draw


def test_a_node_of_the_dag_stands_right_of_its_inputs() -> None:
    figure = draw.dag(
        [("data", "repo"), ("train", "pipeline"), ("deploy", "pipeline")],
        [("data", "train"), ("train", "deploy"), ("data", "deploy")],
    )
    x = {text.get_text(): text.get_position()[0] for text in figure.axes[0].texts if text.get_text()}
    assert x["data"] < x["train"] < x["deploy"]


def test_a_source_that_is_read_late_stands_one_column_before_its_reader() -> None:
    figure = draw.dag(
        [("train", "pipeline"), ("inference", "pipeline"), ("training", "repo"), ("attributes", "repo")],
        [("training", "train"), ("train", "inference"), ("attributes", "inference")],
    )
    x = {text.get_text(): text.get_position()[0] for text in figure.axes[0].texts if text.get_text()}
    assert x["training"] < x["attributes"] == x["train"] < x["inference"]


def test_the_confusion_matrix_counts_truth_in_rows_and_prediction_in_columns() -> None:
    figure = draw.confusion([0, 0, 1, 1], [0, 1, 1, 1], ["stays", "leaves"])
    assert [text.get_text() for text in figure.axes[0].texts] == ["1", "1", "0", "2"]


def test_a_job_is_drawn_with_its_datums_as_pachctl_counts_them() -> None:
    axes = draw.jobs([("train", 1, 0, 0), ("inference", 1, 1, 1)]).axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["train", "inference"]
    assert [text.get_text() for text in axes.texts] == ["1 + 0 / 1", "1 + 1 / 3"]
    legend = axes.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["processed", "skipped", "failed"]


def test_pictures_without_data_are_empty() -> None:
    figures = [draw.jobs([]), draw.workers([]), draw.dag([], [])]
    assert [len(figure.axes[0].patches) for figure in figures] == [0, 0, 0]


def test_regions_ring_the_points_that_are_named_wrongly() -> None:
    rows, labels = [[0.0, 9.0, 1.0], [1.0, 9.0, 0.0], [3.0, 9.0, 3.0]], [0, 0, 0]

    def by_the_first(points: list[list[float]]) -> list[int]:
        assert {point[1] for point in points} == {9.0}  # the column that is not drawn stays at its mean
        return [int(point[0] > 2) for point in points]

    axes = draw.regions(by_the_first, rows, labels, columns={"a": 0, "c": 2}, classes=["x", "y"]).axes[0]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("a", "c")
    [ringed] = [points for points in axes.collections if points.get_label() == "wrong"]
    assert np.asarray(ringed.get_offsets()).tolist() == [[3.0, 3.0]]


def test_shares_stand_beside_the_expected_percentages() -> None:
    axes = draw.shares({"0001": 150, "0002": 50}, expected={"0001": 80, "0002": 20}).axes[0]
    assert [bar.get_width() for bar in axes.patches if isinstance(bar, Rectangle)] == [75.0, 25.0]
    assert [np.asarray(line.get_xdata())[0] for line in axes.lines] == [80, 20]
