"""The ways a command fails; all end as one line on stderr and exit status 1.

- `PachctlError`             what was asked cannot be done; the message names the thing and the mend
  - `config.ConfigError`     the configuration file or one of its contexts
  - `specs.SpecError`        a pipeline or secret file that cannot be read
- ``grpc.RpcError``          the cluster refused: its own message is shown
- ``ConnectionError``        the cluster did not answer: its address and context are named
"""

from __future__ import annotations


class PachctlError(Exception):
    """A failure with a message for the person at the keyboard."""
