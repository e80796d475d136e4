# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""What the controller tells a machine in mode ``bridge``: pure data, without secrets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

from ansible_collections.brownfield.mesh.plugins.module_utils.desired import DesiredState, File
from ansible_collections.brownfield.mesh.plugins.module_utils.spec import Artifact, Vault

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
ISSUER = CURRENT + "/issuer.pem"
REVOKED = CURRENT + "/revoked.pem"
# What is yet to be of use: the key of a certificate to come, and the log-in to Vault.
NEXT_KEY = IDENTITIES + "/next-key.pem"
TOKEN = IDENTITIES + "/login"
# The newest lists of Vault's issuers, which are no secret, and are not to go back by a reboot.
LISTS = STATE + "/revocation"

# Renewal by the machine itself. Kept in memory, IDENTITIES is a link to MEMORY.
IDENTITY_FILE = CONFIG + "/renewal.json"
LIBRARY = CONFIG + "/lib"
MEMORY = "/run/mesh-identity"
MEMORY_FILE = "/etc/tmpfiles.d/mesh-identity.conf"
IDENTITY_UNIT = "mesh-identity.service"
IDENTITY_TIMER = "mesh-identity.timer"
IDENTITY_UNITS = (IDENTITY_TIMER, IDENTITY_UNIT)

DIGEST_VARIABLE = "MESH_BRIDGE_DIGEST"


@dataclass(frozen=True)
class Authority:
    """Vault, as the machine turns to it: ``ca`` is the authority of its certificate (PEM). A
    certificate is to live ``lifetime_seconds``; the timer looks each ``check_seconds``."""

    vault: Vault
    ca: str
    lifetime_seconds: int
    check_seconds: int


@dataclass(frozen=True)
class Revocation:
    """Which certificates of peers are refused though they have not ended: ``lists`` are the user's
    (PEM); an authority's own the machine fetches. ``when_stale`` is what becomes of peers when
    a list is over: refuse or ignore."""

    lists: str
    when_stale: str


@dataclass(frozen=True)
class WantedIdentity:
    """The identity the machine is to have.

    ``certificate`` is the chain to use (PEM) where the controller knows it beforehand; when it is
    empty the machine makes a key and asks for a certificate: the controller, or ``authority`` when
    there is one. ``roots`` are the mesh's (PEM, several while one takes the place of another);
    ``issuer`` is whose signature the certificate must bear (PEM, or a name), empty where only the
    provider knows. Without ``revocation`` no peer's certificate is looked for in a list.
    """

    spiffe_id: str
    roots: str
    certificate: str = ""
    authority: Optional[Authority] = None
    issuer: str = ""
    revocation: Optional[Revocation] = None

    @property
    def has_timer(self) -> bool:
        """Whether the machine itself looks after it."""
        return self.authority is not None or self.revocation is not None


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
