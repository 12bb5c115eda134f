"""Models of the registry and their versions."""

from __future__ import annotations

from minipdk.services.determined.model import Model, ModelVersion
from minipdk.services.determined.store.records import Table, Value

MODEL = """
    SELECT models.*, username, (SELECT count(*) FROM model_versions WHERE model_id = models.id) AS num_versions
    FROM models JOIN users ON users.id = models.user_id
"""
VERSION = "SELECT model_versions.*, username FROM model_versions JOIN users ON users.id = model_versions.user_id"


class ModelTable(Table):
    def all(self) -> list[Model]:
        return self._all(Model, f"{MODEL} ORDER BY models.id")

    def get(self, model_id: int | str) -> Model | None:
        """``model_id`` may be a number as text, of any size."""
        return self._first(Model, f"{MODEL} WHERE models.id = ?", model_id)

    def by_name(self, name: str) -> Model | None:
        return self._first(Model, f"{MODEL} WHERE models.name = ?", name)

    def add(self, **values: Value) -> int:
        return self._insert("models", **values)

    def update(self, model_id: int, **values: Value) -> None:
        self._update("models", model_id, **values)

    def delete(self, model_id: int) -> None:
        """Delete the model and its versions."""
        self._write("DELETE FROM models WHERE id = ?", model_id)


class VersionTable(Table):
    def of_model(self, model_id: int) -> list[ModelVersion]:
        return self._all(ModelVersion, f"{VERSION} WHERE model_id = ? ORDER BY version", model_id)

    def get(self, model_id: int, number: int) -> ModelVersion | None:
        return self._first(ModelVersion, f"{VERSION} WHERE model_id = ? AND version = ?", model_id, number)

    def add(self, model_id: int, *, creation_time: str, **values: Value) -> int:
        """Add the model's next version; returns its number, which no deleted version has had."""
        with self._database.transaction() as connection:
            self._write(
                "UPDATE models SET last_version = last_version + 1, last_updated_time = ? WHERE id = ?",
                creation_time,
                model_id,
            )
            number: int = connection.execute("SELECT last_version FROM models WHERE id = ?", (model_id,)).fetchone()[0]
            times = {"creation_time": creation_time, "last_updated_time": creation_time}
            self._insert("model_versions", model_id=model_id, version=number, **times, **values)
        return number

    def update(self, version_id: int, **values: Value) -> None:
        self._update("model_versions", version_id, **values)

    def delete(self, version_id: int) -> None:
        self._write("DELETE FROM model_versions WHERE id = ?", version_id)
