"""A process that has imported the command and forks for every call: a separate process each time, half a second sooner.

Reads one JSON request a line, {words, env, cwd, stdin, out, err}, the last three being files; answers with the exit status.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from typing import Any

from pachctl import cli


def call(request: dict[str, Any]) -> None:
    """Be the command: in the forked process, with its own environment, folder and standard streams."""
    for descriptor, name, flags in ((0, "stdin", os.O_RDONLY), (1, "out", os.O_WRONLY), (2, "err", os.O_WRONLY)):
        os.dup2(os.open(request[name], flags), descriptor)
    sys.stdin, sys.stdout, sys.stderr = os.fdopen(0), os.fdopen(1, "w"), os.fdopen(2, "w")
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    sys.argv = ["pachctl", *request["words"]]
    status: Any = 0
    try:
        cli.main()
    except SystemExit as end:
        status = end.code or 0
    except BaseException:
        traceback.print_exc()
        status = 70
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    cli.commands_for([])
    for line in sys.stdin:
        if not (pid := os.fork()):
            call(json.loads(line))
        sys.stdout.write(f"{os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])}\n")
        sys.stdout.flush()
