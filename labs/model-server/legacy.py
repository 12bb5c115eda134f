"""The names that KServe's things had while it was called kfserving."""

from __future__ import annotations

from pathlib import Path

SUFFIXES = {"", ".py", ".yaml", ".Dockerfile", ".txt", ".toml", ".md", ".json"}
"""Of the files to look at; Makefile and run_sklearnserver have none."""
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
"""What it was called -> what it is called. The more exact names come first."""


def old_name(package: Path) -> str:
    """Where a file of the package uses an old name, and today's; empty where none does."""
    for path in sorted(one for one in package.rglob("*") if one.suffix in SUFFIXES and one.is_file()):
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), start=1):
            for old, new in TODAY.items():
                if old in line:
                    return f"{path.relative_to(package)}, line {number}: {old} is an old name; today it is {new}"
    return ""
