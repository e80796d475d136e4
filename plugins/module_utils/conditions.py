# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""What any mode wants of a machine before it touches it: each problem in words, with its fix."""

from __future__ import annotations

import os
import shutil
import socket
import time
from collections.abc import Sequence
from typing import Callable

from ansible_collections.brownfield.mesh.plugins.module_utils import artifacts
from ansible_collections.brownfield.mesh.plugins.module_utils.desired import Host, MachineError
from ansible_collections.brownfield.mesh.plugins.module_utils.spec import Artifact

DISK_BYTES = 500 << 20
# Istio's certificates begin two minutes early (istio:security/pkg/pki/util/generate_cert.go).
CLOCK_SECONDS = 120
MODE_UNITS = {
    "sidecar": "/etc/systemd/system/mesh-proxy.service",
    "bridge": "/etc/systemd/system/mesh-bridge.service",
}
LISTEN = "0A"  # the state in /proc/net/tcp


def systemd(host: Host, mode: str) -> list[str]:
    """systemd runs the machine."""
    if os.path.isdir(host.path("/run/systemd/system")):
        return []
    return ["systemd does not run this machine; the mode %s needs it" % mode]


def other_mode(host: Host, mode: str) -> list[str]:
    """The machine has not joined in another mode."""
    others = [name for name, unit in MODE_UNITS.items() if name != mode]
    return [
        "the machine has joined in mode %s; let it leave first (playbook offboard)" % other
        for other in others
        if os.path.exists(host.path(MODE_UNITS[other]))
    ]


def address(value: str) -> list[str]:
    """The address is the machine's own; an empty one is not looked at."""
    if not value or is_local(value):
        return []
    return [
        "address %s is on none of the machine's interfaces; set mesh_machine.address to its own"
        " address (and mesh_machine.external_address to the one others use)" % value
    ]


def clock(controllers: float) -> list[str]:
    """The clock is right; ``controllers`` is in seconds since the epoch, 0 when it is not known."""
    ahead = time.time() - controllers if controllers else 0
    if abs(ahead) <= CLOCK_SECONDS:
        return []
    return [
        "the clock is %d s %s the controller's; set it right (chrony, systemd-timesyncd), or no"
        " certificate is valid" % (abs(ahead), "ahead of" if ahead > 0 else "behind")
    ]


def artefacts(host: Host, package: str, given: Sequence[Artifact], arch: str) -> list[str]:
    """There are artefacts for this architecture, and room and tools to install them."""
    fitting: list[Artifact] = []
    problems = cannot(lambda: fitting.extend(artifacts.chosen(given, arch)))
    lacking = artifacts.missing(host, package, fitting)
    installer = artifacts.PACKAGE_COMMANDS.get(package, ([""],))[0][0]
    if lacking and installer and not host.succeeds([installer, "--version"]):
        problems.append(
            "mesh.proxy.package is %s, but this machine has no %s; write what it installs (deb,"
            " rpm or binaries) to mesh_machine.proxy.package" % (package, installer)
        )
    if lacking and shutil.disk_usage(host.path("/")).free < DISK_BYTES:
        problems.append("less than 500 MB are free on /; make room for the proxy")
    return problems


def cannot(step: Callable[[], object]) -> list[str]:
    """What ``step`` says when it cannot be done."""
    try:
        step()
    except MachineError as error:
        return [str(error)]
    return []


def listening(host: Host) -> set[tuple[str, int]]:
    """Address and port of everything that listens (proc(5), /proc/net/tcp); an address that is
    not IPv4 is written ``::``."""
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in (host.read(table) or "").splitlines()[1:]:
            fields = line.split()
            if fields[3] == LISTEN:
                text, port = fields[1].rsplit(":", 1)
                raw = bytes.fromhex(text)[::-1]
                found.add((socket.inet_ntoa(raw) if len(raw) == 4 else "::", int(port, 16)))
    return found


def is_local(value: str) -> bool:
    """Whether an address is on one of the machine's interfaces."""
    family = socket.AF_INET6 if ":" in value else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((value, 0))
        except OSError:
            return False
    return True
