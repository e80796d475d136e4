# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""What must hold before anything is touched: every problem at once, each with its fix."""

from __future__ import annotations

import os
import re
import shutil
import socket
import time
from typing import Callable

from ansible_collections.brownfield.mesh.plugins.module_utils import artifacts
from ansible_collections.brownfield.mesh.plugins.module_utils.desired import Host, MachineError
from ansible_collections.brownfield.mesh.plugins.module_utils.sidecar import capture
from ansible_collections.brownfield.mesh.plugins.module_utils.sidecar.state import (
    PROXY_UNIT,
    SidecarState,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.spec import (
    RESERVED_PORTS,
    Artifact,
)

DISK_BYTES = 500 << 20
# Istio's certificates begin two minutes early (istio:security/pkg/pki/util/generate_cert.go).
CLOCK_SECONDS = 120
DIRECTORY_LOGINS = ("/etc/sssd/sssd.conf", "/etc/nslcd.conf")
LISTEN = "0A"  # the state in /proc/net/tcp


def preflight(host: Host, state: SidecarState, arch: str, clock: float) -> list[str]:
    """Problems in words: what is wrong and what to write or do instead.

    ``clock`` is the controller's, in seconds since the epoch; 0 when it is not known. Raises
    MachineError when we are not root, as then nothing could be seen.
    """
    host.require_root()
    problems = []
    if not os.path.isdir(host.path("/run/systemd/system")):
        problems.append("systemd does not run this machine; the mode sidecar needs it")
    if state.address and not _is_local(state.address):
        problems.append(
            "address %s is on none of the machine's interfaces; set mesh_machine.address to its own"
            " address (and mesh_machine.external_address to the one others use)" % state.address
        )
    ssh_port = _ssh_port()
    if ssh_port and ssh_port != state.ssh_port:
        problems.append(
            "SSH comes in on port %d but mesh_machine.ssh_port is %d; set it to %d, or capture"
            " would lock you out" % (ssh_port, state.ssh_port, ssh_port)
        )
    ours = host.succeeds(["systemctl", "is-active", "--quiet", PROXY_UNIT])
    taken = set() if ours else listening(host) & set(RESERVED_PORTS)
    if taken:
        problems.append(
            "other programs listen on ports that Istio's agent needs: %s; stop them"
            % ", ".join(map(str, sorted(taken)))
        )
    ahead = time.time() - clock if clock else 0
    if abs(ahead) > CLOCK_SECONDS:
        problems.append(
            "the clock is %d s %s the controller's; set it right (chrony, systemd-timesyncd), or no"
            " certificate is valid" % (abs(ahead), "ahead of" if ahead > 0 else "behind")
        )
    directories = [path for path in DIRECTORY_LOGINS if os.path.exists(host.path(path))]
    if directories and not state.excluded_outbound:
        problems.append(
            "logins on this machine ask a directory (%s), and none could log in while the proxy is"
            " down; write the directory's ports (389, 636 or others) to"
            " mesh.capture.exclude_outbound_ports, or its addresses to exclude_outbound_cidrs"
            % ", ".join(directories)
        )
    problems += _cannot(lambda: capture.environment(host, state))
    fitting: list[Artifact] = []
    problems += _cannot(lambda: fitting.extend(artifacts.chosen(state.artifacts, arch)))
    lacking = artifacts.missing(host, state.package, fitting)
    installer = artifacts.PACKAGE_COMMANDS.get(state.package, ([""],))[0][0]
    if lacking and installer and not host.succeeds([installer, "--version"]):
        problems.append(
            "mesh.proxy.package is %s, but this machine has no %s; write what it installs (deb,"
            " rpm or binaries) to mesh_machine.proxy.package" % (state.package, installer)
        )
    if lacking and shutil.disk_usage(host.path("/")).free < DISK_BYTES:
        problems.append("less than 500 MB are free on /; make room for the proxy")
    return problems


def _cannot(step: Callable[[], object]) -> list[str]:
    try:
        step()
    except MachineError as error:
        return [str(error)]
    return []


def listening(host: Host) -> set[int]:
    """The TCP ports on which something listens (proc(5), /proc/net/tcp)."""
    ports = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in (host.read(table) or "").splitlines()[1:]:
            fields = line.split()
            if fields[3] == LISTEN:
                ports.add(int(fields[1].rsplit(":", 1)[1], 16))
    return ports


def _is_local(address: str) -> bool:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
    return True


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
