"""Records of `model` as Determined's JSON messages."""

from __future__ import annotations

from minipdk.services.determined import VERSION
from minipdk.services.determined.model import (
    AGENT,
    DEFAULT_PRIORITY,
    TRAINING,
    VALIDATION,
    Agent,
    Allocation,
    Checkpoint,
    CheckpointDetails,
    Experiment,
    ExperimentDetails,
    Job,
    Json,
    LogEntry,
    MetricsReport,
    Model,
    ModelVersionDetails,
    Project,
    ResourcePool,
    State,
    Trial,
    TrialDetails,
    User,
    Workspace,
)
from minipdk.services.determined.numbers import as_json
from minipdk.services.determined.summaries import summarize

UNCREATED_EXPERIMENT: Json = {
    **dict.fromkeys(("name", "description", "notes", "displayName", "username", "originalConfig", "jobId"), ""),
    **dict.fromkeys(("projectName", "workspaceName", "resourcePool", "searcherType", "searcherMetric"), ""),
    **dict.fromkeys(("id", "userId", "projectId", "projectOwnerId", "workspaceId", "numTrials", "checkpointCount"), 0),
    **dict.fromkeys(("config", "hyperparameters", "startTime", "endTime", "progress", "forkedFrom")),
    **dict.fromkeys(("archived", "parentArchived", "unmanaged"), False),
    "checkpointSize": "0",
    "state": "STATE_UNSPECIFIED",
    "labels": [],
    "trialIds": [],
}
"""The experiment in the response to a request that only validates."""

CLOUD_FIELDS = (
    "agentDockerImage",
    "agentDockerNetwork",
    "agentDockerRuntime",
    "agentFluentImage",
    "containerStartupScript",
    "imageId",
    "instanceType",
    "location",
    "masterCertName",
    "masterUrl",
    "startupScript",
)
"""The fields of a resource pool that only a cloud's pools fill."""


def user(record: User) -> Json:
    return {
        "id": record.id,
        "username": record.username,
        "admin": record.admin,
        "active": record.active,
        "displayName": record.display_name,
        "modifiedAt": record.modified_at,
        "lastAuthAt": record.last_login_at,
        "remote": False,
        "agentUserGroup": record.agent_user_group or None,
    }


def workspace(record: Workspace) -> Json:
    return {
        "id": record.id,
        "name": record.name,
        "archived": record.archived,
        "username": record.username,
        "userId": record.user_id,
        "immutable": record.immutable,
        "numProjects": record.num_projects,
        "numExperiments": record.num_experiments,
        "pinned": False,
        "state": "WORKSPACE_STATE_UNSPECIFIED",
        "errorMessage": "",
    }


def project(record: Project) -> Json:
    return {
        "id": record.id,
        "name": record.name,
        "key": record.key,
        "description": record.description,
        "notes": record.notes,
        "workspaceId": record.workspace_id,
        "workspaceName": record.workspace_name,
        "archived": record.archived,
        "immutable": record.immutable,
        "userId": record.user_id,
        "username": record.username,
        "numExperiments": record.num_experiments,
        "numActiveExperiments": record.num_active,
        "numRuns": record.num_runs,
        "lastExperimentStartedAt": record.last_experiment_started_at,
        "state": "WORKSPACE_STATE_UNSPECIFIED",
        "errorMessage": "",
    }


def experiment(details: ExperimentDetails) -> Json:
    record = details.experiment
    return {
        **_identity(record),
        "state": _state(record, details.allocation),
        "archived": record.archived,
        "config": record.config,
        "originalConfig": record.original_config,
        "hyperparameters": record.config["hyperparameters"],
        "startTime": record.start_time,
        "endTime": record.end_time,
        "progress": as_json(record.progress),
        "jobId": record.job_id,
        "resourcePool": record.resource_pool,
        "searcherType": record.searcher.name,
        "searcherMetric": record.searcher.metric,
        "numTrials": record.num_trials,
        "trialIds": [trial.id for trial in details.trials],
        "forkedFrom": record.parent_id,
        "parentArchived": record.parent_archived,
        "bestTrialId": details.best_trial_id,
        "bestTrialSearcherMetric": as_json(details.best_metric),
        "checkpointCount": len(details.checkpoints),
        "checkpointSize": str(sum(checkpoint.size for checkpoint in details.checkpoints)),
        "modelDefinitionSize": record.definition_size,
        "pachydermIntegration": (record.config["integrations"] or {}).get("pachyderm"),
        "unmanaged": False,
    }


