"""The model registry: models, and their versions, each of which is a checkpoint under a number."""

from __future__ import annotations

import re
from collections import Counter

from minipdk.services.determined.checkpoints import Checkpoints
from minipdk.services.determined.errors import (
    AlreadyExistsError,
    FailedPreconditionError,
    InvalidArgumentError,
    NotFoundError,
)
from minipdk.services.determined.model import Checkpoint, Json, Model, ModelVersion, ModelVersionDetails, State, now
from minipdk.services.determined.store import Store


class Registry:
    def __init__(self, store: Store, checkpoints: Checkpoints) -> None:
        self._store = store
        self._checkpoints = checkpoints

    def all(self) -> list[Model]:
        return self._store.models.all()

    def get(self, name_or_id: str) -> Model:
        """By name, or by id when the text is a number: names are never numbers."""
        models = self._store.models
        if model := models.get(name_or_id) if name_or_id.isdecimal() else models.by_name(name_or_id):
            return model
        raise NotFoundError(f'model "{name_or_id}" not found')

    def create(self, name: str, fields: Json, user_id: int, workspace_id: int) -> Model:
        """``fields``: any of description, notes, metadata, labels."""
        _check_name(name)
        time = now()
        with self._store.transaction():
            self._check_free(name)
            self._store.models.add(
                name=name,
                description=fields.get("description") or "",
                notes=fields.get("notes") or "",
                metadata=fields.get("metadata") or {},
                labels=fields.get("labels") or [],
                user_id=user_id,
                workspace_id=workspace_id,
                creation_time=time,
                last_updated_time=time,
            )
        return self.get(name)

    def update(self, name_or_id: str, changes: Json) -> Model:
        """Set any of name, description, notes, metadata, labels, workspace_id of a model that is not archived."""
        model = self.get(name_or_id)
        _check_open(model)
        with self._store.transaction():
            if (name := changes.get("name")) is not None and name != model.name:
                _check_name(name)
                self._check_free(name)
            chosen = _chosen(changes, "name", "description", "notes", "metadata", "labels", "workspace_id")
            self._store.models.update(model.id, **chosen, last_updated_time=now())
        return self.get(str(model.id))

    def archive(self, name_or_id: str, archived: bool) -> None:
        self._store.models.update(self.get(name_or_id).id, archived=archived, last_updated_time=now())

    def delete(self, name_or_id: str) -> None:
        """Remove the model and its versions; their checkpoints stay."""
        self._store.models.delete(self.get(name_or_id).id)

    def labels(self, workspace_id: int = 0) -> list[str]:
        """The labels in use, the most used first."""
        models = [model for model in self.all() if workspace_id in (0, model.workspace_id)]
        counts = Counter(label for model in models for label in model.labels)
        return sorted(counts, key=lambda label: (-counts[label], label))

    def versions(self, model: Model) -> list[ModelVersion]:
        return self._store.versions.of_model(model.id)

    def version(self, model: Model, number: int) -> ModelVersion:
        if version := self._store.versions.get(model.id, number):
            return version
        raise NotFoundError(f'version {number} for model "{model.name}" not found')

    def details(self, model: Model, version: ModelVersion) -> ModelVersionDetails:
        checkpoint = self._checkpoints.details(self._checkpoints.get(version.checkpoint_uuid))
        return ModelVersionDetails(model, version, checkpoint)

    def add_version(self, name_or_id: str, checkpoint: Checkpoint, fields: Json, user_id: int) -> ModelVersion:
        """The model's next version. ``fields``: any of name, comment, notes, metadata, labels."""
        model = self.get(name_or_id)
        _check_open(model)
        if checkpoint.state != State.COMPLETED:
            raise FailedPreconditionError(
                f"checkpoint {checkpoint.uuid} cannot be registered: its state is {checkpoint.state}, not COMPLETED"
            )
        number = self._store.versions.add(
            model.id,
            creation_time=now(),
            checkpoint_uuid=checkpoint.uuid,
            name=fields.get("name") or "",
            comment=fields.get("comment") or "",
            notes=fields.get("notes") or "",
            metadata=fields.get("metadata") or {},
            labels=fields.get("labels") or [],
            user_id=user_id,
        )
        return self.version(model, number)

    def update_version(self, name_or_id: str, number: int, changes: Json) -> ModelVersion:
        """Set any of name, comment, notes, metadata, labels."""
        model = self.get(name_or_id)
        _check_open(model)
        version = self.version(model, number)
        chosen = _chosen(changes, "name", "comment", "notes", "metadata", "labels")
        self._store.versions.update(version.id, **chosen, last_updated_time=now())
        return self.version(model, number)

    def delete_version(self, name_or_id: str, number: int) -> None:
        self._store.versions.delete(self.version(self.get(name_or_id), number).id)

    def _check_free(self, name: str) -> None:
        if self._store.models.by_name(name):
            raise AlreadyExistsError(f"model {name!r} already exists: avoid names equal to other models (case-sensitive)")


def _check_open(model: Model) -> None:
    if model.archived:
        raise FailedPreconditionError(
            f'unarchive it first: model "{model.name}" is archived and cannot have attributes updated'
        )


def _check_name(name: str) -> None:
    rules = (
        (not name.strip(), "model names cannot be blank"),
        ("/" in name or "\\" in name, "model names cannot have slashes"),
        (re.search(r"\s{2,}", name), "model names cannot have excessive spacing"),
        (name.isdecimal(), "model names cannot be only numbers"),
    )
    if words := next((words for broken, words in rules if broken), None):
        raise InvalidArgumentError(f"{name!r}: {words}")


def _chosen(changes: Json, *names: str) -> Json:
    """The changes of these names that have a value."""
    return {name: changes[name] for name in names if changes.get(name) is not None}
