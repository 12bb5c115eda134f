"""The tables of refusals in docs/ are true: a running cluster gives the documented answer to each row."""

from __future__ import annotations

import pytest
from tests.repository.refusals import determined, ingress, kserve, kubernetes, node, pachyderm
from tests.repository.refusals.cluster import Check, Cluster
from tests.repository.refusals.tables import DOCS, ROOT, Row, rows

PAGES = (determined, ingress, kserve, kubernetes, node, pachyderm)
CHECKS: dict[str, dict[str, Check]] = {module.__name__.rpartition(".")[2]: module.CHECKS for module in PAGES}
ROWS = rows()


@pytest.mark.parametrize("row", [row for row in ROWS if not row.tested_by], ids=str)
def test_a_refusal_is_answered_as_documented(cluster: Cluster, row: Row) -> None:
    answers = list(CHECKS[row.page][row.key](cluster, row.names))
    assert answers
    assert [(name, answer) for name, answer in answers if answer not in row.answers] == []


@pytest.mark.parametrize("row", [row for row in ROWS if row.tested_by], ids=str)
def test_a_refusal_that_is_tested_elsewhere_names_a_test(row: Row) -> None:
    files = (path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    assert any(f"def {row.tested_by}(" in text for text in files)


def test_every_service_has_a_table_of_refusals_and_every_check_a_row() -> None:
    assert {row.page for row in ROWS} == set(CHECKS)
    for page, checks in CHECKS.items():
        assert set(checks) - {row.key for row in ROWS if row.page == page} == set()


@pytest.mark.parametrize("page", sorted(CHECKS))
def test_every_service_has_a_page_of_the_same_shape(page: str) -> None:
    sections = [line for line in (DOCS / f"{page}.md").read_text().splitlines() if line.startswith("## ")]
    assert [section for section in sections if section != "## Limits"] == [
        "## Supported",
        "## Refused",
        "## Accepted and only echoed",
    ]


def test_every_unsupported_call_of_pachd_is_documented(cluster: Cluster) -> None:
    documented = {
        f"{service}.{method}"
        for row in ROWS
        if row.page == "pachyderm" and row.key == "*: *"
        for service, *methods in [row.names]
        for method in methods
    }
    known = {path.strip("/").replace("/", ".") for path in pachyderm.sdk_calls()}
    assert documented - known == set()
    assert pachyderm.unsupported_calls(cluster) - documented == set()
