"""Train on the files of a Pachyderm commit: the step of the training pipeline.

Fetches the experiment's code from Git, runs it on Determined with the commit written into its configuration, registers
the best checkpoint under the job's id and describes it to the deployment pipeline in /pfs/out/model-info.yaml. If the model
already has a version, training continues from its checkpoint, on only the files that are new since its commit.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import code_repository
import commits
import experiments
import grpc
import registry
import requests
from determined.common.api.errors import BadRequestException
from determined.experimental import Determined
from determined.experimental.client import Experiment, Model, ModelVersion
from training_errors import TrainingError, required

INPUT_NAME = "data"
OUTPUT = Path("/pfs/out")


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--git-url", required=True, help="Git repository with the experiment's code")
    parser.add_argument("--git-ref", default="HEAD", help="branch, tag or commit to use (default: %(default)s)")
    parser.add_argument("--sub-dir", default=".", help="folder of the experiment in the repository")
    parser.add_argument("--config", default="const.yaml", help="experiment configuration in that folder")
    parser.add_argument("--repo", required=True, help="Pachyderm repository with the data")
    parser.add_argument("--project", default="default", help="Pachyderm project of that repository")
    parser.add_argument("--model", required=True, help="model of the registry to add a version to")
    parser.add_argument(
        "--incremental",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="continue from the model's latest version, on only the files that are new since (default: yes)",
    )
    return parser.parse_args(arguments)


def main() -> None:
    arguments = parse_arguments()
    job, pipeline = required("PACH_JOB_ID"), os.environ.get("PPS_PIPELINE_NAME", "")
    print(f"Job {job} of pipeline {pipeline}: train {arguments.model} on {arguments.project}/{arguments.repo}")
    client = experiments.connect()
    model = registry.get_or_create_model(client, arguments.model, pipeline, arguments.repo)
    version = registry.version_named(model, job)
    if version:
        print(f"An earlier try has registered version {version.model_version} for this job already")
    else:
        version = train(client, model, arguments, job, pipeline)
    registry.write_model_info(OUTPUT / "model-info.yaml", model_info(version, arguments, job, pipeline))
    print(f"Version {version.model_version} of {arguments.model} is ready to deploy")


def train(client: Determined, model: Model, arguments: argparse.Namespace, job: str, pipeline: str) -> ModelVersion:
    """Run the experiment for this job and register its best checkpoint."""
    commit = os.environ.get(f"{INPUT_NAME}_COMMIT") or job
    latest = latest_to_continue(model, arguments, commit)
    with tempfile.TemporaryDirectory() as folder:
        revision = code_repository.clone(arguments.git_url, arguments.git_ref, Path(folder) / "code")
        code = Path(folder) / "code" / arguments.sub_dir
        config = code_repository.read_config(code, arguments.config)
        config["data"]["pachyderm"] = commits.connection() | {
            "project": arguments.project,
            "repo": arguments.repo,
            "branch": commit,
            "previous_commit": registry.trained_on(latest) if latest else None,
        }
        config["labels"] = [arguments.repo, job, pipeline]
        if latest and latest.checkpoint:
            config.setdefault("searcher", {})["source_checkpoint_uuid"] = latest.checkpoint.uuid
        experiment = run(client, config, code)
    origin = {
        "job": job,
        "pipeline": pipeline,
        "project": arguments.project,
        "repo": arguments.repo,
        "commit": commit,
        "previous_commit": registry.trained_on(latest) if latest else "",
        "parent_version": latest.model_version if latest else 0,
        "experiment": experiment.id,
        "git_commit": revision,
    }
    return registry.register(model, registry.best_checkpoint(experiment), job, origin)


def latest_to_continue(model: Model, arguments: argparse.Namespace, commit: str) -> ModelVersion | None:
    """The version to continue from; None to start from the beginning, on all the data."""
    latest = model.get_version() if arguments.incremental else None
    if latest is None or latest.checkpoint is None:
        print("Training from the start, on all files of the commit")
        return None
    previous = registry.trained_on(latest)
    if not commits.brings_new_files(arguments.project, arguments.repo, commit, previous):
        print(
            f"Nothing is new since version {latest.model_version} (commit {previous}): training from the start, on all files"
        )
        return None
    print(f"Continuing from version {latest.model_version}, on only the files that are new since commit {previous}")
    return latest


def run(client: Determined, config: dict[str, Any], code: Path) -> Experiment:
    """Run the experiment to its end, or follow the experiment that an earlier try of this job has started."""
    experiment = experiments.started_before(client, config["labels"])
    if experiment:
        print(f"Going on with experiment {experiment.id}, which an earlier try has started")
    else:
        experiment = experiments.create(client, config, code)
        print(f"Created experiment {experiment.id}")
    experiments.follow(experiment)
    print(f"Experiment {experiment.id} has completed")
    return experiment


def model_info(version: ModelVersion, arguments: argparse.Namespace, job: str, pipeline: str) -> dict[str, Any]:
    """The deployment step's input (name, version, pipeline, repo), and the origin of the version."""
    checkpoint = version.checkpoint
    origin = (checkpoint.metadata if checkpoint else None) or {}
    return {
        "name": arguments.model,
        "version": job,
        "pipeline": pipeline,
        "repo": arguments.repo,
        "project": arguments.project,
        "model_version": version.model_version,
        "experiment": origin.get("experiment"),
        "checkpoint": checkpoint.uuid if checkpoint else None,
        "commit": origin.get("commit"),
        "previous_commit": origin.get("previous_commit"),
    }


if __name__ == "__main__":
    try:
        main()
    except TrainingError as error:
        sys.exit(f"error: {error}")
    except (BadRequestException, requests.RequestException) as error:
        sys.exit(f"error: Determined: {error}")
    except grpc.RpcError as error:
        sys.exit(f"error: Pachyderm: {error.details()}")  # every RpcError of a call has it
