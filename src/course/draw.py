"""The pictures of the course: a DAG, jobs and workers, learning curves, a confusion matrix, drift, before and after.

Every function takes plain Python values and returns a matplotlib figure; the notebook shows it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch
from matplotlib.ticker import MaxNLocator

if TYPE_CHECKING:
    import pandas as pd

BLUE, ORANGE, GREEN, PURPLE, RED = "#2f6db3", "#d9822b", "#3a8f5c", "#7b4fa3", "#b3392f"
GREY, INK = "#e8ebef", "#22303f"
KIND_COLOURS = {"file": INK, "repo": BLUE, "pipeline": ORANGE, "model version": PURPLE, "endpoint": GREEN}

Node = tuple[str, str]
"""A node of the DAG: its name and its kind, one of KIND_COLOURS' keys."""


def dag(nodes: Sequence[Node], edges: Sequence[tuple[str, str]]) -> Figure:
    """The DAG of repositories, pipelines and endpoints, left to right in the order that data flows.

    ``edges`` are pairs of node names. A node stands one column right of its furthest input; a node without inputs stands one
    column left of its first reader.
    """
    column = _columns([name for name, _ in nodes], edges)
    rows: dict[int, int] = {}
    place: dict[str, tuple[float, float]] = {}
    for name, _ in nodes:
        place[name] = (3.2 * column[name], -1.4 * rows.get(column[name], 0))
        rows[column[name]] = rows.get(column[name], 0) + 1
    figure, axes = _canvas(figsize=(3.0 * (max(column.values(), default=0) + 1), 1.1 * max(rows.values(), default=1)))
    for start, end in edges:
        (x0, y0), (x1, y1) = place[start], place[end]
        axes.annotate("", (x1 - 1.3, y1), (x0 + 1.3, y0), arrowprops={"arrowstyle": "-|>", "color": INK, "lw": 1.4})
    for name, kind in nodes:
        x, y = place[name]
        box = FancyBboxPatch(
            (x - 1.2, y - 0.38), 2.4, 0.76, boxstyle="round,pad=0.06", fc="white", ec=KIND_COLOURS[kind], lw=2
        )
        axes.add_patch(box)
        axes.text(x, y + 0.12, name, ha="center", va="center", fontsize=8.5, color=INK, weight="bold")
        axes.text(x, y - 0.2, kind, ha="center", va="center", fontsize=7.5, color=KIND_COLOURS[kind])
    axes.set_xlim(-1.5, 3.2 * max(column.values(), default=0) + 1.5)
    axes.set_ylim(-1.4 * (max(rows.values(), default=1) - 1) - 0.7, 0.7)
    axes.axis("off")
    figure.tight_layout()
    return figure


def jobs(rows: Sequence[tuple[str, int, int, int]]) -> Figure:
    """One bar for each job, oldest at the top: the number of datums that it processed, skipped and failed at.

    A row is (the job's name, processed, skipped, failed).
    """
    figure, axes = _canvas(figsize=(7.0, 0.7 + 0.34 * max(1, len(rows))))
    left = np.zeros(len(rows))
    for column, label, colour in ((1, "processed", ORANGE), (2, "skipped", GREY), (3, "failed", RED)):
        counts = np.array([row[column] for row in rows])
        if column < 3 or counts.any():
            axes.barh(range(len(rows)), counts, 0.62, left=left, color=colour, edgecolor=INK, lw=0.6, label=label)
        left = left + counts
    for at, (_, processed, skipped, failed) in enumerate(rows):
        axes.text(left[at] + 0.1, at, f"{processed} + {skipped} / {processed + skipped + failed}", va="center", fontsize=8.5)
    axes.set_yticks(range(len(rows)), [row[0] for row in rows], fontsize=8.5)
    axes.invert_yaxis()
    axes.set_xlim(0, max(left, default=0) + 1.5)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("datums")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8.5, loc="lower right")
    figure.tight_layout()
    return figure


