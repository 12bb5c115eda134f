"""The processes of a container. Runs stand-alone, in a bare interpreter, so that it starts in about 20 ms.

Three processes make a container::

    launcher   outside: forwards SIGTERM, kills the container on SIGUSR1 or when the service that started it ends,
               removes the private layer at the end, exits with the command's status (128 + n for signal n)
    init       PID 1 inside: builds the root, reaps orphans, forwards SIGTERM, dies with the launcher; when it ends,
               the kernel kills everything inside
    command    the container's own command, in a new session

When any of them is killed with SIGKILL, nothing inside outlives it: the launcher watches its parent, and init dies with the
launcher.
"""

from __future__ import annotations

import contextlib
import marshal
import os
import select
import signal
import sys

from minipdk.common.processes import die_with_parent
from minipdk.sandbox import output_links, privileges, rootfs, syscalls

TYPE_CHECKING = False  # importing typing takes longer than building the root
if TYPE_CHECKING:
    from typing import Any, NoReturn

FORWARDED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
KILL_REQUEST = signal.SIGUSR1
KILLED = 128 + signal.SIGKILL
NOT_EXECUTABLE, NOT_FOUND = 126, 127
OUTSIDE = 0
"""The process id of a parent that is outside this process's PID namespace, as getppid reports it."""


def main() -> None:
    """Run the container of the configuration on descriptor argv[1]; report failures on argv[2] (see `bare_interpreter`)."""
    config, status = read_config()
    try:
        contain(config, let_go=lambda: _let_go(status))
    except rootfs.SetupError as failure:
        os.write(status, marshal.dumps(report(failure)))
        os._exit(1)
    os.close(status)
    execute(config["argv"])


def read_config() -> tuple[dict[str, Any], int]:
    """The configuration that `bare_interpreter.spawn` passed to this process, and the descriptor to report on."""
    config, status = int(sys.argv[1]), int(sys.argv[2])
    os.set_inheritable(status, False)
    with open(config, "rb") as file:
        return marshal.load(file), status  # noqa: S302  (written by the process that started this one)


def report(failure: rootfs.SetupError) -> dict[str, Any]:
    """The failed part of the set-up and its cause, for `minipdk.sandbox.diagnosis`."""
    cause = failure.__cause__
    return {"stage": str(failure), "errno": getattr(cause, "errno", None) or 0, "message": str(cause)}


def contain(config: dict[str, Any], let_go: Any = None) -> None:
    """Turn this single-threaded process into a container. Returns in the command's process only.

    ``let_go`` is called in the launcher and in init once they have done their part of the set-up. Raises rootfs.SetupError
    in the process that failed.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, FORWARDED)
    with rootfs.stage("namespaces"):
        if config["cpus"]:
            os.sched_setaffinity(0, config["cpus"])
        watched = os.pidfd_open(config["parent"])
        if os.getppid() != config["parent"]:
            raise ProcessLookupError("the process that requested this container has ended")
        launcher = os.pidfd_open(os.getpid())
        for descriptor in config["network"]:
            syscalls.join(descriptor)
            os.close(descriptor)
        uid, gid = os.getuid(), os.getgid()
        syscalls.unshare(syscalls.CLONE_NEWUSER | syscalls.CLONE_NEWPID | syscalls.CLONE_NEWIPC)
        map_ids(0, uid, 0, gid)
        init = os.fork()
    if init:
        if let_go:
            let_go()
        _supervise(init, watched, config)
    die_with_parent(OUTSIDE)
    if select.select([launcher], [], [], 0)[0]:
        os._exit(KILLED)  # the launcher had already ended
    for descriptor in (launcher, watched, *config["descriptors"]):
        os.close(descriptor)
    with rootfs.stage("namespaces"):
        syscalls.unshare(syscalls.CLONE_NEWNS)
    rootfs.build(config)
    with rootfs.stage("user"):
        privileges.restrict()
    command = os.fork()
    if command:
        if let_go:
            let_go()
        _reap_until(command, config)
    begin_session(config["terminal"])
    _restore_signals()
    become(config)


def begin_session(channel: int | None) -> None:
    """Begin a session; with a ``channel`` on a new pseudo-terminal, whose master is sent over that socket."""
    if channel is None:
        os.setsid()
        return
    import socket  # few containers have a terminal

    master, slave = os.openpty()
    with socket.socket(fileno=channel) as sender:
        socket.send_fds(sender, [b"master"], [master])
    os.close(master)
    os.login_tty(slave)


def execute(argv: list[str]) -> NoReturn:
    """Replace this process by the command; say on stderr why it cannot be and exit as a shell would."""
    try:
        os.execvpe(argv[0], argv, os.environ)  # noqa: S606  (argv is executed as it is, no shell)
    except (FileNotFoundError, NotADirectoryError):
        exists = "/" in argv[0] and os.path.exists(argv[0])
        reason = "its interpreter does not exist" if exists else "executable file not found in the image"
        _give_up(NOT_FOUND, f'exec: "{argv[0]}": {reason}')
    except OSError as error:
        _give_up(NOT_EXECUTABLE, f'exec: "{argv[0]}": {(error.strerror or "cannot be executed").lower()}')


def _give_up(code: int, message: str) -> NoReturn:
    os.write(2, f"{message}\n".encode(errors="replace"))
    os._exit(code)


def _let_go(status: int) -> None:
    """Close stdin, stdout and stderr: their pipes end with the container, not with its launcher."""
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    os.close(status)


def map_ids(uid: int, outer_uid: int, gid: int, outer_gid: int) -> None:
    """Give this process, which has just made its user namespace, the ids ``uid`` and ``gid`` in it."""
    for name, content in (("uid_map", f"{uid} {outer_uid} 1"), ("setgroups", "deny"), ("gid_map", f"{gid} {outer_gid} 1")):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(content)


def _supervise(init: int, watched: int, config: dict[str, Any]) -> NoReturn:
    """Wait for the container's end, or kill it when the watched process ends; clean up; exit with its status."""
    for number in FORWARDED:
        signal.signal(number, lambda number, _frame: _send(init, number))
    signal.signal(KILL_REQUEST, lambda *_: _send(init, signal.SIGKILL))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, FORWARDED)
    ended = os.pidfd_open(init)
    ready, _, _ = select.select([watched, ended], [], [])
    if ended not in ready:
        _send(init, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(init, 0)[1])
    if not config["keep_layer"]:
        with contextlib.suppress(OSError):  # leftovers are swept when a service starts
            remove(config["folder"])
    os._exit(code if code >= 0 else 128 - code)


