"""Write a run's outputs back into the notebooks that are committed: `make notebooks`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat


def store_outputs(executed: Path, notebook: Path) -> None:
    """Copy the outputs of the ``executed`` copy into ``notebook``.

    Left out are stderr, which holds progress, and everything that differs between two runs of the same code: timings,
    the cell with the injected parameters and the counts it shifts.
    """
    outputs = {cell.id: cell.get("outputs", []) for cell in nbformat.read(executed, as_version=4).cells}
    content = nbformat.read(notebook, as_version=4)
    count = 0
    for cell in content.cells:
        if cell.cell_type == "code":
            count += 1
            cell.execution_count = count
            cell.outputs = [_with_count(one, count) for one in _merged(outputs[cell.id])]
    nbformat.write(content, notebook)


def _merged(outputs: list[Any]) -> list[Any]:
    """``outputs`` without stderr, with what was printed piece by piece in one piece."""
    merged: list[Any] = []
    for one in outputs:
        if one.output_type == "stream" and one.name == "stderr":
            continue
        if merged and one.output_type == merged[-1].output_type == "stream":
            merged[-1].text += one.text
        else:
            merged.append(one)
    return merged


def _with_count(output: Any, count: int) -> Any:
    if output.output_type == "execute_result":
        output.execution_count = count
    return output
