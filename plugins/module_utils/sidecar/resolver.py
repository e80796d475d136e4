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
    compare_drop_in,
    drop_in_removal,
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
    return [change for file in FILES for change in compare_drop_in(host, file)]


def removals(host: Host) -> list[Change]:
    """Take our files away."""
    return [change for file in FILES for change in drop_in_removal(host, file)]


def reload(host: Host) -> None:
    """Let systemd-resolved read its files again."""
    host.run(["systemctl", "try-restart", RESOLVED_UNIT])


def is_resolved(host: Host) -> bool:
    """Whether the machine's resolv.conf is the stub of systemd-resolved."""
    path = host.path("/etc/resolv.conf")
    return os.path.islink(path) and os.readlink(path).endswith("/systemd/resolve/stub-resolv.conf")
