"""Checkpoints: their reports by trials, and the rules by which they are kept or deleted."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from uuid import UUID

from minipdk.services.determined import checkpoint_storage
from minipdk.services.determined.errors import InvalidArgumentError, NotFoundError
from minipdk.services.determined.metrics import Metrics
from minipdk.services.determined.model import (
    TRAINING,
    VALIDATION,
    Allocation,
    Checkpoint,
    CheckpointDetails,
    Experiment,
    Json,
    State,
    now,
)
from minipdk.services.determined.store import Store

LARGEST_STEPS = 1 << 31
"""Steps are 32-bit numbers in Determined's messages."""


class Checkpoints:
    def __init__(self, store: Store, metrics: Metrics) -> None:
        self._store = store
        self._metrics = metrics

    def get(self, uuid: str) -> Checkpoint:
        if checkpoint := self._store.checkpoints.get(uuid):
            return checkpoint
        raise NotFoundError(f"checkpoint '{uuid}' not found")

    def report(self, allocation: Allocation, message: Json) -> None:
        """Store a checkpoint that a trial has saved; a second report of the same checkpoint adds to the first."""
        uuid, metadata = str(message.get("uuid")), message.get("metadata") or {}
        try:
            UUID(uuid)
        except ValueError:
            raise InvalidArgumentError(f"uuid: {uuid!r} is not a UUID") from None
        steps = metadata.get("steps_completed")
        if not isinstance(steps, int) or isinstance(steps, bool) or not 0 <= steps < LARGEST_STEPS:
            raise InvalidArgumentError("metadata.steps_completed is required and must be a number of batches")
        self._store.checkpoints.save(
            Checkpoint(
                uuid=uuid,
                trial_id=allocation.trial_id,
                task_id=allocation.task_id,
                allocation_id=allocation.id,
                state=(message.get("state") or "STATE_COMPLETED").removeprefix("STATE_"),
                steps=steps,
                resources={name: str(size) for name, size in (message.get("resources") or {}).items()},
                metadata=metadata,
                report_time=message.get("reportTime") or now(),
            )
        )

    def of_trial(self, trial_id: int) -> list[Checkpoint]:
        return self._store.checkpoints.of_trial(trial_id)

    def of_experiment(self, experiment_id: int) -> list[Checkpoint]:
        return self._store.checkpoints.of_experiment(experiment_id)

    def existing_of_trial(self, trial_id: int) -> list[Checkpoint]:
        """The checkpoints of the trial that are not deleted."""
        return self._store.checkpoints.existing_of_trial(trial_id)

    def existing_of_experiment(self, experiment_id: int) -> list[Checkpoint]:
        """The checkpoints of the experiment that are not deleted."""
        return self._store.checkpoints.existing_of_experiment(experiment_id)

    def latest(self, trial_id: int) -> Checkpoint | None:
        """The checkpoint from which the trial continues."""
        complete = [checkpoint for checkpoint in self.of_trial(trial_id) if checkpoint.state == State.COMPLETED]
        return complete[-1] if complete else None

    def details(self, checkpoint: Checkpoint) -> CheckpointDetails:
        trial = self._store.trials.get(checkpoint.trial_id)
        assert trial is not None  # the database deletes checkpoints with their trial
        return CheckpointDetails(
            checkpoint,
            trial,
            self._experiment(checkpoint),
            training=self._metrics.at(trial.id, TRAINING, checkpoint.steps),
            validation=self._metrics.at(trial.id, VALIDATION, checkpoint.steps),
        )

    def metric(self, checkpoint: Checkpoint, name: str) -> float | None:
        """The value of the metric in the validation at the checkpoint's batch."""
        validation = self._metrics.at(checkpoint.trial_id, VALIDATION, checkpoint.steps)
        return validation.value(name) if validation else None

    def set_metadata(self, uuid: str, metadata: Json) -> Checkpoint:
        self.get(uuid)
        self._store.checkpoints.set_metadata(uuid, metadata)
        return self.get(uuid)

    def report_remaining(self, remaining: list[tuple[str, Json | None]]) -> None:
        """Record that files of checkpoints were removed: for each uuid the remaining files, None for no change.

        Raises InvalidArgumentError for a registered one, before anything is changed.
        """
        self._check_unregistered([uuid for uuid, _ in remaining], "patched")
        for uuid, resources in remaining:
            if resources is not None:
                self._set_resources(uuid, resources)

    def delete(self, uuids: list[str]) -> None:
        """Mark checkpoints as deleted; `remove_deleted_files` removes their files. Registered ones are refused."""
        self._check_unregistered(uuids, "deleted")
        self.mark_deleted(uuids)

    def mark_deleted(self, uuids: Iterable[str]) -> None:
        self._store.checkpoints.mark_deleted(uuids)

    def remove_files(self, uuids: list[str], globs: list[str]) -> None:
        """Remove the files that match any of ``globs`` from checkpoints, and refresh their lists of files.

        Raises InvalidArgumentError for a registered checkpoint and for a glob that is empty or leads out of it.
        """
        for glob in globs:
            if not glob:
                raise InvalidArgumentError("cannot have empty string glob")
            if ".." in glob:
                raise InvalidArgumentError(f"glob '{glob}' cannot contain '..'")
        self._check_unregistered(uuids, "deleted")
        for uuid in uuids:
            folder = self.folder(self.get(uuid))
            self._set_resources(uuid, checkpoint_storage.remove_matching(folder, globs))

    def registrations(self, uuids: Iterable[str]) -> str:
        """The checkpoints that are versions of models, each with the last model and version, in words."""
        return ", ".join(
            f"{uuid}, registered to {model} (model #{model_id}), version {version}"
            for uuid in uuids
            for model_id, model, version in self._store.checkpoints.registered_as(uuid)[-1:]
        )

    def _check_unregistered(self, uuids: list[str], verb: str) -> None:
        if missing := sorted(uuid for uuid in uuids if not self._store.checkpoints.get(uuid)):
            raise NotFoundError(f"checkpoints '{', '.join(missing)}' not found")
        if registered := self.registrations(uuids):
            raise InvalidArgumentError(
                f"this subset of checkpoints provided are in the model registry and cannot be {verb}: {registered}."
            )

    def _set_resources(self, uuid: str, resources: Json) -> None:
        before = self.get(uuid)
        if not resources:
            state: str = State.DELETED
        elif resources.keys() != before.resources.keys():
            state = State.PARTIALLY_DELETED
        else:
            state = before.state
        self._store.checkpoints.set_resources(uuid, {name: str(size) for name, size in resources.items()}, state)

    def expendable(self, experiment: Experiment) -> list[str]:
        """The checkpoints that the experiment's policy (``save_...``) does not keep. Registered ones are always kept."""
        storage, searcher = experiment.config["checkpoint_storage"], experiment.searcher
        complete = [point for point in self.of_experiment(experiment.id) if point.state == State.COMPLETED]
        ranked = sorted(
            (searcher.rank(value), checkpoint.steps, checkpoint.uuid, checkpoint.trial_id)
            for checkpoint in complete
            if (value := self.metric(checkpoint, searcher.metric)) is not None
        )
        keep = self._store.checkpoints.registered()
        keep.update(uuid for _, _, uuid, _ in ranked[: storage["save_experiment_best"]])
        for trial_id in {checkpoint.trial_id for checkpoint in complete}:
            best = [uuid for _, _, uuid, owner in ranked if owner == trial_id]
            latest = [checkpoint.uuid for checkpoint in complete if checkpoint.trial_id == trial_id]
            keep.update(best[: storage["save_trial_best"]])
            keep.update(latest[max(0, len(latest) - storage["save_trial_latest"]) :])
        return [checkpoint.uuid for checkpoint in complete if checkpoint.uuid not in keep]

    def remove_deleted_files(self) -> None:
        """Remove the files of every checkpoint marked as deleted. The next call resumes after an interruption."""
        for checkpoint in self._store.checkpoints.with_files_to_remove():
            shutil.rmtree(self.folder(checkpoint), ignore_errors=True)
            self._store.checkpoints.mark_files_removed(checkpoint.uuid)

    def folder(self, checkpoint: Checkpoint) -> Path:
        """The folder of the checkpoint's files on this machine."""
        return checkpoint_storage.storage_folder(self._experiment(checkpoint).config) / checkpoint.uuid

    def archive(self, uuid: str, kind: str) -> Iterator[bytes]:
        """The checkpoint's files as ``tgz`` or ``zip``, in chunks. Raises NotFoundError when the files are gone."""
        checkpoint = self.get(uuid)
        folder = self.folder(checkpoint)
        if checkpoint.state not in (State.COMPLETED, State.PARTIALLY_DELETED) or not folder.is_dir():
            raise NotFoundError(f"checkpoint {uuid} has no files: its state is {checkpoint.state}")
        return checkpoint_storage.archive(folder, kind)

    def _experiment(self, checkpoint: Checkpoint) -> Experiment:
        experiment = self._store.experiments.of_trial(checkpoint.trial_id)
        assert experiment is not None  # the database deletes checkpoints with their experiment
        return experiment