def _identity(record: Experiment) -> Json:
    """The names of an experiment, its owner and its place."""
    return {
        "id": record.id,
        "name": record.name,
        "description": record.description,
        "notes": record.notes,
        "labels": record.labels,
        "userId": record.user_id,
        "username": record.username,
        "displayName": record.display_name,
        "projectId": record.project_id,
        "projectName": record.project_name,
        "projectOwnerId": record.project_owner_id,
        "workspaceId": record.workspace_id,
        "workspaceName": record.workspace_name,
    }


def _state(record: Experiment | Trial, running: Allocation | None) -> str:
    """The state that clients read: for an ACTIVE experiment or trial, the state of its allocation."""
    state = record.state
    if state == State.ACTIVE:
        state = running.state if running else State.QUEUED
    return f"STATE_{state}"


def trial(details: TrialDetails) -> Json:
    record, best_checkpoint = details.trial, details.best_checkpoint
    return {
        "id": record.id,
        "experimentId": record.experiment_id,
        "state": _state(record, details.allocation),
        "hparams": record.hparams,
        "restarts": record.restarts,
        "startTime": record.start_time,
        "endTime": record.end_time,
        "runnerState": record.runner_state or "UNSPECIFIED",
        "taskId": record.task_id,
        "taskIds": record.task_ids,
        "totalBatchesProcessed": record.total_batches,
        "bestValidation": metrics_workload(details.best_validation),
        "latestValidation": metrics_workload(details.latest_validation),
        "bestCheckpoint": checkpoint_workload(best_checkpoint) if best_checkpoint else None,
        "searcherMetricValue": _value(details.best_validation, details.metric),
        "checkpointCount": len(details.checkpoints),
        "totalCheckpointSize": str(sum(checkpoint.size for checkpoint in details.checkpoints)),
        "warmStartCheckpointUuid": record.warm_start_checkpoint,
        "metadata": record.metadata,
        "summaryMetrics": _summary(details.reports),
    }


def _summary(reports: list[MetricsReport]) -> Json:
    """For each group the summary of its metrics."""
    groups: dict[str, list[Json]] = {}
    for report in reports:
        groups.setdefault(report.metric_group, []).append(report.average)
    names = {TRAINING: "avg_metrics", VALIDATION: "validation_metrics"}
    return {names.get(group, group): summarize(averages) for group, averages in groups.items()}


def metrics(report: MetricsReport | None) -> Json:
    """Determined's Metrics message without the batches."""
    return {"avgMetrics": report.average if report else {}, "batchMetrics": []}


def _value(report: MetricsReport | None, metric: str) -> float | str | None:
    value: float | str | None = as_json(report.value(metric)) if report else None
    return value


def metrics_workload(report: MetricsReport | None, *, with_batches: bool = False) -> Json | None:
    """Determined's MetricsWorkload message."""
    if report is None:
        return None
    message = metrics(report)
    if with_batches:
        message["batchMetrics"] = report.batches
    return {"endTime": report.end_time, "metrics": message, "numInputs": 0, "totalBatches": report.steps}


def metrics_report(report: MetricsReport) -> Json:
    """Determined's MetricsReport message."""
    batches = {"batch_metrics": report.batches} if report.batches_json else {}
    average = "validation_metrics" if report.metric_group == VALIDATION else "avg_metrics"
    return {
        "trialId": report.trial_id,
        "trialRunId": report.run_id,
        "id": report.id,
        "group": report.metric_group,
        "totalBatches": report.steps,
        "endTime": report.end_time,
        "archived": report.archived,
        "metrics": {average: report.average, **batches},
    }


