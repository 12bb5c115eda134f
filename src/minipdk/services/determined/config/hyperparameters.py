"""Hyperparameters and the searchers that draw them: single, random and grid.

Kinds: const, int, double, log and categorical, in mappings of any depth; a bare value is a const.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator
from typing import Any

from minipdk.services.determined.errors import ConfigError

Json = dict[str, Any]
KEYS: dict[str, tuple[set[str], set[str]]] = {  # required and optional keys of each kind
    "const": ({"val"}, set()),
    "int": ({"minval", "maxval"}, {"count"}),
    "double": ({"minval", "maxval"}, {"count"}),
    "log": ({"minval", "maxval", "base"}, {"count"}),
    "categorical": ({"vals"}, set()),
}
MAX_GRID_TRIALS = 2000


def normalize(hyperparameters: Json, *, for_grid: bool = False) -> Json:
    """Every leaf as a mapping with its type. Raises ConfigError naming the path of each fault."""
    faults: list[str] = []
    result = {name: _leaf(f"hyperparameters.{name}", value, faults, for_grid) for name, value in hyperparameters.items()}
    if faults:
        raise ConfigError(faults)
    return result


def draw_trials(config: Json, seed: int) -> list[tuple[Json, int]]:
    """The hyperparameters and seed of every trial of the experiment: ``seed`` and ``config`` decide them."""
    rng = random.Random(seed)  # noqa: S311 - experiments are repeatable by their seed
    searcher, space = config["searcher"], config["hyperparameters"]
    if searcher["name"] == "grid":
        drawn = list(_grid(space))
    else:
        drawn = [_sample(space, rng) for _ in range(searcher.get("max_trials") or 1)]
    return [(hparams, rng.getrandbits(31)) for hparams in drawn]


def grid_size(space: Json) -> int:
    """How many trials a grid over the normalized ``space`` has."""
    size = 1
    for value in space.values():
        size *= len(_choices(value)) if "type" in value else grid_size(value)
    return size


def _leaf(path: str, value: Any, faults: list[str], for_grid: bool) -> Any:
    if not isinstance(value, dict):
        return {"type": "const", "val": value}
    kind = value.get("type")
    if kind is None:
        return {key: _leaf(f"{path}.{key}", nested, faults, for_grid) for key, nested in value.items()}
    if kind not in KEYS:
        faults.append(f"{path}.type: {kind!r} is not one of {', '.join(KEYS)}")
        return value
    required, optional = KEYS[kind]
    faults += [f"{path}.{key} is required for the type {kind}" for key in sorted(required - value.keys())]
    faults += [f"unknown key {path}.{key}" for key in sorted(value.keys() - required - optional - {"type"})]
    if required <= value.keys():
        faults += [f"{path}{fault}" for fault in _value_faults(kind, value, for_grid)]
    return value


def _value_faults(kind: str, value: Json, for_grid: bool) -> Iterator[str]:
    if kind == "categorical" and not (isinstance(value["vals"], list) and value["vals"]):
        yield ".vals must be a list of at least one value"
    if kind in ("int", "double", "log"):
        whole = (int,) if kind == "int" else (int, float)
        numbers = [key for key in ("minval", "maxval") if not isinstance(value[key], whole) or isinstance(value[key], bool)]
        yield from (f".{key} must be {'a whole number' if kind == 'int' else 'a number'}" for key in numbers)
        if not numbers and value["minval"] >= value["maxval"]:
            yield f".minval must be less than maxval, {value['maxval']}"
        count = value.get("count")
        if count is None and for_grid:
            yield ".count is required for the searcher grid"
        elif count is not None and (not isinstance(count, int) or count < 1):
            yield ".count must be a whole number of 1 or more"
    if kind == "log" and not (isinstance(value["base"], int | float) and value["base"] > 0):
        yield ".base must be a number above 0"


def _sample(space: Json, rng: random.Random) -> Json:
    draw: dict[str, Callable[[Json], Any]] = {
        "const": lambda v: v["val"],
        "int": lambda v: rng.randint(v["minval"], v["maxval"]),
        "double": lambda v: rng.uniform(v["minval"], v["maxval"]),
        "log": lambda v: v["base"] ** rng.uniform(v["minval"], v["maxval"]),
        "categorical": lambda v: rng.choice(v["vals"]),
    }
    return {name: draw[v["type"]](v) if "type" in v else _sample(v, rng) for name, v in space.items()}


def _grid(space: Json) -> Iterator[Json]:
    names = list(space)
    axes = [_choices(value) if "type" in value else list(_grid(value)) for value in space.values()]
    for point in itertools.product(*axes):
        yield dict(zip(names, point, strict=True))


def _choices(value: Json) -> list[Any]:
    kind = value["type"]
    if kind == "const":
        return [value["val"]]
    if kind == "categorical":
        return list(value["vals"])
    low, high, count = value["minval"], value["maxval"], value.get("count") or 1
    if kind == "int":
        count = min(count, high - low + 1)
    steps = [low + (high - low) * (i / (count - 1) if count > 1 else 0.5) for i in range(count)]
    if kind == "int":
        return [round(step) for step in steps]
    return [value["base"] ** step for step in steps] if kind == "log" else steps
