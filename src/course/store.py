"""Write a run's outputs back into the notebooks that are committed: `make notebooks`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat


def store_outputs(executed: Path, notebook: Path) -> None:
    """Copy the outputs of the ``executed`` copy into ``notebook``.

    Left out are stderr, which shows progress, and everything that differs between two runs of the same code: timings,
    the cell with the injected parameters and the counts that it shifts.
    """
    outputs = {cell.id: cell.get("outputs", []) for cell in nbformat.read(executed, as_version=4).cells}
    content = nbformat.read(notebook, as_version=4)
    count = 0
    for cell in content.cells:
        if cell.cell_type == "code":
            count += 1
            cell.execution_count = count
            cell.outputs = [_with_count(output, count) for output in _merged(outputs[cell.id])]
    nbformat.write(content, notebook)


def _merged(outputs: list[Any]) -> list[Any]:
    """``outputs`` without stderr, and with consecutive pieces of printed text joined."""
    merged: list[Any] = []
    for output in outputs:
        if output.output_type == "stream" and output.name == "stderr":
            continue
        if merged and output.output_type == merged[-1].output_type == "stream":
            merged[-1].text += output.text
        else:
            merged.append(output)
    return merged


def _with_count(output: Any, count: int) -> Any:
    if output.output_type == "execute_result":
        output.execution_count = count
    return output