def workers(runs: Sequence[tuple[str, str, float, float]]) -> Figure:
    """One line for each worker and a bar for each datum on it. A run is (worker, datum, start, end) in seconds."""
    names = sorted({worker for worker, *_ in runs})
    figure, axes = _canvas(figsize=(7.0, 0.8 + 0.42 * max(1, len(names))))
    for worker, datum, start, end in runs:
        at = names.index(worker)
        axes.barh(at, end - start, 0.6, left=start, color=BLUE, edgecolor="white")
        axes.text((start + end) / 2, at, datum, ha="center", va="center", color="white", fontsize=8)
    axes.set_yticks(range(len(names)), names, fontsize=8.5)
    axes.invert_yaxis()
    axes.set_xlabel("seconds")
    axes.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    return figure


def learning_curves(
    curves: Mapping[str, Sequence[tuple[int, float]]], *, ylabel: str, baseline: float | None = None
) -> Figure:
    """One line for each curve, a sequence of (batches, value); ``baseline`` is drawn as the majority guess."""
    figure, axes = _canvas(figsize=(6.5, 3.4))
    for (label, points), colour in zip(curves.items(), (BLUE, ORANGE, GREEN), strict=False):
        axes.plot([x for x, _ in points], [y for _, y in points], marker="o", ms=3.5, color=colour, label=label)
    if baseline is not None:
        axes.axhline(baseline, color=INK, lw=1, ls="--", label=f"majority guess ({baseline:.3f})")
    axes.set_xlabel("batches")
    axes.set_ylabel(ylabel)
    _tidy(axes)
    axes.legend(frameon=False)
    figure.tight_layout()
    return figure


def confusion(truth: Sequence[int], predicted: Sequence[int], labels: Sequence[str]) -> Figure:
    """The confusion matrix: rows are the ground truth, columns the prediction, cells counts of customers."""
    counts = np.zeros((len(labels), len(labels)), dtype=int)
    np.add.at(counts, (np.asarray(truth, dtype=int), np.asarray(predicted, dtype=int)), 1)
    figure, axes = _canvas(figsize=(3.8, 3.4))
    axes.imshow(counts, cmap="Blues", vmin=0)
    for (row, col), count in np.ndenumerate(counts):
        axes.text(col, row, str(count), ha="center", va="center", color="white" if count > counts.max() / 2 else INK)
    axes.set_xticks(range(len(labels)), labels)
    axes.set_yticks(range(len(labels)), labels, rotation=90, va="center")
    axes.set_xlabel("predicted")
    axes.set_ylabel("ground truth")
    figure.tight_layout()
    return figure


def regions(
    predict: Callable[[list[list[float]]], Sequence[int]],
    rows: Sequence[Sequence[float]],
    labels: Sequence[int],
    *,
    columns: Mapping[str, int],
    classes: Sequence[str],
) -> Figure:
    """The answers of ``predict`` over the plane of two ``columns`` (name -> index); ``rows`` are its points.

    The other columns stand at their means. A prediction and a label are the number of one of ``classes``.
    """
    table, truth = np.asarray(rows, dtype=float), np.asarray(labels)
    (first, x), (second, y) = columns.items()
    sides = [np.linspace(table[:, at].min() - 0.4, table[:, at].max() + 0.4, 120) for at in (x, y)]
    across, up = np.meshgrid(*sides)
    grid = np.tile(table.mean(axis=0), (across.size, 1))
    grid[:, x], grid[:, y] = across.ravel(), up.ravel()
    predicted = np.asarray(predict(grid.tolist())).reshape(across.shape)
    figure, axes = _canvas(figsize=(4.6, 3.6))
    colours = (BLUE, ORANGE, GREEN, PURPLE)[: len(classes)]
    limits = {"vmin": -0.5, "vmax": len(classes) - 0.5}
    axes.pcolormesh(across, up, predicted, cmap=ListedColormap(colours), alpha=0.25, lw=0, **limits)
    for number, (name, colour) in enumerate(zip(classes, colours, strict=True)):
        axes.scatter(*table[truth == number][:, (x, y)].T, s=16, color=colour, label=name)
    wrong = np.asarray(predict(table.tolist())) != truth
    axes.scatter(*table[wrong][:, (x, y)].T, s=60, facecolors="none", edgecolors=RED, label="wrong")
    axes.set_xlabel(first)
    axes.set_ylabel(second)
    axes.legend(frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(1, 1))
    figure.tight_layout()
    return figure


