"""The lab's bridge, and the kernel limits that many machines need."""

from __future__ import annotations

import subprocess
from pathlib import Path

from lab.config import Lab
from lab.run import run, say

# Each systemd machine takes about six inotify instances; Linux allows a user 128.
INOTIFY_INSTANCES = 1024


def up(lab: Lab) -> None:
    """Make the bridge if it is not there."""
    if not Path(f"/sys/class/net/{lab.bridge}").exists():
        run(["ip", "link", "add", lab.bridge, "type", "bridge"])
        run(["ip", "address", "add", f"{lab.host_address}/{lab.network.prefixlen}", "dev", lab.bridge])
    run(["ip", "link", "set", lab.bridge, "up"])
    limit = Path("/proc/sys/fs/inotify/max_user_instances")
    if int(limit.read_text()) < INOTIFY_INSTANCES:
        say(f"  raising fs.inotify.max_user_instances to {INOTIFY_INSTANCES}")
        limit.write_text(f"{INOTIFY_INSTANCES}\n")


def down(lab: Lab) -> None:
    """Take the bridge away."""
    subprocess.run(["ip", "link", "delete", lab.bridge], check=False, capture_output=True)
