"""The states of experiments, trials and checkpoints, as the database keeps them; clients read "STATE_" before the name."""

from __future__ import annotations

ACTIVE = "ACTIVE"
PAUSED = "PAUSED"
STOPPING_CANCELED = "STOPPING_CANCELED"
STOPPING_KILLED = "STOPPING_KILLED"
COMPLETED = "COMPLETED"
CANCELED = "CANCELED"
ERROR = "ERROR"
DELETED = "DELETED"
PARTIALLY_DELETED = "PARTIALLY_DELETED"

TERMINAL = frozenset({COMPLETED, CANCELED, ERROR})
STOPPING = frozenset({STOPPING_CANCELED, STOPPING_KILLED})

# What an ACTIVE trial is doing, told by its allocation.
QUEUED = "QUEUED"
STARTING = "STARTING"
RUNNING = "RUNNING"
TERMINATED = "TERMINATED"
