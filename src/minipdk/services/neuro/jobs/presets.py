"""The presets: the resources that a job gets, and the pool of machines that gives them."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

GIB = 1 << 30
DEVICES = Path("/dev")
DRIVER = Path("/proc/driver/nvidia/gpus")


@dataclass(frozen=True)
class Gpu:
    """The GPUs of this machine: their number and the model of the first. Every container sees all of them."""

    count: int
    model: str


@dataclass(frozen=True)
class Preset:
    """``cpu`` in CPUs, ``memory`` in bytes."""

    name: str
    cpu: float
    memory: int
    gpu: Gpu | None = None


@dataclass(frozen=True)
class Pool:
    """The one machine: ``disk_size`` and ``memory`` in bytes."""

    name: str
    cpu: float
    memory: int
    disk_size: int
    gpu: Gpu | None = None


def presets() -> dict[str, Preset]:
    """The presets by name, the default first. Without a GPU ``gpu-small`` has no entry for one."""
    return {preset.name: preset for preset in (Preset("cpu-small", 2.0, 4 * GIB), Preset("gpu-small", 2.0, 8 * GIB, gpu()))}


def pool(folder: Path) -> Pool:
    """This machine, with the disk of ``folder``."""
    disk = os.statvfs(folder)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return Pool("machine", float(len(os.sched_getaffinity(0))), memory, disk.f_blocks * disk.f_frsize, gpu())


def gpu() -> Gpu | None:
    """The NVIDIA GPUs whose devices this machine has; None without any."""
    devices = [path for path in DEVICES.glob("nvidia*") if re.fullmatch(r"nvidia\d+", path.name)]
    if not devices:
        return None
    for information in sorted(DRIVER.glob("*/information")):
        if match := re.search(r"^Model:\s*(.+)$", information.read_text(errors="replace"), re.M):
            return Gpu(len(devices), match[1].strip())
    return Gpu(len(devices), "nvidia")