def _send(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _reap_until(command: int, config: dict[str, Any]) -> NoReturn:
    """The loop of PID 1: forward signals to the command's process group, reap orphans, end with the command's status.

    SIGTERM becomes the image's STOPSIGNAL, as a container engine would send it.
    """

    def forward(number: int, _frame: object) -> None:
        number = config["stop_signal"] if number == signal.SIGTERM else number
        try:
            os.killpg(command, number)
        except ProcessLookupError:
            _send(command, number)

    for number in FORWARDED:
        signal.signal(number, forward)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, FORWARDED)
    while True:
        pid, status = os.wait()
        if pid == command:
            if config["output"]:
                with contextlib.suppress(OSError):
                    output_links.settle(*config["output"])
            code = os.waitstatus_to_exitcode(status)
            os._exit(code if code >= 0 else 128 - code)


def _restore_signals() -> None:
    for number in (*FORWARDED, KILL_REQUEST, signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def become(config: dict[str, Any]) -> None:
    """Take on the configuration's environment, working folder and user."""
    with rootfs.stage("user"):
        uid, gid, folder = _look_up(config["user"])
        os.environ.clear()
        os.environ.update({"HOME": folder, **config["env"]})
        os.makedirs(config["working_dir"], exist_ok=True)
        os.chdir(config["working_dir"])
        if (uid, gid) == (0, 0):
            privileges.fake_owners()
        else:
            syscalls.unshare(syscalls.CLONE_NEWUSER)
            map_ids(uid, 0, gid, 0)


def _look_up(user: str) -> tuple[int, int, str]:
    """The uid, gid and home folder of ``user[:group]``, each a number or a name of the image's /etc/passwd, /etc/group."""
    name, _, group = user.partition(":")
    uid, gid, folder = 0, 0, "/root"
    if name not in ("", "0", "root"):
        entry = _entry("/etc/passwd", name)
        if entry is None and not name.isdecimal():
            raise ValueError(f"unable to find user {name}: no matching entries in the image's /etc/passwd")
        uid, gid, folder = (int(entry[2]), int(entry[3]), entry[5]) if entry else (int(name), 0, "/")
    if group:
        entry = _entry("/etc/group", group)
        if entry is None and not group.isdecimal():
            raise ValueError(f"unable to find group {group}: no matching entries in the image's /etc/group")
        gid = int(entry[2]) if entry else int(group)
    return uid, gid, folder


def _entry(database: str, key: str) -> list[str] | None:
    """The line of passwd or group whose name or number is ``key``."""
    try:
        with open(database, encoding="utf-8", errors="replace") as file:
            lines = [line.rstrip("\n").split(":") for line in file]
    except FileNotFoundError:
        return None
    return next((line for line in lines if len(line) > 2 and key in (line[0], line[2])), None)


def remove(folder: str) -> None:
    """Remove a container's folder, including parts for which its command left no permissions."""
    try:
        os.chmod(folder, 0o700)
        with os.scandir(folder) as entries:
            for entry in list(entries):
                if entry.is_dir(follow_symlinks=False):
                    remove(entry.path)
                else:
                    os.unlink(entry.path)
        os.rmdir(folder)
    except FileNotFoundError:
        privileges.restrict()
