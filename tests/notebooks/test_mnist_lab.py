"""The parts of the MNIST lab that no other lab has: gaps in files, and secrets that no output shows."""

from __future__ import annotations

import re

import nbformat

from tests.notebooks.conftest import ROOT, prose

LAB = ROOT / "labs" / "mnist" / "lab.ipynb"
TOKEN = re.compile(r"eyJ[\w-]{10,}|U1FMaXRl|\"auths\"|dockerconfigjson:")
"""The beginning of a JSON Web Token, of a database in base64, and parts of a registry's secret."""


def test_every_file_with_a_gap_is_named_in_the_lab() -> None:
    text = prose(LAB)
    gaps = [
        path for path in LAB.parent.iterdir() if path.suffix in {".py", ".Dockerfile"} and "Your turn:" in path.read_text()
    ]
    assert sorted(path.name for path in gaps) == ["main.py", "seldon_model.py", "train.Dockerfile"]
    for path in gaps:
        assert f"**Your turn in** `{path.name}`" in text


def test_no_output_of_the_solution_shows_a_secret() -> None:
    cells = nbformat.read(ROOT / "solutions" / "mnist" / "lab.ipynb", as_version=4).cells
    outputs = [str(cell.outputs) for cell in cells if cell.cell_type == "code"]
    assert [output for output in outputs if TOKEN.search(output)] == []