def checkpoint(details: CheckpointDetails) -> Json:
    record, owner = details.checkpoint, details.trial
    return {
        "uuid": record.uuid,
        "taskId": record.task_id,
        "allocationId": record.allocation_id,
        "reportTime": record.report_time,
        "state": f"STATE_{record.state}",
        "resources": record.resources,
        "metadata": record.metadata,
        "training": {
            "trialId": owner.id,
            "experimentId": owner.experiment_id,
            "experimentConfig": details.experiment.config,
            "hparams": owner.hparams,
            "searcherMetric": _value(details.validation, details.experiment.searcher.metric),
            "trainingMetrics": metrics(details.training),
            "validationMetrics": metrics(details.validation),
        },
    }


def checkpoint_workload(record: Checkpoint) -> Json:
    return {
        "uuid": record.uuid,
        "endTime": record.report_time,
        "state": f"STATE_{record.state}",
        "resources": record.resources,
        "totalBatches": record.steps,
        "metadata": record.metadata,
    }


def model(record: Model) -> Json:
    return {
        "id": record.id,
        "name": record.name,
        "description": record.description,
        "notes": record.notes,
        "metadata": record.metadata,
        "labels": record.labels,
        "username": record.username,
        "userId": record.user_id,
        "workspaceId": record.workspace_id,
        "archived": record.archived,
        "numVersions": record.num_versions,
        "creationTime": record.creation_time,
        "lastUpdatedTime": record.last_updated_time,
    }


def model_version(details: ModelVersionDetails) -> Json:
    record = details.version
    return {
        "id": record.id,
        "version": record.version,
        "model": model(details.model),
        "checkpoint": checkpoint(details.checkpoint),
        "name": record.name,
        "comment": record.comment,
        "notes": record.notes,
        "metadata": record.metadata,
        "labels": record.labels,
        "username": record.username,
        "userId": record.user_id,
        "creationTime": record.creation_time,
        "lastUpdatedTime": record.last_updated_time,
    }


def allocation(record: Allocation) -> Json:
    return {
        "allocationId": record.id,
        "taskId": record.task_id,
        "state": f"STATE_{record.state}",
        "slots": len(record.slots),
        "isReady": record.is_ready,
        "startTime": record.start_time,
        "endTime": record.end_time,
        "exitReason": record.exit_reason,
        "statusCode": record.status_code,
    }


def task(record: Trial, task_id: str, allocations: list[Allocation]) -> Json:
    return {
        "taskId": task_id,
        "taskType": "TASK_TYPE_TRIAL",
        "startTime": record.start_time,
        "endTime": record.end_time,
        "allocations": [allocation(run) for run in allocations if run.task_id == task_id],
    }


def allocation_summary(record: Allocation, owner: Experiment) -> Json:
    return {
        "allocationId": record.id,
        "taskId": record.task_id,
        "name": f"Trial {record.trial_id} (Experiment {owner.id})",
        "registeredTime": record.start_time,
        "resourcePool": owner.resource_pool,
        "slotsNeeded": len(record.slots),
        "schedulerType": "priority",
        "priority": owner.priority,
        "resources": [
            {
                "resourcesId": record.container_id,
                "resourcesType": "docker-container",
                "allocationId": record.id,
                "containerId": record.container_id,
                "agentDevices": {AGENT: {"devices": [{"id": slot, "type": "TYPE_CPU"} for slot in record.slots]}},
            }
        ],
    }


def log_entry(entry: LogEntry) -> Json:
    container = f"{entry.container_id[:8]} " if entry.container_id else ""
    return {
        "id": str(entry.id),
        "timestamp": entry.timestamp,
        "level": entry.level,
        "log": f"{entry.log}\n",
        "message": f"[{entry.timestamp}] {container}|| {entry.log}\n",
        "agentId": AGENT,
        "containerId": entry.container_id,
        "allocationId": entry.allocation_id,
        "rankId": entry.rank_id,
        "source": entry.source,
        "stdtype": entry.stdtype,
    }


