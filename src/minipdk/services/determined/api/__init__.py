"""The REST API: a module for each noun, which lists its endpoints as (method, path, handler).

A handler parses the request, calls the parts of the master that it names as parameters, and returns the answer that
`messages` makes of their records. `http` calls the handlers and answers any other path with 501; `fields` checks the types
of the fields of a request's body.
"""

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
"""The paths that a client may call before it has logged in."""
