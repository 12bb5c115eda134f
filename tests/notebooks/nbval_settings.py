"""A pytest plugin for the notebooks' own runs: the outputs that nbval does not compare.

Pictures differ from machine to machine by a hair, and stderr holds progress lines.
"""

from __future__ import annotations

import pytest

SKIPPED = ("stderr", "image/png", "application/vnd.jupyter.widget-view+json")


def pytest_collectstart(collector: pytest.Collector) -> None:
    if hasattr(collector, "skip_compare"):
        collector.skip_compare += SKIPPED
