"""The names from the time when KServe was called kfserving, and the current ones."""

from __future__ import annotations

from pathlib import Path

SUFFIXES = {"", ".py", ".yaml", ".Dockerfile", ".txt", ".toml", ".md", ".json"}
"""Suffixes of the files to search; Makefile and run_sklearnserver have none."""
TODAY = {
    "serving.kubeflow.org": "serving.kserve.io",
    "kfserving-container": "kserve-container",
    "kfserving.KFModelRepository": "kserve.ModelRepository",
    "kfserving.KFModel": "kserve.Model",
    "kfserving.KFServer": "kserve.ModelServer",
    "kfserving.Storage": "kserve.storage.Storage",
    "kserve.Storage": "kserve.storage.Storage",
    "KFServingClient": "kserve.KServeClient",
    "KFModelRepository": "ModelRepository",
    "KFModel": "Model",
    "KFServer": "ModelServer",
    "KFSERVING_": "KSERVE_",
    "kfserving": "kserve",
    "--max_buffer_size": "--grpc_max_receive_message_length",
}
"""Old name -> current name. The more exact names come first."""


def find(package: Path) -> str:
    """The place of the first old name in the package's files, with the current name; empty if there is none."""
    for path in sorted(path for path in package.rglob("*") if path.suffix in SUFFIXES and path.is_file()):
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), start=1):
            for old, new in TODAY.items():
                if old in line:
                    return f"{path.relative_to(package)}, line {number}: {old} is an old name; today it is {new}"
    return ""
