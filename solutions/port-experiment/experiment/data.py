"""Read the churn CSV files of a commit and split them into a training and a validation set."""

from __future__ import annotations

# New - what the download needs
import shutil
from pathlib import Path, PurePosixPath

import numpy as np
import pachyderm_sdk  # New
import pandas as pd
import torch
from numpy.typing import NDArray
from pachyderm_sdk.api.pfs import File, FileType  # New
from preprocessing import LABEL, InputError, encode
from sklearn.model_selection import train_test_split
from torch.utils.data import Dataset

Floats = NDArray[np.float32]
Batch = tuple[torch.Tensor, torch.Tensor]


class ChurnDataset(Dataset[Batch]):
    """Encoded rows and their labels: tensors of shape (rows, 139) and (rows, 1)."""

    def __init__(self, features: Floats, labels: Floats) -> None:
        self.features = torch.from_numpy(features)
        self.labels = torch.from_numpy(labels)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> Batch:
        return self.features[index], self.labels[index]

    def __getitems__(self, indices: list[int]) -> Batch:
        """A whole batch in one call: many times faster than collating one row after the other."""
        return self.features[indices], self.labels[indices]


def whole_batch(batch: Batch) -> Batch:
    """The collate_fn that goes with ``__getitems__``: there is nothing left to collate."""
    return batch


def get_train_and_validation_datasets(
    data_files: list[str], test_size: float = 0.2, random_seed: int = 42
) -> tuple[ChurnDataset, ChurnDataset]:
    """Split the rows of ``data_files`` into a training and a validation set, the same way for the same seed."""
    # New - a commit may bring several files instead of one
    parts = [read_csv(data_file) for data_file in data_files]
    features, labels = (np.concatenate(part) for part in zip(*parts, strict=True))
    train_x, val_x, train_y, val_y = train_test_split(features, labels, test_size=test_size, random_state=random_seed)
    return ChurnDataset(train_x, train_y), ChurnDataset(val_x, val_y)


def read_csv(path: str) -> tuple[Floats, Floats]:
    """The encoded rows of one CSV file, shape (rows, 139), and their labels, shape (rows, 1).

    Raises InputError naming the file and the column that is missing or wrong.
    """
    try:
        # Texts stay unchanged ("NA" too), so that an empty or odd value is refused by name, not read as "missing".
        frame = pd.read_csv(path, keep_default_na=False, low_memory=False)
        if frame.empty:
            raise InputError("the file holds no rows")
        if LABEL not in frame:
            raise InputError(f"column missing: {LABEL}")
        if not frame[LABEL].isin([0, 1]).all():
            raise InputError(f"column {LABEL} holds something other than 0 and 1")
        features = encode({name: frame[name].to_numpy() for name in frame})
    except ValueError as error:  # InputError, and pandas' errors for a file that is no CSV
        raise InputError(f"{path}: {error}") from error
    return features, frame[[LABEL]].to_numpy(dtype=np.float32)


# New - everything below downloads the files of a commit
class NoDataError(Exception):
    """The commit holds nothing to train on."""


def download_pach_repo(
    *,
    host: str,
    port: int,
    repo: str,
    branch: str,
    root: Path,
    token: str | None = None,
    project: str = "default",
    previous_commit: str | None = None,
) -> list[str]:
    """Download the files of ``project/repo@branch`` below ``root``; ``branch`` may also be a commit's id.

    With ``previous_commit`` only the files that are new or changed since then. Returns where the files are, sorted by their
    path in the repository.
    """
    client = pachyderm_sdk.Client(host=host, port=int(port), auth_token=token)
    commit = f"{project}/{repo}@{branch}"
    print(f"Downloading {commit}" + (f", only what is new since {previous_commit}" if previous_commit else ""))

    files = []
    for path in sorted(_paths(client, commit, f"{project}/{repo}@{previous_commit}" if previous_commit else None)):
        target = _below(root, path)
        target.parent.mkdir(parents=True, exist_ok=True)
        with client.pfs.pfs_file(File.from_uri(f"{commit}:{path}")) as source, target.open("wb") as file:
            shutil.copyfileobj(source, file)
        print(f"Downloaded {path}, {target.stat().st_size:,} bytes")
        files.append(str(target))
    return files


def _paths(client: pachyderm_sdk.Client, commit: str, previous: str | None) -> list[str]:
    """The paths of the files in ``commit``, or of those that are new or changed since ``previous``."""
    new = File.from_uri(f"{commit}:/")
    if previous is None:
        infos = list(client.pfs.walk_file(file=new))
    else:
        # A file that was deleted has no new side.
        changes = client.pfs.diff_file(new_file=new, old_file=File.from_uri(f"{previous}:/"))
        infos = [change.new_file for change in changes if change.new_file and change.new_file.file]
    return [info.file.path for info in infos if info.file_type == FileType.FILE]


def _below(root: Path, path: str) -> Path:
    """Where ``path`` of the repository goes below ``root``. Raises ValueError for one that would leave it."""
    parts = PurePosixPath(path.lstrip("/")).parts
    if not parts or ".." in parts or "\\" in path:
        raise ValueError(f"{path!r} is not a path that can be downloaded")
    return root.joinpath(*parts)
