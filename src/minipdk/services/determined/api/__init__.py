"""The REST API: a module for each noun, which lists its endpoints as (method, path, handler).

A handler parses the request, calls the parts of the master that it names as parameters, and returns the answer that
`messages` makes of their records. `routes` adds a refusal, with the name of the RPC, for every call of Determined's that has
no handler; `http` calls the handlers and answers any other path with 501; `fields` checks the types of the fields of a
request's body, and `filters` has the filters of lists.
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
from minipdk.services.determined.api.routes import route_table

SERVED = [
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
ENDPOINTS = route_table(SERVED)

OPEN = frozenset({"/info", "/api/v1/master", "/api/v1/auth/login"})
"""The paths that a client may call before it has logged in."""
