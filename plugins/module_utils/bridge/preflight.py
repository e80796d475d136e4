# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""What must hold before anything is touched: every problem at once, each with its fix."""

from __future__ import annotations

import os

from ansible_collections.brownfield.mesh.plugins.module_utils import conditions
from ansible_collections.brownfield.mesh.plugins.module_utils.bridge.state import (
    USER,
    BridgeState,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.desired import MARK, Host

ANY_ADDRESS = ("0.0.0.0", "::")
COMMANDS = {"nft": "nftables", "openssl": "openssl", "setpriv": "util-linux"}


def preflight(host: Host, state: BridgeState, arch: str, clock: float) -> list[str]:
    """Problems in words: what is wrong and what to write or do instead.

    ``clock`` is the controller's, in seconds since the epoch; 0 when it is not known. Raises
    MachineError when we are not root, as then nothing could be seen.
    """
    host.require_root()
    problems = conditions.systemd(host, "bridge") + conditions.address(state.address)
    problems += conditions.clock(clock)
    problems += [
        "%s is not installed; install the package %s" % (command, package)
        for command, package in COMMANDS.items()
        if not host.succeeds([command, "version" if command == "openssl" else "--version"])
    ]
    problems += conditions.other_mode(host, "bridge")
    authority = state.identity.authority
    if authority is not None and authority.vault.login == "jwt":
        problems += _no_token(host, authority.vault.jwt_path)
    problems += _taken(host, state) + _named_otherwise(host, state)
    return problems + conditions.artefacts(host, "binaries", state.artifacts, arch)


def _no_token(host: Host, path: str) -> list[str]:
    if os.path.isfile(host.path(path)):
        return []
    return [
        "there is no token at %s; have the machine's platform write it there, or correct"
        " identity.vault.jwt_path" % path
    ]


def _taken(host: Host, state: BridgeState) -> list[str]:
    # Ours may listen already.
    ours = host.uid(USER) if host.made_user(USER) else None
    busy = conditions.listening(host, but=ours)
    taken = []
    for listen in state.listens:
        address, port = listen.rsplit(":", 1)
        if {(other, int(port)) for other in (address, *ANY_ADDRESS)} & busy:
            taken.append(listen)
    if not taken:
        return []
    return [
        "other programs listen where the bridge is to: %s; have each of them listen at its own"
        " address (127.0.0.1), or set mesh.bridge.port" % ", ".join(taken)
    ]


def _named_otherwise(host: Host, state: BridgeState) -> list[str]:
    """Lines of others for our names: the first line that has a name counts."""
    ours = {line.name for line in state.files.hosts}
    found = set()
    for line in (host.read("/etc/hosts") or "").splitlines():
        names = line.split("#", 1)[0].split()[1:]
        if not line.endswith(MARK):
            found |= ours.intersection(name.lower() for name in names)
    if not found:
        return []
    return [
        "/etc/hosts has lines for names that are to lead to the bridge: %s; remove these names"
        " there, or from mesh_workload.calls" % ", ".join(sorted(found))
    ]