def shares(counts: Mapping[str, int], expected: Mapping[str, int]) -> Figure:
    """The number of requests that each version answered, beside the percentage ``expected`` of it."""
    total = max(1, sum(counts.values()))
    figure, axes = _canvas(figsize=(5.6, 0.6 + 0.5 * len(counts)))
    bars = axes.barh(list(counts), [100 * count / total for count in counts.values()], 0.6, color=BLUE)
    axes.bar_label(bars, [f"{count} of {total}" for count in counts.values()], padding=4, fontsize=8.5)
    for at, name in enumerate(counts):
        axes.plot([expected[name]] * 2, [at - 0.38, at + 0.38], color=INK, lw=1.4, label="" if at else "asked for")
    axes.set_xlim(0, 115)
    axes.invert_yaxis()
    axes.set_xlabel("percent of the requests")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8.5, loc="lower right")
    figure.tight_layout()
    return figure


def drift(old: pd.DataFrame, new: pd.DataFrame, columns: Sequence[str]) -> Figure:
    """The distribution of each column in the old and the new data, side by side."""
    figure, axes = _canvas(1, len(columns), figsize=(3.2 * len(columns), 2.8))
    for axis, column in zip(np.atleast_1d(axes), columns, strict=True):
        low, high = np.percentile(old[column], [1, 99])
        bins = np.linspace(low, high, 40)
        axis.hist(old[column], bins=bins, density=True, color=BLUE, alpha=0.55, label="part 1")
        axis.hist(new[column], bins=bins, density=True, color=ORANGE, alpha=0.55, label="part 2")
        axis.set_title(column, fontsize=10)
        axis.set_yticks([])
        _tidy(axis)
    np.atleast_1d(axes)[0].legend(frameon=False, fontsize=8)
    figure.tight_layout()
    return figure


def before_after(scores: Mapping[str, tuple[float, float]], *, baseline: float) -> Figure:
    """Accuracy before and after retraining, a pair of bars for each data set in ``scores``."""
    figure, axes = _canvas(figsize=(5.2, 3.2))
    at = np.arange(len(scores))
    for offset, side, colour in ((-0.18, 0, BLUE), (0.18, 1, ORANGE)):
        bars = axes.bar(at + offset, [pair[side] for pair in scores.values()], 0.34, color=colour)
        axes.bar_label(bars, fmt="%.3f", fontsize=8.5)
        bars.set_label("after" if side else "before")
    axes.axhline(baseline, color=INK, lw=1, ls="--", label="majority guess")
    axes.set_xticks(at, list(scores))
    axes.set_ylim(0.45, max(0.7, 0.03 + max(max(pair) for pair in scores.values())))
    axes.set_ylabel("accuracy")
    _tidy(axes)
    axes.legend(frameon=False, fontsize=8.5, loc="upper right", ncols=3)
    figure.tight_layout()
    return figure


def _columns(names: Sequence[str], edges: Sequence[tuple[str, str]]) -> dict[str, int]:
    column = dict.fromkeys(names, 0)
    for _ in names:  # the longest path has at most as many edges as there are nodes
        for start, end in edges:
            column[end] = max(column[end], column[start] + 1)
    for name in set(names) - {end for _, end in edges}:
        column[name] = min((column[end] - 1 for start, end in edges if start == name), default=0)
    return column


def _canvas(rows: int = 1, columns: int = 1, *, figsize: tuple[float, float]) -> tuple[Figure, Any]:
    figure: Figure
    figure, axes = plt.subplots(rows, columns, figsize=figsize)
    plt.close(figure)  # the notebook shows the figure that a function returns: once, not twice
    return figure, axes


def _tidy(axes: plt.Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color=GREY)
    axes.set_axisbelow(True)
