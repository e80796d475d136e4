# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""The mesh's names on a machine where systemd-resolved resolves.

With a plain resolv.conf, capture sends the questions to Istio's agent and nothing is needed here.
With systemd-resolved, programs may ask it without any packet that could be captured (nss-resolve),
and it asks no server for names that end in ``.local`` unless told so (systemd-resolved.service(8)).
So it is told to ask the agent for the mesh's names, its questions to other servers are captured
too, and the agent, whose own questions would come back to it through the stub, is shown the
servers behind.
"""

from __future__ import annotations

import os

from ansible_collections.brownfield.mesh.plugins.module_utils.desired import (
    Change,
    File,
    Host,
    compare_file,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.sidecar.state import (
    PROXY_UNIT,
    UNITS,
)

RESOLVED_UNIT = "systemd-resolved.service"
RESOLVED = "/etc/systemd/resolved.conf.d/mesh-proxy.conf"
AGENT = "%s/%s.d/resolver.conf" % (UNITS, PROXY_UNIT)
FILES = (
    File(RESOLVED, "[Resolve]\nDNS=127.0.0.1:15053\nDomains=~svc.cluster.local\n", 0o644),
    File(
        AGENT,
        "[Service]\nBindReadOnlyPaths=-/run/systemd/resolve/resolv.conf:/etc/resolv.conf\n",
        0o644,
    ),
)


def changes(host: Host, dns: str) -> list[Change]:
    """Bring the two files in place where names are wanted and systemd-resolved is the resolver."""
    if dns != "names" or not is_resolved(host):
        return removals(host)
    found = []
    for file in FILES:
        found += [_with_folder(host, file, change) for change in compare_file(host, file)]
    return found


def removals(host: Host) -> list[Change]:
    """Take our files away, with the folder that would be empty then."""
    return [
        Change(file.path, file.content, "", lambda path=file.path: _remove(host, path))  # type: ignore[misc]
        for file in FILES
        if os.path.exists(host.path(file.path))
    ]


def reload(host: Host) -> None:
    """Let systemd-resolved read its files again."""
    host.run(["systemctl", "try-restart", RESOLVED_UNIT])


def is_resolved(host: Host) -> bool:
    """Whether the machine's resolv.conf is the stub of systemd-resolved."""
    path = host.path("/etc/resolv.conf")
    return os.path.islink(path) and os.readlink(path).endswith("/systemd/resolve/stub-resolv.conf")


def _with_folder(host: Host, file: File, change: Change) -> Change:
    def act() -> None:
        os.makedirs(os.path.dirname(host.path(file.path)), mode=0o755, exist_ok=True)
        change.act()

    return Change(change.what, change.before, change.after, act)


def _remove(host: Host, path: str) -> None:
    host.remove(path)
    folder = os.path.dirname(host.path(path))
    if not os.listdir(folder):
        os.rmdir(folder)
