# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""What the controller tells a machine in mode ``bridge``: pure data, without secrets."""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.brownfield.mesh.plugins.module_utils.desired import DesiredState, File
from ansible_collections.brownfield.mesh.plugins.module_utils.spec import Artifact

USER = "mesh-bridge"
CONFIG = "/etc/mesh-bridge"
STATE = "/var/lib/mesh-bridge"
RUNTIME = "/run/mesh-bridge"
UNITS = "/etc/systemd/system"
UNIT = "mesh-bridge.service"
FIREWALL_UNIT = "mesh-bridge-firewall.service"

ENVOY_CONFIG = CONFIG + "/envoy.json"
SUPERVISOR = CONFIG + "/supervisor.py"
FIREWALL = CONFIG + "/firewall.nft"
FIREWALL_TABLE = "mesh_bridge"
ADMIN_SOCKET = RUNTIME + "/admin.sock"
# The link CURRENT leads to the folder in use, so that certificate, key and roots change as one.
IDENTITIES = STATE + "/identities"
CURRENT = IDENTITIES + "/current"
CERTIFICATE = CURRENT + "/cert-chain.pem"
KEY = CURRENT + "/key.pem"
ROOTS = CURRENT + "/roots.pem"

DIGEST_VARIABLE = "MESH_BRIDGE_DIGEST"


@dataclass(frozen=True)
class WantedIdentity:
    """The identity the machine is to have.

    ``certificate`` is the chain to use (PEM) where the controller knows it beforehand; when it is
    empty the machine makes a key and asks for a certificate. ``roots`` are the mesh's (PEM).
    """

    spiffe_id: str
    roots: str
    certificate: str = ""


@dataclass(frozen=True)
class BridgeState:
    """A machine's desired state.

    ``envoy`` is Envoy's configuration, which is validated before it replaces another; it carries
    ``envoy_digest`` in its node's metadata. ``unit_digest`` stands for what a hot restart does not
    renew: unit and supervisor. ``firewall_mark`` is in each rule of the table of ours;
    ``listens`` are the addresses and ports at which Envoy will listen.
    """

    files: DesiredState
    envoy: File
    envoy_digest: str
    unit_digest: str
    artifacts: tuple[Artifact, ...]
    https_proxy: str
    identity: WantedIdentity
    address: str
    listens: tuple[str, ...]
    firewall_mark: str
