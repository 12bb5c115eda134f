"""The tables of pachd's one database, and the migrations that lead to them.

Never change a step that was released: add one.

PFS: A commit's tree is a stack of layers, the newest on top. A layer holds one row for every file and directory that differs
from the layers below it; a row without a size means that the path is deleted. Directories have the sums of their files, so
sizes and hashes are read, never computed. Layers of finished commits never change and are shared by their descendants.
A file set is a separate layer, with the paths that it removes from the files it is added to. Dropped layers are counted,
because they leave contents behind that nothing may refer to any more.

``branch_never`` holds the edges of the provenance that new heads do not propagate along. ``trigger_checks`` holds finished
commits whose branches' triggers were not checked yet. The next tick of a trigger without a cron expression is 0.

PPS: messages are kept serialized, next to the columns they are looked up by. Row ids grow with time, so that newest first is
descending row id.
"""

_PFS = """
CREATE TABLE IF NOT EXISTS projects (
    name TEXT PRIMARY KEY,
    description TEXT NOT NULL,
    created INTEGER NOT NULL,
    metadata TEXT NOT NULL DEFAULT '{}'
);
CREATE TABLE IF NOT EXISTS repos (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    project TEXT NOT NULL REFERENCES projects(name),
    name TEXT NOT NULL,
    type TEXT NOT NULL,
    description TEXT NOT NULL,
    created INTEGER NOT NULL,
    metadata TEXT NOT NULL DEFAULT '{}',
    UNIQUE (project, name, type)
);
CREATE TABLE IF NOT EXISTS layers (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    entries INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS entries (
    layer INTEGER NOT NULL,
    parent TEXT NOT NULL,
    name TEXT NOT NULL,
    size INTEGER,
    hash BLOB,
    parts BLOB,
    children INTEGER,
    PRIMARY KEY (layer, parent, name)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS commits (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    repo INTEGER NOT NULL REFERENCES repos(id),
    commit_set TEXT NOT NULL,
    branch TEXT NOT NULL,
    parent INTEGER REFERENCES commits(id) ON DELETE SET NULL,
    origin INTEGER NOT NULL,
    description TEXT NOT NULL,
    started INTEGER NOT NULL,
    finishing INTEGER NOT NULL DEFAULT 0,
    finished INTEGER NOT NULL DEFAULT 0,
    error TEXT NOT NULL DEFAULT '',
    size INTEGER NOT NULL DEFAULT 0,
    updated INTEGER NOT NULL,
    own_layer INTEGER REFERENCES layers(id),
    metadata TEXT NOT NULL DEFAULT '{}',
    UNIQUE (repo, commit_set)
);
CREATE INDEX IF NOT EXISTS commits_by_set ON commits (commit_set);
CREATE INDEX IF NOT EXISTS commits_by_parent ON commits (parent);
CREATE TABLE IF NOT EXISTS commit_layers (
    commit_id INTEGER NOT NULL REFERENCES commits(id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    layer INTEGER NOT NULL REFERENCES layers(id),
    PRIMARY KEY (commit_id, position)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS commit_layers_by_layer ON commit_layers (layer);
CREATE INDEX IF NOT EXISTS commits_by_own_layer ON commits (own_layer);
CREATE TABLE IF NOT EXISTS commit_provenance (
    downstream INTEGER NOT NULL REFERENCES commits(id) ON DELETE CASCADE,
    upstream INTEGER NOT NULL REFERENCES commits(id) ON DELETE CASCADE,
    PRIMARY KEY (downstream, upstream)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS commit_subvenance ON commit_provenance (upstream);
CREATE TABLE IF NOT EXISTS branches (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    repo INTEGER NOT NULL REFERENCES repos(id),
    name TEXT NOT NULL,
    head INTEGER NOT NULL REFERENCES commits(id) DEFERRABLE INITIALLY DEFERRED,
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    metadata TEXT NOT NULL DEFAULT '{}',
    UNIQUE (repo, name)
);
CREATE INDEX IF NOT EXISTS branches_by_head ON branches (head);
CREATE TABLE IF NOT EXISTS branch_provenance (
    downstream INTEGER NOT NULL REFERENCES branches(id) ON DELETE CASCADE,
    upstream INTEGER NOT NULL REFERENCES branches(id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    PRIMARY KEY (downstream, upstream)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS branch_subvenance ON branch_provenance (upstream);
CREATE TABLE IF NOT EXISTS branch_never (
    downstream INTEGER NOT NULL,
    upstream INTEGER NOT NULL,
    PRIMARY KEY (downstream, upstream),
    FOREIGN KEY (downstream, upstream) REFERENCES branch_provenance(downstream, upstream) ON DELETE CASCADE
) WITHOUT ROWID;
CREATE VIEW IF NOT EXISTS branch_propagation AS
    SELECT downstream, upstream FROM branch_provenance EXCEPT SELECT downstream, upstream FROM branch_never;
CREATE TABLE IF NOT EXISTS branch_triggers (
    branch INTEGER PRIMARY KEY REFERENCES branches(id) ON DELETE CASCADE,
    source INTEGER NOT NULL REFERENCES branches(id) ON DELETE CASCADE,
    all_conditions INTEGER NOT NULL,
    rate_limit_spec TEXT NOT NULL,
    size TEXT NOT NULL,
    commits INTEGER NOT NULL,
    cron_spec TEXT NOT NULL,
    next_tick INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS branch_triggers_by_source ON branch_triggers (source);
CREATE INDEX IF NOT EXISTS branch_triggers_by_tick ON branch_triggers (next_tick);
CREATE TABLE IF NOT EXISTS trigger_checks (
    commit_id INTEGER PRIMARY KEY REFERENCES commits(id) ON DELETE CASCADE
);
CREATE TABLE IF NOT EXISTS filesets (
    id TEXT PRIMARY KEY,
    layer INTEGER NOT NULL REFERENCES layers(id),
    created INTEGER NOT NULL,
    expires INTEGER
);
CREATE INDEX IF NOT EXISTS filesets_by_layer ON filesets (layer);
CREATE INDEX IF NOT EXISTS filesets_by_expiry ON filesets (expires) WHERE expires IS NOT NULL;
CREATE TABLE IF NOT EXISTS fileset_removals (
    fileset TEXT NOT NULL REFERENCES filesets(id) ON DELETE CASCADE,
    path TEXT NOT NULL,
    PRIMARY KEY (fileset, path)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS cache (
    key TEXT PRIMARY KEY,
    value BLOB NOT NULL,
    tag TEXT NOT NULL,
    accessed INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS cache_by_access ON cache (accessed);
CREATE TABLE IF NOT EXISTS cached_filesets (
    key TEXT NOT NULL REFERENCES cache(key) ON DELETE CASCADE,
    fileset TEXT NOT NULL REFERENCES filesets(id),
    PRIMARY KEY (fileset, key)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS cached_filesets_by_key ON cached_filesets (key);
CREATE TABLE IF NOT EXISTS small_contents (
    digest BLOB PRIMARY KEY,
    data BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS dropped_layers (
    only INTEGER PRIMARY KEY CHECK (only = 0),
    dropped INTEGER NOT NULL
);
INSERT OR IGNORE INTO dropped_layers VALUES (0, 0);
CREATE TRIGGER IF NOT EXISTS count_dropped_layers AFTER DELETE ON layers BEGIN
    UPDATE dropped_layers SET dropped = dropped + 1;
END;
"""
_PPS = """
CREATE TABLE IF NOT EXISTS pps_pipelines (
    row INTEGER PRIMARY KEY AUTOINCREMENT, project TEXT NOT NULL, name TEXT NOT NULL, version INTEGER NOT NULL,
    spec_commit TEXT NOT NULL, info BLOB NOT NULL, UNIQUE (project, name, version));
CREATE TABLE IF NOT EXISTS pps_jobs (
    row INTEGER PRIMARY KEY AUTOINCREMENT, project TEXT NOT NULL, pipeline TEXT NOT NULL, id TEXT NOT NULL,
    version INTEGER NOT NULL, terminal INTEGER NOT NULL, info BLOB NOT NULL, UNIQUE (project, pipeline, id));
CREATE INDEX IF NOT EXISTS pps_jobs_open ON pps_jobs (terminal) WHERE NOT terminal;
CREATE INDEX IF NOT EXISTS pps_jobs_set ON pps_jobs (id);
CREATE TABLE IF NOT EXISTS pps_datums (
    row INTEGER PRIMARY KEY, id TEXT NOT NULL, hash TEXT NOT NULL, state INTEGER NOT NULL, fileset TEXT, info BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS pps_job_datums (
    job INTEGER NOT NULL REFERENCES pps_jobs (row) ON DELETE CASCADE, datum INTEGER NOT NULL REFERENCES pps_datums (row),
    skipped INTEGER NOT NULL, PRIMARY KEY (job, datum)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS pps_job_datums_datum ON pps_job_datums (datum);
CREATE TABLE IF NOT EXISTS pps_defaults (project TEXT PRIMARY KEY, json TEXT NOT NULL, created_at INTEGER NOT NULL);
"""
_TRANSACTIONS = """
CREATE TABLE IF NOT EXISTS client_transactions (
    id TEXT PRIMARY KEY,
    info BLOB NOT NULL,
    updated INTEGER NOT NULL
);
"""
_METADATA = """
CREATE TABLE IF NOT EXISTS cluster_metadata (id INTEGER PRIMARY KEY CHECK (id = 1), metadata TEXT NOT NULL);
"""
_S3 = """
CREATE TABLE IF NOT EXISTS s3_uploads (
    id TEXT PRIMARY KEY,
    bucket TEXT NOT NULL,
    key TEXT NOT NULL,
    algorithm TEXT NOT NULL,
    created INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS s3_uploads_by_key ON s3_uploads (bucket, key, id);
CREATE TABLE IF NOT EXISTS s3_parts (
    upload TEXT NOT NULL REFERENCES s3_uploads(id),
    number INTEGER NOT NULL,
    fileset TEXT NOT NULL,
    size INTEGER NOT NULL,
    etag TEXT NOT NULL,
    checksums TEXT NOT NULL,
    created INTEGER NOT NULL,
    PRIMARY KEY (upload, number)
) WITHOUT ROWID;
"""
_AUTHORS = """
ALTER TABLE projects ADD COLUMN created_by TEXT NOT NULL DEFAULT '';
ALTER TABLE repos ADD COLUMN created_by TEXT NOT NULL DEFAULT '';
ALTER TABLE commits ADD COLUMN created_by TEXT NOT NULL DEFAULT '';
ALTER TABLE branches ADD COLUMN created_by TEXT NOT NULL DEFAULT '';
ALTER TABLE pps_defaults ADD COLUMN created_by TEXT NOT NULL DEFAULT '';
"""

MIGRATIONS = ("".join((_PFS, _PPS, _TRANSACTIONS, _METADATA, _S3)), _AUTHORS)
"""Step n leads from version n - 1 to version n; the first is the schema of minipdk 1.0.0."""
