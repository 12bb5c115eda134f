"""Traffic: the shares of a service's revisions in its requests, as KServe sets them for Knative, and the Pods that answer.

A roll-out's state is KServe's ComponentStatusSpec: the revision last created, last ready and last rolled out (which had all
requests), the one rolled out before, and the traffic targets.
Rules: https://kserve.github.io/website/0.15/modelserving/v1beta1/rollout/canary/
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from minipdk.controller.objects import Object
from minipdk.controller.routes import Backend, Traffic
from minipdk.services.kserve.errors import ReconcileError

CREATED, READY = "latestCreatedRevision", "latestReadyRevision"
ROLLED_OUT, PREVIOUS = "latestRolledoutRevision", "previousRolledoutRevision"
PREVIOUS_TAG, LATEST_TAG = "prev", "latest"


def check_share(known: Object, canary: int | None) -> None:
    """Raise ReconcileError for a share that Knative refuses. It sees none before a revision is rolled out."""
    if canary is not None and known.get(ROLLED_OUT) and not 0 <= canary <= 100:
        raise ReconcileError(f"expected 0 <= {canary} <= 100: spec.traffic[0].percent")


def roll_out(known: Object, created: str, ready: str, canary: int | None, *, tagged: bool = False) -> Object:
    """The state after ``known`` when ``created`` is the newest revision and ``ready`` the newest that has been ready.

    ``canary`` is the percentage for the newest; None gives it all. ``tagged``: whether it has its own host name.
    """
    state: Object = {**known, CREATED: created, **({READY: ready} if ready else {})}
    if not ready:
        return {key: value for key, value in state.items() if key != "traffic"}
    while True:
        state["traffic"] = _targets(state, canary, tagged=tagged)
        settled = _settled(state)
        if settled == state:
            return state
        state = settled


def _targets(state: Object, canary: int | None, *, tagged: bool) -> list[Object]:
    rolled_out = state.get(ROLLED_OUT, "")
    share = 100 if canary is None or not rolled_out else canary
    latest = {"latestRevision": True, "percent": share, "revisionName": state[READY]}
    if tagged:
        latest["tag"] = LATEST_TAG
    if share == 100:
        return [latest]
    rest = {"latestRevision": False, "percent": 100 - share, "revisionName": rolled_out, "tag": PREVIOUS_TAG}
    return [latest, rest]


def _settled(state: Object) -> Object:
    """The state with the revision that counts as rolled out, given the traffic.

    A revision with all requests counts. If it had them and now shares them with itself, it is being rolled back: the
    previous one replaces it.
    """
    latest, ready, rolled_out = state["traffic"][0], state[READY], state.get(ROLLED_OUT, "")
    if rolled_out != ready:
        if latest["percent"] < 100:
            return state
        return {**state, ROLLED_OUT: ready, **({PREVIOUS: rolled_out} if rolled_out else {})}
    if ready == state[CREATED] and latest["percent"] < 100 and state.get(PREVIOUS):
        return {**state, ROLLED_OUT: state[PREVIOUS]}
    return state


def revisions_in_use(state: Object) -> set[str]:
    """The revisions that must run: the newest, and every traffic target, even with a share of 0."""
    return {state.get(CREATED, ""), *(target["revisionName"] for target in state.get("traffic", []))} - {""}


def shares(state: Object, ready: Mapping[str, Sequence[Backend]]) -> tuple[Traffic, ...]:
    """The current shares, given the ``ready`` Backends of each revision that has any, the newest last.

    While a target has no Backends, the others get its share; while no target has any, the newest ready revision gets all.
    """
    percents: dict[str, int] = {}
    for target in state.get("traffic", []):
        name = target["revisionName"]
        percents[name] = percents.get(name, 0) + target["percent"]
    serving = {name: percent for name, percent in percents.items() if percent and ready.get(name)}
    if len(serving) < 2 and ready:
        serving = {next(iter(serving), list(ready)[-1]): 100}
    return tuple(Traffic(percent, tuple(ready[name])) for name, percent in serving.items())


def is_settled(state: Object, ready: Mapping[str, Sequence[Backend]]) -> bool:
    """Whether every revision with a share of the requests can answer them."""
    targets = state.get("traffic", [])
    return bool(targets) and all(ready.get(target["revisionName"]) for target in targets if target["percent"])
