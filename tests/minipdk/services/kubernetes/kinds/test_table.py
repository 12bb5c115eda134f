"""The table of kinds."""

from __future__ import annotations

import pkgutil
from importlib import import_module

from minipdk.services.kubernetes.kinds import builtin, custom
from minipdk.services.kubernetes.kinds.table import ALL_RESOURCES
from minipdk.services.kubernetes.model import Resource


def test_every_kind_of_a_module_is_in_the_table() -> None:
    for package in (builtin, custom):
        for module in pkgutil.iter_modules(package.__path__):
            values = vars(import_module(f"{package.__name__}.{module.name}")).values()
            declared = [value for value in values if isinstance(value, Resource)]
            assert [resource.kind for resource in declared if resource not in ALL_RESOURCES] == [], module.name


def test_every_kind_of_the_custom_package_is_custom_and_no_other() -> None:
    names = {resource.kind for resource in ALL_RESOURCES if resource.custom}
    modules = [import_module(f"{custom.__name__}.{module.name}") for module in pkgutil.iter_modules(custom.__path__)]
    declared = {value.kind for module in modules for value in vars(module).values() if isinstance(value, Resource)}
    assert declared == names
