"""The volumes behind the claims: PersistentVolume objects, and folders in the cluster's folder.

A folder is made in the transaction that stores its claim. It is removed after the transaction that removes the claim, or
when this service starts again, so no claim is ever without its folder.
"""

from __future__ import annotations

import shutil
import threading
import uuid
from contextlib import suppress
from pathlib import Path

from minipdk.services.kubernetes.errors import ExpiredError
from minipdk.services.kubernetes.kinds.builtin.claims import CLAIMS, CLASS, STORAGE_CLASS, VOLUMES, size_of
from minipdk.services.kubernetes.model import Object
from minipdk.services.kubernetes.store import ObjectStore
from minipdk.services.kubernetes.times import now

TRASH = ".reclaimed"


class Volumes:
    """The volumes of all claims: their objects in the store, and their folders, ``<folder>/<namespace>/<claim>``."""

    def __init__(self, store: ObjectStore, folder: Path) -> None:
        self._store, self._folder = store, folder
        folder.mkdir(exist_ok=True, mode=0o700)
        store.pair(folder)

    def provide(self, claim: Object) -> None:
        """Make the volume of a new claim, within the transaction that stores the claim."""
        metadata = claim["metadata"]
        path = self._folder / metadata["namespace"] / metadata["name"]
        self._set_aside(path)
        path.mkdir(parents=True, mode=0o700)
        self._store.put(VOLUMES, _volume(claim, path), None)

    def reclaim(self) -> None:
        """Remove the folders of deleted claims."""
        with self._store.transaction():  # so that no claim is created meanwhile
            for path in self._folder.glob("*/*"):
                if path.parent.name != TRASH and self._store.get(CLAIMS, path.parent.name, path.name) is None:
                    self._set_aside(path)
        shutil.rmtree(self._folder / TRASH, ignore_errors=True)

    def keep_reclaiming(self) -> None:
        """Reclaim now, and from a background thread whenever a claim was deleted."""
        woken = threading.Event()

        def follow() -> None:
            since = self._store.version
            self.reclaim()
            with self._store.listening(woken.set):
                while True:
                    since = self._reclaim_since(since)
                    woken.wait()
                    woken.clear()

        threading.Thread(target=follow, daemon=True, name="reclaim volumes").start()

    def _reclaim_since(self, since: int) -> int:
        gone = True
        with suppress(ExpiredError):
            changes, since = self._store.changes(CLAIMS, "", since)
            gone = any(change.current is None for change in changes)
        if gone:
            since = self._store.version
            self.reclaim()
        return since

    def _set_aside(self, path: Path) -> None:
        """Move a former claim's folder away in one step, to make room for a new claim's."""
        if path.exists():
            (self._folder / TRASH).mkdir(exist_ok=True, mode=0o700)
            path.rename(self._folder / TRASH / str(uuid.uuid4()))


def _volume(claim: Object, path: Path) -> Object:
    metadata, spec = claim["metadata"], claim["spec"]
    about = {key: metadata[key] for key in ("namespace", "name", "uid", "resourceVersion")}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {
            "name": spec["volumeName"],
            "uid": str(uuid.uuid4()),
            "creationTimestamp": now(),
            "annotations": {"pv.kubernetes.io/provisioned-by": STORAGE_CLASS["provisioner"]},
        },
        "spec": {
            "capacity": size_of(claim),
            "accessModes": spec["accessModes"],
            "persistentVolumeReclaimPolicy": "Delete",
            "storageClassName": CLASS,
            "volumeMode": "Filesystem",
            "claimRef": {"apiVersion": "v1", "kind": "PersistentVolumeClaim", **about},
            "hostPath": {"path": str(path), "type": "Directory"},
        },
        "status": {"phase": "Bound"},
    }
