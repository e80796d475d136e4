# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Take a machine out of the mesh: everything that ``join`` brought goes, what was there stays."""

from __future__ import annotations

import os
from typing import Any

from ansible_collections.brownfield.mesh.plugins.module_utils import artifacts, desired
from ansible_collections.brownfield.mesh.plugins.module_utils.desired import Change, Host
from ansible_collections.brownfield.mesh.plugins.module_utils.sidecar import (
    backoff,
    capture,
    resolver,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.sidecar.state import (
    CAPTURE_UNIT,
    CONFIG,
    PROXY_UNIT,
    RUNTIME,
    STATE,
    UNITS,
    UPSTREAM_UNIT,
    USER,
)

WANTS = UNITS + "/multi-user.target.wants/"
# In the order in which they go. The record of what was installed lies in CONFIG, so it goes last.
PATHS = (
    "%s/%s.wants" % (UNITS, PROXY_UNIT),
    WANTS + PROXY_UNIT,
    "%s/%s" % (UNITS, CAPTURE_UNIT),
    "%s/%s" % (UNITS, PROXY_UNIT),
    RUNTIME,
    "/run/mesh-capture",
    STATE,
    CONFIG,
)
# What Istio's package leaves behind when it is purged, empty; what holds something is another's.
PACKAGE_LEFTOVERS = ("/etc/istio", "/etc/certs", "/var/lib/istio", "/var/log/istio")
STOPPED = ("inactive", "failed", "unknown", "")


def leave(host: Host, check: bool) -> dict[str, Any]:
    """Compare and, unless ``check``, take away. Works on a half-joined machine too.

    Returns changed and diff. Raises MachineError.
    """
    host.require_root()
    ours = os.path.isdir(host.path(CONFIG))
    changes: list[Change] = []
    traces = capture.traces(host)
    if traces and os.path.exists(host.path("%s/%s" % (UNITS, CAPTURE_UNIT))):
        shown = " ".join(traces) + "\n"
        changes.append(Change("capture", shown, "", lambda: capture.switch_off(host)))
    if host.run(["systemctl", "is-active", PROXY_UNIT], check=False).strip() not in STOPPED:
        changes.append(
            Change(PROXY_UNIT, "running\n", "", lambda: _run(host, "systemctl", "stop", PROXY_UNIT))
        )
    resolving = resolver.removals(host)
    changes += resolving + backoff.removals(host) + artifacts.uninstall(host)
    packaged = any(change.what.startswith("package ") for change in changes)
    changes += [_removal(host, path) for path in PATHS[:-1] if os.path.lexists(host.path(path))]
    if packaged:
        changes += [_leftover(host, path) for path in PACKAGE_LEFTOVERS]
    changes += [_removal(host, path) for path in PATHS[-1:] if ours]
    mask = "%s/%s" % (UNITS, UPSTREAM_UNIT)
    if ours and os.path.islink(host.path(mask)) and os.readlink(host.path(mask)) == "/dev/null":
        changes.append(_removal(host, mask))
    changes += desired.hosts(host, ())
    user = Change("user " + USER, USER + "\n", "", lambda: _run(host, "userdel", USER))
    # Last: by it the next run sees that this one was killed before systemd forgot the units.
    last = [user] if host.made_user(USER) else []
    if not check:
        for change in changes:
            change.act()
        if resolving:
            resolver.reload(host)
        if changes or last:
            host.run(["systemctl", "daemon-reload"])
            host.run(["systemctl", "reset-failed", PROXY_UNIT, CAPTURE_UNIT], check=False)
        for change in last:
            change.act()
    changes += last
    return {"changed": bool(changes), "diff": desired.diff_of(changes)}


def _removal(host: Host, path: str) -> Change:
    return Change(path, path + "\n", "", lambda: host.remove(path))


def _leftover(host: Host, path: str) -> Change:
    def act() -> None:
        if _is_empty(host.path(path)):
            host.remove(path)

    return Change(path, path + " (when empty)\n", "", act)


def _is_empty(path: str) -> bool:
    """Whether a tree holds nothing but folders and empty files; a link counts as where it leads."""
    return not any(
        os.path.getsize(os.path.join(folder, name))
        for folder, _, names in os.walk(os.path.realpath(path))
        for name in names
    )


def _run(host: Host, *argv: str) -> None:
    host.run(argv)
