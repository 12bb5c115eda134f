"""Rows of the database as Determined's JSON messages."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any

from minipdk.services.determined import states
from minipdk.services.determined.experiments import progress
from minipdk.services.determined.metrics import TRAINING, VALIDATION, average, number, workload
from minipdk.services.determined.store.schema import loads

if TYPE_CHECKING:
    from minipdk.services.determined.master import Master

Json = dict[str, Any]


def user(row: sqlite3.Row) -> Json:
    return {
        "id": row["id"],
        "username": row["username"],
        "admin": bool(row["admin"]),
        "active": bool(row["active"]),
        "displayName": row["display_name"],
        "modifiedAt": row["modified_at"],
        "lastAuthAt": row["last_login_at"],
        "remote": False,
        "agentUserGroup": None,
    }


def workspace(row: sqlite3.Row) -> Json:
    return {
        "id": row["id"],
        "name": row["name"],
        "archived": bool(row["archived"]),
        "username": row["username"],
        "userId": row["user_id"],
        "immutable": bool(row["immutable"]),
        "numProjects": row["num_projects"],
        "numExperiments": row["num_experiments"],
        "pinned": False,
        "state": "WORKSPACE_STATE_UNSPECIFIED",
        "errorMessage": "",
    }


def project(row: sqlite3.Row) -> Json:
    return {
        "id": row["id"],
        "name": row["name"],
        "key": row["key"],
        "description": row["description"],
        "notes": loads(row["notes_json"]),
        "workspaceId": row["workspace_id"],
        "workspaceName": row["workspace_name"],
        "archived": bool(row["archived"]),
        "immutable": bool(row["immutable"]),
        "userId": row["user_id"],
        "username": row["username"],
        "numExperiments": row["num_experiments"],
        "numActiveExperiments": row["num_active"],
        "numRuns": row["num_runs"],
        "lastExperimentStartedAt": row["last_experiment_started_at"],
        "state": "WORKSPACE_STATE_UNSPECIFIED",
        "errorMessage": "",
    }


def state(row: sqlite3.Row, allocation: sqlite3.Row | None) -> str:
    """The state that clients read: for an ACTIVE experiment or trial, what its allocation does."""
    name = row["state"]
    if name == states.ACTIVE:
        name = allocation["state"] if allocation else states.QUEUED
    return f"STATE_{name}"


def experiment(master: Master, row: sqlite3.Row) -> Json:
    config = loads(row["config_json"])
    trials = master.trials.of_experiment(row["id"])
    running = [found for one in trials if (found := master.trials.open_allocation(one["id"]))]
    best_trial, best_value = _best_trial(master, config, trials)
    checkpoints = [one for one in master.checkpoints.of_experiment(row["id"]) if one["state"] != states.DELETED]
    return {
        **_placed(row),
        "state": state(row, running[0] if running else None),
        "archived": bool(row["archived"]),
        "config": config,
        "originalConfig": row["original_config"],
        "hyperparameters": config["hyperparameters"],
        "startTime": row["start_time"],
        "endTime": row["end_time"],
        "progress": progress(row, trials),
        "jobId": row["job_id"],
        "resourcePool": row["resource_pool"],
        "searcherType": config["searcher"]["name"],
        "searcherMetric": config["searcher"]["metric"],
        "numTrials": row["num_trials"],
        "trialIds": [one["id"] for one in trials],
        "forkedFrom": row["parent_id"],
        "parentArchived": bool(row["parent_archived"]),
        "bestTrialId": best_trial,
        "bestTrialSearcherMetric": best_value,
        "checkpointCount": len(checkpoints),
        "checkpointSize": str(sum(size(one) for one in checkpoints)),
        "modelDefinitionSize": row["definition_size"],
        "pachydermIntegration": (config["integrations"] or {}).get("pachyderm"),
        "unmanaged": False,
    }


def _placed(row: sqlite3.Row) -> Json:
    """What an experiment is called, and whose and where it is."""
    return {
        "id": row["id"],
        "name": row["name"],
        "description": row["description"],
        "notes": row["notes"],
        "labels": loads(row["labels_json"]),
        "userId": row["user_id"],
        "username": row["username"],
        "displayName": row["display_name"],
        "projectId": row["project_id"],
        "projectName": row["project_name"],
        "projectOwnerId": row["project_owner_id"],
        "workspaceId": row["workspace_id"],
        "workspaceName": row["workspace_name"],
    }


def trial(master: Master, row: sqlite3.Row, config: Json | None = None) -> Json:
    if config is None:
        config = loads(master.experiments.get(row["experiment_id"])["config_json"])
    searcher = config["searcher"]
    best = master.metrics.best_validation(row["id"], searcher["metric"], searcher["smaller_is_better"])
    validations = master.metrics.of_trial(row["id"], VALIDATION)
    checkpoints = [one for one in master.checkpoints.of_trial(row["id"]) if one["state"] != states.DELETED]
    best_checkpoint = next((one for one in checkpoints if best and one["steps"] == best["steps"]), None)
    return {
        "id": row["id"],
        "experimentId": row["experiment_id"],
        "state": state(row, master.trials.open_allocation(row["id"])),
        "hparams": loads(row["hparams_json"]),
        "restarts": row["restarts"],
        "startTime": row["start_time"],
        "endTime": row["end_time"],
        "runnerState": row["runner_state"] or "UNSPECIFIED",
        "taskId": row["task_id"],
        "taskIds": [row["task_id"]],
        "totalBatchesProcessed": row["total_batches"],
        "bestValidation": workload(best),
        "latestValidation": workload(validations[-1] if validations else None),
        "bestCheckpoint": checkpoint_workload(best_checkpoint) if best_checkpoint else None,
        "searcherMetricValue": number(best, searcher["metric"]),
        "checkpointCount": len(checkpoints),
        "totalCheckpointSize": str(sum(size(one) for one in checkpoints)),
        "warmStartCheckpointUuid": row["warm_start_checkpoint"],
        "metadata": loads(row["metadata_json"]),
        "summaryMetrics": _summary(master, row["id"]),
    }


def checkpoint(master: Master, row: sqlite3.Row) -> Json:
    owner = master.trials.get(row["trial_id"])
    config = loads(master.experiments.get(owner["experiment_id"])["config_json"])
    training = master.metrics.at(owner["id"], TRAINING, row["steps"])
    validation = master.metrics.at(owner["id"], VALIDATION, row["steps"])
    return {
        "uuid": row["uuid"],
        "taskId": row["task_id"],
        "allocationId": row["allocation_id"],
        "reportTime": row["report_time"],
        "state": f"STATE_{row['state']}",
        "resources": loads(row["resources_json"]),
        "metadata": loads(row["metadata_json"]),
        "training": {
            "trialId": owner["id"],
            "experimentId": owner["experiment_id"],
            "experimentConfig": config,
            "hparams": loads(owner["hparams_json"]),
            "searcherMetric": number(validation, config["searcher"]["metric"]),
            "trainingMetrics": average(training) if training else {"avgMetrics": {}, "batchMetrics": []},
            "validationMetrics": average(validation) if validation else {"avgMetrics": {}, "batchMetrics": []},
        },
    }


def checkpoint_workload(row: sqlite3.Row) -> Json:
    return {
        "uuid": row["uuid"],
        "endTime": row["report_time"],
        "state": f"STATE_{row['state']}",
        "resources": loads(row["resources_json"]),
        "totalBatches": row["steps"],
        "metadata": loads(row["metadata_json"]),
    }


def model(row: sqlite3.Row) -> Json:
    return {
        "id": row["id"],
        "name": row["name"],
        "description": row["description"],
        "notes": row["notes"],
        "metadata": loads(row["metadata_json"]),
        "labels": loads(row["labels_json"]),
        "username": row["username"],
        "userId": row["user_id"],
        "workspaceId": row["workspace_id"],
        "archived": bool(row["archived"]),
        "numVersions": row["num_versions"],
        "creationTime": row["creation_time"],
        "lastUpdatedTime": row["last_updated_time"],
    }


def model_version(master: Master, owner: sqlite3.Row, row: sqlite3.Row) -> Json:
    return {
        "id": row["id"],
        "version": row["version"],
        "model": model(owner),
        "checkpoint": checkpoint(master, master.checkpoints.get(row["checkpoint_uuid"])),
        "name": row["name"],
        "comment": row["comment"],
        "notes": row["notes"],
        "metadata": loads(row["metadata_json"]),
        "labels": loads(row["labels_json"]),
        "username": row["username"],
        "userId": row["user_id"],
        "creationTime": row["creation_time"],
        "lastUpdatedTime": row["last_updated_time"],
    }


def allocation(row: sqlite3.Row) -> Json:
    return {
        "allocationId": row["id"],
        "taskId": row["task_id"],
        "state": f"STATE_{row['state']}",
        "slots": len(loads(row["slots_json"])),
        "isReady": bool(row["is_ready"]),
        "startTime": row["start_time"],
        "endTime": row["end_time"],
        "exitReason": row["exit_reason"],
        "statusCode": row["status_code"],
    }


def size(checkpoint_row: sqlite3.Row) -> int:
    """The bytes of a checkpoint's files."""
    return sum(int(one) for one in loads(checkpoint_row["resources_json"]).values())


