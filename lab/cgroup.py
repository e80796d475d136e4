"""A control group for each machine.

systemd believes that the control groups it sees are its own. Machines that shared one would signal
and count each other's processes: so each gets its own, and its processes are found there.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from lab.config import Lab, LabError, Machine


def _mountpoint() -> Path:
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, where, kind = line.split()[:3]
        if kind == "cgroup2":
            return Path(where)
    raise LabError("this host has no cgroup2 file system mounted; mount one at /sys/fs/cgroup")


def of_lab(lab: Lab) -> Path:
    """The group above all groups of the lab's machines."""
    return _mountpoint() / "brownfield-lab" / lab.name


def of_machine(lab: Lab, machine: Machine) -> Path:
    """The machine's group. Below it: `loop` (what reboots it) and `machine` (systemd-nspawn)."""
    return of_lab(lab) / machine.name


def make(group: Path) -> None:
    """Make the group with its two parts."""
    for part in ("loop", "machine"):
        (group / part).mkdir(parents=True, exist_ok=True)


def running(group: Path) -> bool:
    """Whether any process is in the group or below it."""
    try:
        return "populated 1" in (group / "cgroup.events").read_text()
    except FileNotFoundError:
        return False


def init_pid(group: Path) -> int:
    """The pid, as this host sees it, of the machine's systemd; 0 when it is not there (yet)."""
    try:
        pids = (group / "machine/payload/init.scope/cgroup.procs").read_text().split()
    except FileNotFoundError:
        return 0
    return int(pids[0]) if pids else 0


def kill(group: Path) -> None:
    """Kill every process of the group, as a power cut does. Raises LabError when one stays."""
    end = time.monotonic() + 10
    while running(group):
        if time.monotonic() > end:
            raise LabError(f"processes in {group} do not end")
        (group / "cgroup.kill").write_text("1")
        time.sleep(0.02)


def remove(group: Path) -> None:
    """Take the empty group away, with all groups below it."""
    for folder, _, _ in os.walk(group, topdown=False):
        Path(folder).rmdir()


def remove_unused(lab: Lab) -> None:
    """Take away the groups above the machines, where no lab needs them."""
    for group in (of_lab(lab), of_lab(lab).parent):
        if group.is_dir() and not any(entry.is_dir() for entry in group.iterdir()):
            group.rmdir()
