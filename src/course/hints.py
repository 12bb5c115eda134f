"""Turn the most common failures of the vendors' clients into one line with the remedy.

The traceback stays: the hint is added below it, in the notebook and in a headless run alike.
"""

from __future__ import annotations

import sys
from typing import Any

START = "is the cluster running? `minipdk status` shows it, `minipdk start` starts it"


def hint_for(error: BaseException) -> str | None:
    """The hint for ``error`` or for its cause; None if no hint is better than the error itself."""
    seen: BaseException | None = error
    while seen is not None:
        if hint := _hint(seen):
            return hint
        seen = seen.__cause__ or seen.__context__
    return None


def install() -> None:
    """Show hints below tracebacks in this notebook; does nothing outside IPython."""
    if "IPython" not in sys.modules:
        return
    from IPython.core.getipython import get_ipython

    shell = get_ipython()
    if shell is not None:
        shell.set_custom_exc((Exception,), _show)


def _show(shell: Any, kind: type[BaseException], value: BaseException, trace: Any, tb_offset: int | None = None) -> Any:
    shell.showtraceback((kind, value, trace), tb_offset=tb_offset)
    if hint := hint_for(value):
        print(f"\nHint: {hint}", file=sys.stderr)  # noqa: T201
    return shell._last_traceback if hasattr(shell, "_last_traceback") else None


def _hint(error: BaseException) -> str | None:
    module, name = type(error).__module__, type(error).__name__
    for (package, word), hint in _HINTS.items():
        if package in module and word in (name + " " + _grpc_status(error) + " " + str(error)):
            return hint
    return None


def _grpc_status(error: BaseException) -> str:
    code = getattr(error, "code", None)
    return str(getattr(code(), "name", "")) if callable(code) else ""


_HINTS = {
    ("grpc", "UNAVAILABLE"): f"Pachyderm does not answer at PACHD_ADDRESS: {START}; check the address in the profile",
    ("grpc", "UNAUTHENTICATED"): "Pachyderm refused the session token: `make setup` writes the profile again",
    ("determined", "MasterNotFound"): f"Determined does not answer at DET_MASTER: {START}; check the profile",
    ("determined", "Unauthenticated"): "Determined refused DET_USER and DET_PASS: check both in the profile",
    ("determined", "Forbidden"): "Determined lets only the owner or an administrator do this, and only an active user",
    ("kubernetes", "Unauthorized"): "Kubernetes refused the token in KUBECONFIG: `make setup` writes the profile again",
    ("urllib3", "MaxRetryError"): f"nothing answers there: {START}; check the addresses in the profile",
    ("requests", "ConnectionError"): f"nothing answers there: {START}; check the addresses in the profile",
}
"""(part of the exception's module, word in its class, gRPC status or text) -> the hint."""
