# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Take a machine out of the mesh: everything that ``join`` brought goes, what was there stays."""

from __future__ import annotations

import os
from typing import Any

from ansible_collections.brownfield.mesh.plugins.module_utils import artifacts, desired
from ansible_collections.brownfield.mesh.plugins.module_utils.desired import Change, Host
from ansible_collections.brownfield.mesh.plugins.module_utils.sidecar import capture, resolver
from ansible_collections.brownfield.mesh.plugins.module_utils.sidecar.state import (
    CAPTURE_ENABLED,
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
    CAPTURE_ENABLED,
    WANTS + PROXY_UNIT,
    "%s/%s" % (UNITS, CAPTURE_UNIT),
    "%s/%s" % (UNITS, PROXY_UNIT),
    RUNTIME,
    "/run/mesh-capture",
    STATE,
    CONFIG,
)
# What Istio's package leaves behind when it is purged.
PACKAGE_LEFTOVERS = ("/etc/istio", "/etc/certs", "/var/lib/istio", "/var/log/istio")


def leave(host: Host, check: bool) -> dict[str, Any]:
    """Compare and, unless ``check``, take away. Works on a half-joined machine too.

    Returns changed and diff. Raises MachineError.
    """
    ours = os.path.isdir(host.path(CONFIG))
    changes: list[Change] = []
    if capture.rules(host) and os.path.exists(host.path("%s/%s" % (UNITS, CAPTURE_UNIT))):
        changes.append(Change("capture", "on\n", "", lambda: capture.switch_off(host)))
    if host.succeeds(["systemctl", "is-active", "--quiet", PROXY_UNIT]):
        changes.append(
            Change(PROXY_UNIT, "running\n", "", lambda: _run(host, "systemctl", "stop", PROXY_UNIT))
        )
    resolving = resolver.removals(host)
    changes += resolving + artifacts.uninstall(host)
    packaged = any(change.what.startswith("package ") for change in changes)
    paths = PATHS[:-1] + (PACKAGE_LEFTOVERS if packaged else ()) + PATHS[-1:]
    changes += [_removal(host, path) for path in paths if os.path.lexists(host.path(path))]
    mask = "%s/%s" % (UNITS, UPSTREAM_UNIT)
    if ours and os.path.islink(host.path(mask)) and os.readlink(host.path(mask)) == "/dev/null":
        changes.append(_removal(host, mask))
    changes += desired.hosts(host, ())
    if host.has_user(USER) and (ours or packaged):
        changes.append(Change("user " + USER, USER + "\n", "", lambda: _run(host, "userdel", USER)))
    if not check:
        for change in changes:
            change.act()
        if resolving:
            resolver.reload(host)
        if changes:
            host.run(["systemctl", "daemon-reload"])
            host.run(["systemctl", "reset-failed", PROXY_UNIT, CAPTURE_UNIT], check=False)
    return {"changed": bool(changes), "diff": desired.diff_of(changes)}


def _removal(host: Host, path: str) -> Change:
    return Change(path, path + "\n", "", lambda: host.remove(path))


def _run(host: Host, *argv: str) -> None:
    host.run(argv)
