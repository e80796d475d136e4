# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Take a bridge away: everything that ``join`` brought goes, what was there stays."""

from __future__ import annotations

import os
from typing import Any

from ansible_collections.brownfield.mesh.plugins.module_utils import artifacts, desired
from ansible_collections.brownfield.mesh.plugins.module_utils.bridge import authority, timer
from ansible_collections.brownfield.mesh.plugins.module_utils.bridge.state import (
    CONFIG,
    FIREWALL_UNIT,
    IDENTITY_UNITS,
    MEMORY,
    MEMORY_FILE,
    RUNTIME,
    STATE,
    TOKEN,
    UNIT,
    UNITS,
    USER,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.desired import Change, Host

WANTS = UNITS + "/multi-user.target.wants/"
PATHS = (
    *(WANTS + unit for unit in (UNIT, FIREWALL_UNIT)),
    *("%s/%s" % (UNITS, unit) for unit in (UNIT, FIREWALL_UNIT)),
    RUNTIME,
    MEMORY,
    MEMORY_FILE,
    STATE,
    artifacts.RECORD_FOLDER,
    CONFIG,
)
STOPPED = ("inactive", "failed", "unknown", "")


def joined(host: Host) -> bool:
    """Whether something of a bridge is on the machine."""
    return any(os.path.lexists(host.path(path)) for path in (CONFIG, STATE)) or host.made_user(USER)


def leave(host: Host, check: bool) -> dict[str, Any]:
    """Compare and, unless ``check``, take away. Works on a half-joined machine too.

    Returns changed and diff. Raises MachineError.
    """
    host.require_root()
    changes = []
    if host.rights(TOKEN) is not None:
        shown = "log-in to Vault"
        changes.append(Change(shown, "valid\n", "", lambda: authority.log_out(host)))
    changes += timer.retire(host)
    changes += [_stop(host, unit) for unit in (UNIT, FIREWALL_UNIT) if _runs(host, unit)]
    changes += artifacts.uninstall(host)
    changes += [_removal(host, path) for path in PATHS if os.path.lexists(host.path(path))]
    changes += desired.hosts(host, ())
    user = Change("user " + USER, USER + "\n", "", lambda: _run(host, "userdel", USER))
    # Last: by it the next run sees that this one was killed before systemd forgot the units.
    last = [user] if host.made_user(USER) else []
    if not check:
        for change in changes:
            change.act()
        if changes or last:
            host.run(["systemctl", "daemon-reload"])
            units = (UNIT, FIREWALL_UNIT, *IDENTITY_UNITS)
            host.run(["systemctl", "reset-failed", *units], check=False)
        for change in last:
            change.act()
    changes += last
    return {"changed": bool(changes), "diff": desired.diff_of(changes)}


def _runs(host: Host, unit: str) -> bool:
    return host.run(["systemctl", "is-active", unit], check=False).strip() not in STOPPED


def _stop(host: Host, unit: str) -> Change:
    return Change(unit, "running\n", "", lambda: _run(host, "systemctl", "stop", unit))


def _removal(host: Host, path: str) -> Change:
    return Change(path, path + "\n", "", lambda: host.remove(path))


def _run(host: Host, *argv: str) -> None:
    host.run(argv)
