# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""What any mode wants of a machine before it touches it: each problem in words, with its fix."""

from __future__ import annotations

import os
import shutil
import socket
import time
from collections.abc import Sequence
from typing import Callable, Optional

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


def listening(host: Host, but: Optional[int] = None) -> set[tuple[str, int]]:
    """Address and port of everything that listens (proc(5), /proc/net/tcp), except what the user
    with the number ``but`` has."""
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in (host.read(table) or "").splitlines()[1:]:
            fields = line.split()
            if fields[3] == LISTEN and fields[7:8] != [str(but)]:
                text, port = fields[1].rsplit(":", 1)
                found.add((_address(text), int(port, 16)))
    return found


def _address(text: str) -> str:
    """An address of /proc/net/tcp or tcp6: words of 32 bits, each as this machine stores numbers
    (little-endian on every architecture we know)."""
    words = [bytes.fromhex(text[at : at + 8])[::-1] for at in range(0, len(text), 8)]
    mapped = words[:3] == [bytes(4), bytes(4), b"\0\0\xff\xff"]
    if len(words) == 1 or mapped:
        return socket.inet_ntoa(words[-1])
    return socket.inet_ntop(socket.AF_INET6, b"".join(words))


def is_local(value: str) -> bool:
    """Whether an address is on one of the machine's interfaces."""
    family = socket.AF_INET6 if ":" in value else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((value, 0))
        except OSError:
            return False
    return True
