"""The lab's bridge, and the kernel limit that many machines need."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from lab.config import STATE, Lab, LabError
from lab.run import run, say

# Each systemd machine takes about six inotify instances; Linux allows a user 128.
INOTIFY_INSTANCES = 1024
INOTIFY_LIMIT = Path("/proc/sys/fs/inotify/max_user_instances")
INOTIFY_BEFORE = STATE / "inotify-before"  # shared by all labs of this host
# Kernel modules that machines use but cannot load. A kernel that has them built in is fine too.
MODULES = ("overlay", "veth", "bridge", "nf_conntrack", "nf_tables", "iptable_nat", "xt_owner")
LINKS = Path("/sys/class/net")
NETNS = Path("/run/netns")


def up(lab: Lab) -> None:
    """Make the bridge if it is not there. Nothing routes from it to the world outside."""
    if shutil.which("modprobe"):
        subprocess.run(["modprobe", "-a", "-q", *MODULES], check=False, capture_output=True)
    if not (LINKS / lab.bridge).exists():
        # With an address of its own: else it has that of one of its cables, and another one when
        # a machine comes or goes, which the other machines' neighbour tables find out too late.
        run(["ip", "link", "add", lab.bridge, "address", lab.bridge_mac, "type", "bridge"])
    address = f"{lab.host_address}/{lab.network.prefixlen}"
    run(["ip", "address", "replace", address, "dev", lab.bridge])
    run(["ip", "link", "set", lab.bridge, "up"])
    limit = INOTIFY_LIMIT.read_text()
    if int(limit) < INOTIFY_INSTANCES:
        say(f"  raising fs.inotify.max_user_instances from {limit.strip()} to {INOTIFY_INSTANCES}")
        INOTIFY_BEFORE.write_text(limit)
        INOTIFY_LIMIT.write_text(f"{INOTIFY_INSTANCES}\n")


def down(lab: Lab) -> None:
    """Take the bridge and every cable to it away."""
    for link in (*LINKS.glob(f"{lab.bridge}-*"), *LINKS.glob(lab.bridge)):
        cut(link.name)
    # `ip netns` keeps a mount for its folder; with the last namespace it has no use.
    if os.path.ismount(NETNS) and not any(NETNS.iterdir()):
        run(["umount", str(NETNS)])


def cut(link: str) -> None:
    """Take a cable away, if it is there. The kernel does so in its own time, when the network
    namespace at its end is gone, and may be the quicker one. Raises LabError."""
    if not (LINKS / link).exists():
        return
    try:
        run(["ip", "link", "delete", link])
    except LabError:
        if (LINKS / link).exists():
            raise


def restore_limit() -> None:
    """Give the kernel limit back; for when no lab is left on this host."""
    if INOTIFY_BEFORE.exists():
        INOTIFY_LIMIT.write_text(INOTIFY_BEFORE.read_text())
        INOTIFY_BEFORE.unlink()
