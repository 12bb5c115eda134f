"""Hints for the most common failures of the vendors' clients."""

from __future__ import annotations

import pytest

from course import hints


def test_a_cluster_that_does_not_answer_gets_a_hint() -> None:
    from pachyderm_sdk import Client

    with pytest.raises(ConnectionError) as caught:
        Client(host="127.0.0.1", port=1).get_version()
    assert "Pachyderm does not answer at PACHD_ADDRESS" in (hints.hint_for(caught.value) or "")


def test_a_determined_master_that_does_not_answer_gets_a_hint() -> None:
    from determined.common.api.errors import MasterNotFoundException
    from determined.experimental import Determined

    with pytest.raises(MasterNotFoundException) as caught:
        Determined(master="http://127.0.0.1:1", user="determined", password="x")
    assert "Determined does not answer at DET_MASTER" in (hints.hint_for(caught.value) or "")


def test_an_error_that_speaks_for_itself_gets_no_hint() -> None:
    assert hints.hint_for(KeyError("churn")) is None
