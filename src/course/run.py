"""``python -m course.run``: execute the numbered notebooks in order, or the solutions of labs, and show the results.

Each notebook runs through papermill in a separate kernel; the executed copies are kept to open and read. After the numbered
notebooks, the sample customers' ground truth and predictions and the addresses of the systems are printed.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import nbformat
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from course import endpoint
from course.catch_up import execute, executed_copy
from course.labs import Lab, LabError, work
from course.labs import load as load_labs
from course.profile import Profile, ProfileError, load
from course.store import store_outputs

console = Console(highlight=False, soft_wrap=True)


def main() -> None:
    """Run the labs and notebooks named on the command line, by default the numbered notebooks, with --profile."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "notebooks", nargs="*", help="labs, whose solutions run, or paths of notebooks [default: notebooks/*.ipynb]"
    )
    parser.add_argument("--store", action="store_true", help="write the outputs into the notebooks themselves")
    parser.add_argument("--start-over", action="store_true", help="run a lab's solution over other work in its project")
    parser.add_argument("--profile", default="embedded", help="profiles/NAME.env [default: embedded]")
    arguments = parser.parse_args()
    try:
        profile = load(arguments.profile)
        profile.compare_cluster()
        notebooks = find_notebooks(arguments.notebooks, profile.root)
        labs = [load_labs(profile.root).lab(name) for name in arguments.notebooks if not name.endswith(".ipynb")]
        if not arguments.start_over:
            check_work(profile, labs, storing=arguments.store and not arguments.notebooks)
    except (ProfileError, LabError, work.WorkError) as error:
        sys.exit(f"course: {error}")
    began = time.monotonic()
    copies = run_all(notebooks, profile)
    for lab in labs:
        work.record_run(profile, lab)
    if arguments.store:
        for copy, notebook in zip(copies, notebooks, strict=True):
            store_outputs(copy, notebook)
    console.print(f"\n[green]Ran {len(copies)} of {len(notebooks)}[/green] in {time.monotonic() - began:.0f} s.\n")
    if not arguments.notebooks:
        show_predictions(profile)
        console.print(addresses(profile))
    console.print("Executed copies:", ", ".join(dict.fromkeys(str(copy.parent) for copy in copies)))


def find_notebooks(names: Sequence[str], root: Path) -> list[Path]:
    """The notebooks called ``names``, a lab or a path each; without names, the numbered notebooks. Raises LabError."""
    if not names:
        return sorted((root / "notebooks").glob("[0-9]*.ipynb"))
    index = load_labs(root)
    return [Path(name) if name.endswith(".ipynb") else root / _solution(index.lab(name)) for name in names]


def _solution(lab: Lab) -> str:
    if not lab.notebook:
        raise LabError(f"the lab {lab.name} has no notebook yet: its solution is the folder {lab.solution}")
    return lab.solution


def check_work(profile: Profile, labs: list[Lab], *, storing: bool) -> None:
    """Raise WorkError if the run would destroy work in a project of ``labs``, or if ``storing`` with a cluster in use."""
    if storing:
        work.check_cluster(profile)
    for lab in labs:
        work.check_project(profile, lab)


def run_all(notebooks: list[Path], profile: Profile) -> list[Path]:
    """Execute ``notebooks`` in order with a progress bar; exit with the failing cell's message when one fails."""
    from nbclient.exceptions import DeadKernelError
    from papermill.exceptions import PapermillExecutionError

    copies = []
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("notebooks", total=len(notebooks))
        for notebook in notebooks:
            progress.update(task, description=notebook.stem)
            began = time.monotonic()
            try:
                copies.append(execute(notebook, profile))
            except (PapermillExecutionError, DeadKernelError, KeyboardInterrupt) as error:
                progress.stop()
                sys.exit(f"course: {notebook.name}, {last_cell(executed_copy(notebook, profile))}: {reason(error)}")
            progress.console.print(f"  {notebook.name}  {time.monotonic() - began:.1f} s")
            progress.advance(task)
    return copies


def last_cell(copy: Path) -> str:
    """The last cell that ran in the executed ``copy``: its number among the notebook's code cells, and its first line."""
    code = [cell for cell in nbformat.read(copy, as_version=4).cells if cell.cell_type == "code"]
    code = [cell for cell in code if "injected-parameters" not in cell.metadata.get("tags", [])]
    started = [number for number, cell in enumerate(code, start=1) if cell.metadata.get("papermill", {}).get("start_time")]
    if not started:
        return "before its first cell"
    return f"cell {started[-1]} ({code[started[-1] - 1].source.strip().partition(chr(10))[0]})"


def reason(error: BaseException) -> str:
    """Why a notebook ended early, in one line."""
    from papermill.exceptions import PapermillExecutionError

    if isinstance(error, PapermillExecutionError):
        return f"{error.ename}: {error.evalue}"
    if isinstance(error, KeyboardInterrupt):
        return "interrupted"
    return "its kernel was killed: is there enough memory? (`dmesg` names processes that were killed for it)"


def show_predictions(profile: Profile) -> None:
    """Ask the endpoint about the sample customers and print one ``Ground truth/Predicted`` line for each."""
    sample = json.loads((profile.root / "sample-data" / "customer_churn_sample.json").read_text())
    for row, predicted in enumerate(endpoint.predict(profile, sample)):
        console.print(f"Ground truth/Predicted: {sample['churn'][str(row)]}/{predicted}")


def addresses(profile: Profile) -> Table:
    """The addresses of the systems, for the browser and for curl."""
    table = Table(box=None, show_header=False, padding=(0, 2), title="\nAddresses", title_justify="left")
    table.add_row("Pachyderm", profile["PACHD_ADDRESS"])
    table.add_row("Determined", profile["DET_MASTER"])
    table.add_row("Endpoint", f"{profile.ingress}/v1/models/{endpoint.MODEL}:predict")
    table.add_row("", f"Host: {endpoint.hostname(profile)}")
    return table


if __name__ == "__main__":
    main()
