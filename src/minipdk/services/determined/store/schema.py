"""The service's tables, and the steps that lead to them.

Columns named ``*_json`` contain JSON text. Times are RFC 3339 in UTC, so they sort as text.
"""

from __future__ import annotations

import json
import sqlite3

from minipdk.services.determined.numbers import as_json


def _special_numbers_as_text(connection: sqlite3.Connection) -> None:
    """Replace NaN and the infinities in metrics, which are no JSON, by their texts."""
    column = "SELECT id, {0} FROM metrics WHERE {0} LIKE '%NaN%' OR {0} LIKE '%Infinity%'"
    for name in ("average_json", "batches_json"):
        for row_id, text in connection.execute(column.format(name)).fetchall():
            special = json.dumps(as_json(json.loads(text)), separators=(",", ":"))
            connection.execute(f"UPDATE metrics SET {name} = ? WHERE id = ?", (special, row_id))  # noqa: S608


MIGRATIONS = (
    """
CREATE TABLE IF NOT EXISTS users (
    id INTEGER PRIMARY KEY, username TEXT NOT NULL UNIQUE, admin INTEGER NOT NULL DEFAULT 0,
    active INTEGER NOT NULL DEFAULT 1, display_name TEXT NOT NULL DEFAULT '', password TEXT NOT NULL,
    modified_at TEXT NOT NULL, last_login_at TEXT);
CREATE TABLE IF NOT EXISTS tokens (
    digest TEXT PRIMARY KEY, user_id INTEGER NOT NULL REFERENCES users (id), allocation_id TEXT, expires_at TEXT);
CREATE TABLE IF NOT EXISTS workspaces (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE COLLATE NOCASE, archived INTEGER NOT NULL DEFAULT 0,
    user_id INTEGER NOT NULL, immutable INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS projects (
    id INTEGER PRIMARY KEY, workspace_id INTEGER NOT NULL REFERENCES workspaces (id), name TEXT NOT NULL,
    key TEXT NOT NULL UNIQUE, description TEXT NOT NULL DEFAULT '', notes_json TEXT NOT NULL DEFAULT '[]',
    archived INTEGER NOT NULL DEFAULT 0, user_id INTEGER NOT NULL, immutable INTEGER NOT NULL DEFAULT 0,
    UNIQUE (workspace_id, name));
CREATE TABLE IF NOT EXISTS model_definitions (digest TEXT PRIMARY KEY, tgz BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS experiments (
    id INTEGER PRIMARY KEY AUTOINCREMENT, state TEXT NOT NULL, name TEXT NOT NULL, description TEXT NOT NULL,
    notes TEXT NOT NULL DEFAULT '', labels_json TEXT NOT NULL, config_json TEXT NOT NULL, original_config TEXT NOT NULL,
    definition TEXT NOT NULL REFERENCES model_definitions (digest), parent_id INTEGER, project_id INTEGER NOT NULL,
    user_id INTEGER NOT NULL, job_id TEXT NOT NULL UNIQUE, archived INTEGER NOT NULL DEFAULT 0,
    resource_pool TEXT NOT NULL, priority INTEGER NOT NULL, start_time TEXT NOT NULL, end_time TEXT);
CREATE TABLE IF NOT EXISTS trials (
    id INTEGER PRIMARY KEY AUTOINCREMENT, experiment_id INTEGER NOT NULL REFERENCES experiments (id) ON DELETE CASCADE,
    task_id TEXT NOT NULL UNIQUE, state TEXT NOT NULL, hparams_json TEXT NOT NULL, seed INTEGER NOT NULL,
    restarts INTEGER NOT NULL DEFAULT 0, run_id INTEGER NOT NULL DEFAULT 0, runner_state TEXT NOT NULL DEFAULT '',
    progress REAL NOT NULL DEFAULT 0, early_exit TEXT, warm_start_checkpoint TEXT, metadata_json TEXT NOT NULL DEFAULT '{}',
    total_batches INTEGER NOT NULL DEFAULT 0, start_time TEXT NOT NULL, end_time TEXT);
CREATE INDEX IF NOT EXISTS trials_of_experiment ON trials (experiment_id);
CREATE TABLE IF NOT EXISTS allocations (
    id TEXT PRIMARY KEY, trial_id INTEGER NOT NULL REFERENCES trials (id) ON DELETE CASCADE, task_id TEXT NOT NULL,
    container_id TEXT NOT NULL, slots_json TEXT NOT NULL, state TEXT NOT NULL, is_ready INTEGER NOT NULL DEFAULT 0,
    preempt INTEGER NOT NULL DEFAULT 0, preempt_acknowledged INTEGER NOT NULL DEFAULT 0, exit_reason TEXT,
    status_code INTEGER, start_time TEXT NOT NULL, end_time TEXT);
CREATE INDEX IF NOT EXISTS allocations_of_trial ON allocations (trial_id);
CREATE TABLE IF NOT EXISTS metrics (
    id INTEGER PRIMARY KEY, trial_id INTEGER NOT NULL REFERENCES trials (id) ON DELETE CASCADE, run_id INTEGER NOT NULL,
    metric_group TEXT NOT NULL, steps INTEGER NOT NULL, average_json TEXT NOT NULL, batches_json TEXT,
    end_time TEXT NOT NULL, archived INTEGER NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS metrics_of_trial ON metrics (trial_id, metric_group, steps);
CREATE TABLE IF NOT EXISTS checkpoints (
    uuid TEXT PRIMARY KEY, trial_id INTEGER NOT NULL REFERENCES trials (id) ON DELETE CASCADE, task_id TEXT NOT NULL,
    allocation_id TEXT NOT NULL, state TEXT NOT NULL, steps INTEGER NOT NULL, resources_json TEXT NOT NULL,
    metadata_json TEXT NOT NULL, report_time TEXT NOT NULL, files_removed INTEGER NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS checkpoints_of_trial ON checkpoints (trial_id);
CREATE TABLE IF NOT EXISTS logs (
    id INTEGER PRIMARY KEY, trial_id INTEGER NOT NULL REFERENCES trials (id) ON DELETE CASCADE, allocation_id TEXT NOT NULL,
    container_id TEXT NOT NULL, timestamp TEXT NOT NULL, level TEXT NOT NULL, stdtype TEXT NOT NULL, source TEXT NOT NULL,
    rank_id INTEGER, log TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS logs_of_trial ON logs (trial_id);
CREATE TABLE IF NOT EXISTS models (
    id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, description TEXT NOT NULL, notes TEXT NOT NULL,
    metadata_json TEXT NOT NULL, labels_json TEXT NOT NULL, user_id INTEGER NOT NULL, workspace_id INTEGER NOT NULL,
    archived INTEGER NOT NULL DEFAULT 0, last_version INTEGER NOT NULL DEFAULT 0, creation_time TEXT NOT NULL,
    last_updated_time TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS model_versions (
    id INTEGER PRIMARY KEY AUTOINCREMENT, model_id INTEGER NOT NULL REFERENCES models (id) ON DELETE CASCADE,
    version INTEGER NOT NULL, checkpoint_uuid TEXT NOT NULL REFERENCES checkpoints (uuid), name TEXT NOT NULL,
    comment TEXT NOT NULL, notes TEXT NOT NULL, metadata_json TEXT NOT NULL, labels_json TEXT NOT NULL,
    user_id INTEGER NOT NULL, creation_time TEXT NOT NULL, last_updated_time TEXT NOT NULL, UNIQUE (model_id, version));
""",
    _special_numbers_as_text,
    """
ALTER TABLE users ADD COLUMN agent_user_group_json TEXT NOT NULL DEFAULT '{}';
CREATE TABLE user_settings (
    user_id INTEGER NOT NULL REFERENCES users (id), storage_path TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL,
    PRIMARY KEY (user_id, storage_path, key));
ALTER TABLE experiments ADD COLUMN progress REAL NOT NULL DEFAULT 0;
UPDATE experiments SET progress = 1 WHERE state = 'COMPLETED';
ALTER TABLE trials ADD COLUMN continuations INTEGER NOT NULL DEFAULT 0;
ALTER TABLE trials ADD COLUMN run_hparams_json TEXT NOT NULL DEFAULT '{}';
""",
)
"""Step n leads from version n - 1 of the schema to version n; the first is that of minipdk 1.0.0. Never change a step."""