def _best_trial(master: Master, config: Json, trials: list[sqlite3.Row]) -> tuple[int | None, float | None]:
    searcher = config["searcher"]
    sign = 1 if searcher["smaller_is_better"] else -1
    ranked = []
    for one in trials:
        best = master.metrics.best_validation(one["id"], searcher["metric"], searcher["smaller_is_better"])
        value = number(best, searcher["metric"])
        if value is not None:
            ranked.append((sign * value, one["id"], value))
    return (min(ranked)[1], min(ranked)[2]) if ranked else (None, None)


def _summary(master: Master, trial_id: int) -> Json:
    """For each group and each numeric metric: count, sum, min, max and last, as Determined's WebUI reads them."""
    groups: dict[str, dict[str, list[float]]] = {}
    for row in master.metrics.of_trial(trial_id):
        for name, value in loads(row["average_json"]).items():
            if isinstance(value, int | float) and not isinstance(value, bool):
                groups.setdefault(row["metric_group"], {}).setdefault(name, []).append(value)
    names = {TRAINING: "avg_metrics", VALIDATION: "validation_metrics"}
    return {
        names.get(group, group): {
            name: {
                "count": len(values),
                "sum": sum(values),
                "min": min(values),
                "max": max(values),
                "mean": sum(values) / len(values),
                "last": values[-1],
                "type": "number",
            }
            for name, values in metrics.items()
        }
        for group, metrics in groups.items()
    }
