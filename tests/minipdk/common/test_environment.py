"""The variables that services and clients get from their starter's environment."""

from __future__ import annotations

import pytest

from minipdk.common.environment import exemptions, of_services

EXEMPT = "127.0.0.1,localhost"


def test_services_do_not_see_another_python() -> None:
    foreign = {"PYTHONPATH": "/opt", "PYTHONHOME": "/opt", "PYTHONSTARTUP": "/rc.py", "PYTHONUSERBASE": "/u", "PATH": "/bin"}
    assert of_services(foreign) == {"PATH": "/bin", "PYTHONNOUSERSITE": "1"}


@pytest.mark.parametrize("name", ["http_proxy", "HTTPS_PROXY", "all_proxy", "grpc_proxy"])
def test_services_reach_each_other_without_a_proxy(name: str) -> None:
    environment = of_services({name: "http://proxy.example:3128"})
    assert environment == {
        name: "http://proxy.example:3128",
        "NO_PROXY": EXEMPT,
        "no_proxy": EXEMPT,
        "PYTHONNOUSERSITE": "1",
    }


@pytest.mark.parametrize(
    ("environment", "exempt"),
    [
        ({}, EXEMPT),
        ({"no_proxy": "corp.example"}, f"corp.example,{EXEMPT}"),
        ({"NO_PROXY": "corp.example, localhost"}, "corp.example,localhost,127.0.0.1"),
        ({"no_proxy": "small", "NO_PROXY": "large"}, f"small,{EXEMPT}"),
        ({"no_proxy": "*"}, "*"),
        ({"no_proxy": EXEMPT}, EXEMPT),
    ],
)
def test_loopback_is_exempt_from_proxies_beside_what_was(environment: dict[str, str], exempt: str) -> None:
    assert exemptions(environment) == {"NO_PROXY": exempt, "no_proxy": exempt}


def test_grpc_has_a_list_of_its_own() -> None:
    variables = exemptions({"no_grpc_proxy": "corp.example"})
    assert variables == {"NO_PROXY": EXEMPT, "no_proxy": EXEMPT, "no_grpc_proxy": f"corp.example,{EXEMPT}"}
