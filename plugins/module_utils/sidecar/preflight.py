# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""What must hold before anything is touched: every problem at once, each with its fix."""

from __future__ import annotations

import os
import re

from ansible_collections.brownfield.mesh.plugins.module_utils import conditions
from ansible_collections.brownfield.mesh.plugins.module_utils.desired import Host
from ansible_collections.brownfield.mesh.plugins.module_utils.sidecar import capture
from ansible_collections.brownfield.mesh.plugins.module_utils.sidecar.state import (
    PROXY_UNIT,
    SidecarState,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.spec import RESERVED_PORTS

DIRECTORY_LOGINS = ("/etc/sssd/sssd.conf", "/etc/nslcd.conf")


def preflight(host: Host, state: SidecarState, arch: str, clock: float) -> list[str]:
    """Problems in words: what is wrong and what to write or do instead.

    ``clock`` is the controller's, in seconds since the epoch; 0 when it is not known. Raises
    MachineError when we are not root, as then nothing could be seen.
    """
    host.require_root()
    problems = conditions.systemd(host, "sidecar") + conditions.address(state.address)
    problems += conditions.other_mode(host, "sidecar")
    ssh_port = _ssh_port()
    if ssh_port and ssh_port != state.ssh_port:
        problems.append(
            "SSH comes in on port %d but mesh_machine.ssh_port is %d; set it to %d, or capture"
            " would lock you out" % (ssh_port, state.ssh_port, ssh_port)
        )
    ours = host.succeeds(["systemctl", "is-active", "--quiet", PROXY_UNIT])
    listening = {port for _, port in conditions.listening(host)}
    taken = set() if ours else listening & set(RESERVED_PORTS)
    if taken:
        problems.append(
            "other programs listen on ports that Istio's agent needs: %s; stop them"
            % ", ".join(map(str, sorted(taken)))
        )
    problems += conditions.clock(clock)
    directories = [path for path in DIRECTORY_LOGINS if os.path.exists(host.path(path))]
    if directories and not state.excluded_outbound:
        problems.append(
            "logins on this machine ask a directory (%s), and none could log in while the proxy is"
            " down; write the directory's ports (389, 636 or others) to"
            " mesh.capture.exclude_outbound_ports, or its addresses to exclude_outbound_cidrs"
            % ", ".join(directories)
        )
    problems += conditions.cannot(lambda: capture.environment(host, state))
    return problems + conditions.artefacts(host, state.package, state.artifacts, arch)


def _ssh_port() -> int:
    """The port of the connection that brought this call; sudo hides it from us, not from /proc."""
    pid = os.getpid()
    while pid > 1:
        try:
            with open("/proc/%d/environ" % pid, "rb") as file:
                found = re.search(rb"(?:^|\0)SSH_CONNECTION=\S+ \S+ \S+ (\d+)", file.read())
            if found:
                return int(found.group(1))
            with open("/proc/%d/stat" % pid) as file:
                pid = int(file.read().rsplit(")", 1)[1].split()[1])
        except OSError:
            break
    return 0
