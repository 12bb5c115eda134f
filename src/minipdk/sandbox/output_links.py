"""Make a container's output whole in itself, at the end of its command (runs in its PID 1, see `launcher`: few imports).

Links in the output may lead to files that end with the container, so such a link is replaced by what it leads to. A link to
something that is kept, maybe over further links, becomes a direct one. A link that leads nowhere or in a circle stays.
"""

from __future__ import annotations

import contextlib
import os
import stat

KERNEL = ("/proc", "/sys", "/dev")
"""Their files have no end, or another content at each reading."""
PIECE = 1 << 30


def settle(folder: str, kept: str) -> None:
    """Replace the links below ``folder`` that lead out of the folder ``kept``, in which it is."""
    waiting = [folder]
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in list(entries):
                if entry.is_symlink():
                    with contextlib.suppress(OSError):
                        _settle_link(entry.path, kept)
                elif entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)


def _settle_link(link: str, kept: str) -> None:
    place = os.path.realpath(link, strict=True)
    beside = f"{os.path.dirname(link)}/.{os.urandom(16).hex()}"  # no name of the user's
    if _is_below(place, kept):
        os.symlink(place, beside)
    else:
        try:
            _copy(place, beside, ())
        except OSError:
            _remove(beside)
            raise
        if not os.path.exists(beside):
            return  # a pipe or a device
        os.unlink(link)  # a folder does not replace a link
    os.rename(beside, link)


def _copy(source: str, target: str, above: tuple[tuple[int, int], ...]) -> None:
    """Copy a file or a folder, and what its links lead to. ``above``: the folders that it is in, as they are identified."""
    place = os.path.realpath(source, strict=True)
    if any(_is_below(place, part) for part in KERNEL):
        raise OSError(f"{source} leads to a file of the kernel")
    status = os.stat(place)
    if stat.S_ISDIR(status.st_mode):
        its = (status.st_dev, status.st_ino)
        if its in above:
            raise OSError(f"{source} leads in a circle")
        os.mkdir(target, 0o700)
        for name in os.listdir(place):
            _copy(f"{place}/{name}", f"{target}/{name}", (*above, its))
    elif stat.S_ISREG(status.st_mode):
        reading = os.open(place, os.O_RDONLY | os.O_CLOEXEC)
        writing = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        while os.sendfile(writing, reading, None, PIECE):
            pass
        os.close(reading)
        os.close(writing)


def _is_below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(f"{folder}/")


def _remove(path: str) -> None:
    if os.path.isdir(path) and not os.path.islink(path):
        for name in os.listdir(path):
            _remove(f"{path}/{name}")
        os.rmdir(path)
    elif os.path.lexists(path):
        os.unlink(path)
