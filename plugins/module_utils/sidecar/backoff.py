# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Restart the proxy at growing intervals where systemd can; an older one would warn of it."""

from __future__ import annotations

import re

from ansible_collections.brownfield.mesh.plugins.module_utils.desired import (
    Change,
    File,
    Host,
    compare_drop_in,
    drop_in_removal,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.sidecar.state import (
    PROXY_UNIT,
    UNITS,
)

SYSTEMD_WITH_STEPS = 254  # systemd.service(5), RestartSteps=
FILE = File(
    "%s/%s.d/backoff.conf" % (UNITS, PROXY_UNIT),
    "[Service]\nRestartSteps=8\nRestartMaxDelaySec=10s\n",
    0o644,
)


def changes(host: Host) -> list[Change]:
    """Bring the drop-in in place where this systemd knows it."""
    if systemd_version(host) >= SYSTEMD_WITH_STEPS:
        return compare_drop_in(host, FILE)
    return removals(host)


def removals(host: Host) -> list[Change]:
    """Take it away."""
    return drop_in_removal(host, FILE)


def systemd_version(host: Host) -> int:
    """systemd's version; 0 when it does not say."""
    found = re.match(r"systemd (\d+)", host.run(["systemctl", "--version"], check=False))
    return int(found.group(1)) if found else 0
