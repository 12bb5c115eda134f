"""The store: how rows become records, and the guarantees of a transaction."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from minipdk.services.determined.model import Model, now
from minipdk.services.determined.store import Changes, Store


@pytest.fixture
def changes() -> Changes:
    return Changes()


@pytest.fixture
def store(tmp_path: Path, changes: Changes) -> Store:
    """An empty database with one user."""
    store = Store(tmp_path / "determined.db", changes)
    store.users.add("ada", admin=True, active=False, display_name="", password="x", modified_at=now())
    return store


def add_model(store: Store, name: str) -> Model:
    time = now()
    store.models.add(
        name=name,
        description="",
        notes="",
        metadata={"a": [1, None]},
        labels=["x"],
        user_id=1,
        workspace_id=1,
        creation_time=time,
        last_updated_time=time,
    )
    model = store.models.by_name(name)
    assert model is not None
    return model


def test_json_columns_and_flags_are_decoded(store: Store) -> None:
    user = store.users.get(1)
    assert user is not None
    assert (user.admin, user.active, user.last_login_at) == (True, False, None)
    model = add_model(store, "churn")
    assert (model.metadata, model.labels, model.archived, model.username) == ({"a": [1, None]}, ["x"], False, "ada")


def test_update_sets_the_given_fields_only(store: Store) -> None:
    model = add_model(store, "churn")
    store.models.update(model.id, labels=[], archived=True)
    changed = store.models.get(model.id)
    assert changed is not None
    assert (changed.labels, changed.archived, changed.metadata, changed.name) == ([], True, model.metadata, "churn")


def test_missing_row_is_none(store: Store) -> None:
    assert store.models.get(7) is None
    assert store.trials.get(7) is None


def test_transaction_that_fails_changes_nothing(store: Store) -> None:
    def fail() -> None:
        with store.transaction():
            add_model(store, "churn")
            with store.transaction():
                add_model(store, "other")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert store.models.all() == []


def test_waiters_wake_after_the_commit(store: Store, changes: Changes) -> None:
    async def wait() -> None:
        changes.bind()
        with changes.subscribe("topic") as change:
            waiting = asyncio.create_task(change.wait(60))
            with store.transaction():
                changes.notify("topic")
                await asyncio.sleep(0.05)
                assert not waiting.done()
            await asyncio.wait_for(waiting, 30)

    asyncio.run(wait())
