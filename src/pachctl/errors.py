"""The ways a command fails; all end as one line on stderr and exit status 1.

- `PachctlError`             the command cannot be carried out; the message names the object and the fix
  - `config.ConfigError`     the configuration file or one of its contexts
  - `specs.SpecError`        a pipeline or secret file that cannot be read
- ``grpc.RpcError``          the cluster refused: its own message is shown
- ``ConnectionError``        the cluster did not answer: its address and context are named
"""

from __future__ import annotations


class PachctlError(Exception):
    """A failure with a message for the user."""
