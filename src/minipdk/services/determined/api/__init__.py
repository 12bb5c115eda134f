"""The REST surface: each module lists its endpoints as (method, path, handler). What is in none is answered with 501."""

from minipdk.services.determined.api import (
    checkpoints,
    cluster,
    experiments,
    harness,
    jobs,
    models,
    trials,
    users,
    workspaces,
)

ENDPOINTS = [
    *users.ENDPOINTS,
    *cluster.ENDPOINTS,
    *jobs.ENDPOINTS,
    *workspaces.ENDPOINTS,
    *experiments.ENDPOINTS,
    *trials.ENDPOINTS,
    *checkpoints.ENDPOINTS,
    *models.ENDPOINTS,
    *harness.ENDPOINTS,
]

OPEN = frozenset({"/info", "/api/v1/master", "/api/v1/auth/login"})
"""What a client may ask before it has logged in."""
