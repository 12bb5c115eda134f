"""All SQL of PFS, one module per noun: functions of the calling thread's connection that return rows, infos and ids.

No rules are here. A row is a typed tuple; its ``id`` is the database's own and never shown to a client. The tables are in
`minipdk.services.pachyderm.schema`. Writing needs an open transaction.
"""

from minipdk.services.pachyderm.pfs.store import (
    branches,
    cache,
    commits,
    contents,
    filesets,
    layers,
    projects,
    repos,
    triggers,
)

__all__ = ["branches", "cache", "commits", "contents", "filesets", "layers", "projects", "repos", "triggers"]