def job(record: Job) -> Json:
    owner = record.experiment
    return {
        "jobId": owner.job_id,
        "entityId": str(owner.id),
        "type": "TYPE_EXPERIMENT",
        "name": owner.name,
        "username": owner.username,
        "userId": owner.user_id,
        "resourcePool": owner.resource_pool,
        "submissionTime": owner.start_time,
        "isPreemptible": True,
        "requestedSlots": owner.config["resources"]["slots_per_trial"] * owner.num_trials,
        "allocatedSlots": record.allocated_slots,
        "priority": owner.priority,
        "weight": owner.config["resources"]["weight"],
        "progress": as_json(owner.progress),
        "workspaceId": owner.workspace_id,
        "summary": {"state": "STATE_SCHEDULED" if record.running else "STATE_QUEUED", "jobsAhead": record.ahead},
    }


def agent(record: Agent) -> Json:
    containers = {run.id: _container(run) for run in record.allocations}
    used = sum(run is not None for run in record.slots)
    cpu = {"total": len(record.slots), "states": {"STATE_RUNNING": used}, "disabled": 0, "draining": 0}
    return {
        "id": AGENT,
        "version": VERSION,
        "registeredTime": record.registered_time,
        "resourcePools": record.resource_pools,
        "addresses": ["127.0.0.1"],
        "enabled": True,
        "draining": False,
        "slots": {
            str(number): {
                "id": str(number),
                "device": _device(number),
                "enabled": True,
                "draining": False,
                "container": containers[run.id] if run else None,
            }
            for number, run in enumerate(record.slots)
        },
        "containers": {container["id"]: container for container in containers.values()},
        "slotStats": {"typeStats": {"TYPE_CPU": cpu}, "brandStats": {}},
    }


def _container(run: Allocation) -> Json:
    return {
        "id": run.container_id,
        "parent": "",
        "state": "STATE_RUNNING" if run.state == State.RUNNING else "STATE_STARTING",
        "devices": [_device(number) for number in run.slots],
    }


def _device(number: int) -> Json:
    return {"id": number, "brand": "CPU core", "uuid": "", "type": "TYPE_CPU"}


def resource_pool(record: ResourcePool) -> Json:
    return {
        "name": record.name,
        "description": "a name for this machine's CPU cores",
        "type": "RESOURCE_POOL_TYPE_STATIC",
        "numAgents": 1,
        "slotsAvailable": record.slots,
        "slotsUsed": record.slots_used,
        "slotType": "TYPE_CPU",
        "slotsPerAgent": record.slots,
        "auxContainerCapacity": 0,
        "auxContainersRunning": 0,
        "auxContainerCapacityPerAgent": 0,
        "defaultComputePool": record.is_default,
        "defaultAuxPool": record.is_default,
        "preemptible": False,
        "minAgents": 1,
        "maxAgents": 1,
        "maxIdleAgentPeriod": 0,
        "maxAgentStartingPeriod": 0,
        "schedulerType": "SCHEDULER_TYPE_PRIORITY",
        "schedulerFittingPolicy": "FITTING_POLICY_BEST",
        "details": {"priorityScheduler": {"preemption": False, "defaultPriority": DEFAULT_PRIORITY, "k8Priorities": []}},
        "stats": {"queuedCount": record.queued, "scheduledCount": record.running},
        "clusterName": "minipdk",
        "resourceManagerMetadata": {},
        **dict.fromkeys(CLOUD_FIELDS, ""),
    }


def master(cluster_id: str) -> Json:
    return {
        "version": VERSION,
        "clusterId": cluster_id,
        "clusterName": "minipdk",
        "masterId": cluster_id,
        "branding": "determined",
        "externalLoginUri": "",
        "externalLogoutUri": "",
        "telemetryEnabled": False,
        "ssoProviders": [],
        "rbacEnabled": False,
        "userManagementEnabled": True,
        "strictJobQueueControl": False,
        "hasCustomLogo": False,
        "product": "PRODUCT_UNSPECIFIED",
        "featureSwitches": [],
    }
