"""A database of an older version is brought up to date with its data."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from minipdk.services.determined.store import Changes, Store
from minipdk.services.determined.store.schema import MIGRATIONS
from minipdk.storage import Database

ROWS = """
INSERT INTO users VALUES (1, 'admin', 1, 1, '', '', '', NULL);
INSERT INTO model_definitions VALUES ('d', x'');
INSERT INTO experiments VALUES (1, 'COMPLETED', 'e', '', '', '[]', '{}', '', 'd', NULL, 1, 1, 'j', 0, 'default', 42, '', '');
INSERT INTO trials VALUES (1, 1, 't', 'COMPLETED', '{}', 0, 0, 1, '', 1, NULL, NULL, '{}', 1, '', '');
INSERT INTO metrics VALUES (1, 1, 1, 'validation', 1, '{"loss":NaN,"acc":1.0}', '[{"loss":-Infinity}]', '', 0);
INSERT INTO metrics VALUES (2, 1, 1, 'validation', 2, '{"note":"Infinity and NaN"}', NULL, '', 0);
"""


def test_numbers_that_are_no_json_become_texts_and_completed_experiments_are_done(tmp_path: Path) -> None:
    path = tmp_path / "determined.db"
    Database(path, MIGRATIONS[:1])
    with closing(sqlite3.connect(path)) as rows, rows:
        rows.executescript(ROWS)
    store = Store(path, Changes())
    first, second = store.metrics.of_trial(1)
    assert first.average == {"loss": "NaN", "acc": 1}
    assert first.batches == [{"loss": "-Infinity"}]
    assert second.average == {"note": "Infinity and NaN"}
    with closing(sqlite3.connect(path)) as rows:
        assert rows.execute("SELECT progress FROM experiments").fetchone() == (1,)
    assert store.users.all()[0].agent_user_group == {}
