# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""The renewal on the machine (of its certificate, and of revocation lists): its program, its timer,
and where keys are kept. On, and away."""

from __future__ import annotations

import os

from ansible_collections.brownfield.mesh.plugins.module_utils import carry, desired
from ansible_collections.brownfield.mesh.plugins.module_utils.bridge import renew
from ansible_collections.brownfield.mesh.plugins.module_utils.bridge.state import (
    IDENTITIES,
    IDENTITY_FILE,
    IDENTITY_TIMER,
    IDENTITY_UNIT,
    IDENTITY_UNITS,
    LIBRARY,
    MEMORY,
    MEMORY_FILE,
    UNITS,
    USER,
    WantedIdentity,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.desired import (
    Change,
    File,
    Host,
)

MODULES = (
    "desired",
    "egress",
    "identity",
    "spec",
    "vault",
    "crl",
    "bridge.state",
    "bridge.revocation",
    "bridge.credentials",
    "bridge.azure",
    "bridge.authority",
)
STOPPED = ("inactive", "unknown", "")  # a unit that has failed is to be forgotten, too
LINKS = (
    "%s/timers.target.wants/%s" % (UNITS, IDENTITY_TIMER),
    "%s/multi-user.target.wants/%s" % (UNITS, IDENTITY_UNIT),
)
FILES = (*LINKS, *("%s/%s" % (UNITS, unit) for unit in IDENTITY_UNITS), IDENTITY_FILE, LIBRARY)


def program() -> list[File]:
    """The program as files."""
    return carry.files(
        [renew.__name__, *("%s.%s" % (carry.ROOM, name) for name in MODULES)], LIBRARY
    )


def compare(host: Host, wanted: WantedIdentity) -> list[Change]:
    """What must change before the machine's files: the program, or its absence, and the place of
    keys when that moves."""
    changes = []
    if not wanted.has_timer:
        changes += retire(host)
    else:
        for file in program():
            changes += desired.compare_drop_in(host, file)
    path = host.path(IDENTITIES)
    in_memory = wanted.authority is not None and wanted.authority.vault.storage == "memory"
    if in_memory and os.path.isdir(path) and not os.path.islink(path):
        changes.append(_removal(host, IDENTITIES))
    if in_memory:
        # At boot, before anything of ours.
        folder = File(MEMORY_FILE, "d %s 0750 root %s\n" % (MEMORY, USER), 0o644)
        changes += desired.compare_drop_in(host, folder)
    else:
        changes += [_removal(host, p) for p in (MEMORY_FILE, MEMORY) if _there(host, p)]
    return changes


def timer(host: Host, wanted: WantedIdentity, files: list[Change]) -> list[Change]:
    """The start of the timer, when it does not run or is not as it was."""
    if not wanted.has_timer:
        return []
    path = "%s/%s" % (UNITS, IDENTITY_TIMER)
    runs = host.succeeds(["systemctl", "is-active", "--quiet", IDENTITY_TIMER])
    if runs and all(change.what != path for change in files):
        return []

    def act() -> None:
        host.run(["systemctl", "restart", IDENTITY_TIMER])

    return [Change(IDENTITY_TIMER, "", "started\n", act)]


def retire(host: Host) -> list[Change]:
    """Take the renewal away, running or not."""
    running = [
        Change(unit, "running\n", "", lambda unit=unit: _stop(host, unit))  # type: ignore[misc]
        for unit in IDENTITY_UNITS
        if host.run(["systemctl", "is-active", unit], check=False).strip() not in STOPPED
    ]
    return running + [_removal(host, path) for path in FILES if _there(host, path)]


def _there(host: Host, path: str) -> bool:
    return os.path.lexists(host.path(path))


def _removal(host: Host, path: str) -> Change:
    return Change(path, path + "\n", "", lambda: host.remove(path))


def _stop(host: Host, unit: str) -> None:
    host.run(["systemctl", "stop", unit])
    host.run(["systemctl", "reset-failed", unit], check=False)
