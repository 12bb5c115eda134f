"""TorchServe's model archives (`.mar`): find the one to serve, unpack it safely, read its manifest.

A model folder is laid out as TorchServe wants it, ``model-store/<name>.mar`` and ``config/config.properties``, or flat, as
KServe's storage initializer leaves it for an archive whose name begins with the last part of its storageUri.
Format: https://github.com/pytorch/serve/blob/master/model-archiver/README.md
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .errors import ArchiveError
from .unpacking import unpack_zip

TORCHSERVE_MAX_REQUEST_SIZE = 6_553_500
MOST_WORKERS = 4  # unless the configuration sets a number: each worker has its own model in memory


@dataclass(frozen=True)
class ServerConfig:
    """The settings of a `config.properties` that this server honours.

    ``models`` maps each name of its model_snapshot to that model's archive name, ``worker_bounds`` to its fewest and most
    workers. Addresses, thread counts and queue sizes concern TorchServe's Java frontend and have no meaning here.
    """

    models: dict[str, str]
    max_request_size: int = TORCHSERVE_MAX_REQUEST_SIZE
    install_requirements: bool = False
    worker_bounds: dict[str, tuple[int, int]] = field(default_factory=dict)
    default_bounds: tuple[int, int] = (1, MOST_WORKERS)

    def workers(self, model: str, cores: int) -> int:
        """How many processes serve ``model``: one for each core, within the model's bounds."""
        fewest, most = self.worker_bounds.get(model, self.default_bounds)
        return max(1, fewest, min(cores, most))


@dataclass(frozen=True)
class Model:
    """An unpacked archive. Clients use ``name``; ``handler`` has the form that TorchServe's loader takes."""

    name: str
    version: str
    folder: Path
    handler: str
    requirements: Path | None

    @property
    def handler_file(self) -> Path:
        """The path of the handler's module, which does not exist for a built-in handler such as image_classifier."""
        return self.folder / f"{self.handler.partition(':')[0].removesuffix('.py').rpartition('/')[2]}.py"


def read_config(model_dir: Path, explicit: Path | None = None, environment: Mapping[str, str] = os.environ) -> ServerConfig:
    """The settings in ``explicit``, else ``config/config.properties`` or ``config.properties``, or TorchServe's defaults.

    As under TorchServe, TS_CONFIG_FILE in ``environment`` names the file before all others, and with enable_envvars_config a
    variable TS_<SETTING> replaces a setting.
    """
    named = environment.get("TS_CONFIG_FILE") or explicit
    if named and not Path(named).is_file():
        by = "TS_CONFIG_FILE" if "TS_CONFIG_FILE" in environment else "--ts-config"
        raise ArchiveError(f"there is no {named}, which {by} names")
    places = [Path(named)] if named else [model_dir / "config" / "config.properties", model_dir / "config.properties"]
    path = next((place for place in places if place.is_file()), None)
    properties = _properties(path) if path else {}
    if properties.get("enable_envvars_config", "").lower() == "true":
        settings = {name.removeprefix("TS_").lower(): value for name, value in environment.items() if name.startswith("TS_")}
        properties |= settings
    return _parse_config(path.name if path else "", properties)


def _properties(path: Path) -> dict[str, str]:
    properties: dict[str, str] = {}
    for line in path.read_text().splitlines():
        key, separator, value = line.strip().partition("=")
        if separator and not key.startswith(("#", "!")):
            properties[key.strip()] = value.strip()
    return properties


def _parse_config(name: str, properties: Mapping[str, str]) -> ServerConfig:
    try:
        snapshot = json.loads(properties.get("model_snapshot", "{}")).get("models", {})
        models = {
            model: str(next(iter(versions.values())).get("marName", f"{model}.mar")) for model, versions in snapshot.items()
        }
        default = properties.get("default_workers_per_model")
        return ServerConfig(
            models,
            int(properties.get("max_request_size", TORCHSERVE_MAX_REQUEST_SIZE)),
            properties.get("install_py_dep_per_model", "false").lower() == "true",
            {model: _worker_bounds(next(iter(versions.values()))) for model, versions in snapshot.items()},
            (int(default), int(default)) if default else (1, MOST_WORKERS),
        )
    except (ValueError, TypeError, AttributeError, StopIteration) as error:
        raise ArchiveError(f"{name} is malformed: {type(error).__name__}: {error}") from None


def _worker_bounds(version: dict[str, Any]) -> tuple[int, int]:
    fewest = int(version.get("minWorkers", 1))
    return fewest, int(version.get("maxWorkers", max(fewest, MOST_WORKERS)))


def named_models(texts: Sequence[str]) -> dict[str, str]:
    """The models of TorchServe's --models, ``[name=]archive``: name to archive. ``all`` stands for every archive."""
    models: dict[str, str] = {}
    for text in texts:
        name, equals, archive = text.rpartition("=")
        if "://" in archive:
            raise ArchiveError(f"--models {text}: a model at a URL is not supported by minipdk: use the storageUri")
        if text not in ("all", "ALL"):
            models[name if equals else Path(archive).stem] = Path(archive).name
    return models


def find_archive(model_dir: Path, config: ServerConfig, store: Path | None = None) -> tuple[Path, str | None]:
    """The archive to serve and the name that the configuration gives it, if any.

    ``store`` is TorchServe's --model-store: the only folder to look in.
    """
    places = [store] if store else [model_dir, model_dir / "model-store"]
    archives = sorted(archive for place in places for archive in place.glob("*.mar"))
    if not archives:
        there = ", ".join(sorted(path.name for path in model_dir.rglob("*") if path.is_file())[:10]) or "nothing"
        raise ArchiveError(
            f"no .mar archive in {store or 'the top of the storageUri or its model-store folder'} (found: {there}): "
            "make one with torch-model-archiver"
        )
    named = {name: path for name, mar in config.models.items() for path in archives if path.name == mar}
    if config.models and not named:
        raise ArchiveError(
            f"the configuration names {', '.join(sorted(config.models.values()))}, "
            f"but the storageUri holds {', '.join(path.name for path in archives)}"
        )
    if len(named or archives) > 1:
        raise ArchiveError(
            f"{len(named or archives)} models in one InferenceService are not supported by minipdk "
            f"({', '.join(path.name for path in archives)}): make one InferenceService for each"
        )
    if named:
        [(name, archive)] = named.items()
        return archive, name
    return archives[0], None


def unpack(archive: Path, folder: Path, name: str | None = None) -> Model:
    """Unpack ``archive`` below ``folder`` and read its manifest. Nothing is written outside ``folder``."""
    unpack_zip(archive, folder)
    try:
        manifest: dict[str, Any] = json.loads((folder / "MAR-INF" / "MANIFEST.json").read_text())
        model = manifest["model"]
        handler, model_name = str(model["handler"]), str(model["modelName"])
    except FileNotFoundError:
        raise ArchiveError(f"{archive.name} has no MAR-INF/MANIFEST.json: make it with torch-model-archiver") from None
    except (ValueError, KeyError, TypeError) as error:
        raise ArchiveError(f"the manifest of {archive.name} is malformed: {type(error).__name__}: {error}") from None
    requirements = model.get("requirementsFile")
    return Model(
        name=name or model_name,
        version=str(model.get("modelVersion", "1.0")),
        folder=folder,
        handler=handler,
        requirements=folder / requirements if requirements else None,
    )
