# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Render what a machine in mode ``bridge`` is to look like: Envoy's files, units, firewall, names.

Pure: the same input gives the same bytes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ansible_collections.brownfield.mesh.plugins.module_utils import artifacts
from ansible_collections.brownfield.mesh.plugins.module_utils.bridge import supervisor, timer
from ansible_collections.brownfield.mesh.plugins.module_utils.bridge.state import (
    CONFIG,
    ENVOY_CONFIG,
    FIREWALL,
    FIREWALL_TABLE,
    FIREWALL_UNIT,
    IDENTITIES,
    IDENTITY_FILE,
    IDENTITY_TIMER,
    IDENTITY_UNIT,
    MEMORY,
    STATE,
    SUPERVISOR,
    UNIT,
    UNITS,
    USER,
    Authority,
    BridgeState,
    Revocation,
    WantedIdentity,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.cluster import ClusterFacts
from ansible_collections.brownfield.mesh.plugins.module_utils.desired import (
    OURS,
    DesiredState,
    Directory,
    File,
    HostsLine,
    Link,
    User,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.spec import (
    Identity,
    Machine,
    Prometheus,
    Workload,
    to_data,
)
from ansible_collections.brownfield.mesh.plugins.plugin_utils import (
    bridge_envoy,
    bridge_tls,
    bridge_units,
)
from ansible_collections.brownfield.mesh.plugins.plugin_utils.monitoring.ports import (
    EXPORTER_PORT,
    PROXY_FIGURES_PORT,
)

# How often a machine looks whether its certificate is to be renewed, in seconds.
MIN_CHECK, MAX_CHECK = 5, 300


def render(
    machine: Machine,
    workload: Workload,
    cluster: ClusterFacts,
    certificate: str = "",
    monitoring: Sequence[Prometheus] = (),
    ca: str = "",
    issuer: str = "",
    revoked: str = "",
) -> BridgeState:
    """The machine's desired state. ``certificate`` is its chain (PEM) where it is known already,
    ``monitoring`` is whom it lets read its figures, ``ca`` the authority of Vault's certificate
    (PEM) where the machine turns to Vault, ``issuer`` the authority (PEM, or its name) that the
    controller signs by or asks, ``revoked`` the user's revocation lists (PEM)."""
    mesh = machine.mesh
    envoy = tuple(item for item in mesh.proxy.artifacts if item.name == "envoy")
    gateway, egress = cluster.gateway_address, cluster.egress_address
    blank = bridge_envoy.bootstrap(machine, workload, gateway, "", monitoring, egress)
    envoy_digest = _digest([blank, [item.sha256 for item in envoy]])
    content = bridge_envoy.bootstrap(machine, workload, gateway, envoy_digest, monitoring, egress)
    supervisor_text = Path(supervisor.__file__).read_text("utf-8")
    addresses = _addresses(machine, workload, monitoring)
    low = any(port < 1024 for _, port in addresses)
    authority, asked = _authority(mesh.identity, ca), mesh.bridge.revocation
    identity = WantedIdentity(
        workload.spiffe_id(mesh.trust_domain),
        cluster.root_certificate,
        certificate,
        authority,
        issuer,
        None if asked is None else Revocation(revoked, asked.when_stale),
    )
    in_memory = authority is not None and authority.vault.storage == "memory"
    # Envoy keeps looking where the identity was.
    moved = [MEMORY] if in_memory else []
    unit_digest = _digest([bridge_units.bridge("", low), supervisor_text, *moved])
    mark, rules = firewall(workload)
    names = bridge_tls.secrets()
    files = {
        SUPERVISOR: supervisor_text,
        FIREWALL: rules,
        **{path: _json(secret) for path, secret in names.items()},
        "%s/%s" % (UNITS, UNIT): bridge_units.bridge(unit_digest, low),
        "%s/%s" % (UNITS, FIREWALL_UNIT): bridge_units.firewall(),
    }
    links = [
        Link("%s/multi-user.target.wants/%s" % (UNITS, unit), "%s/%s" % (UNITS, unit))
        for unit in (UNIT, FIREWALL_UNIT)
    ]
    if identity.has_timer:
        # Whatever has less time says how often to look.
        looks = [authority.check_seconds] if authority else []
        looks += [asked.interval_seconds] if asked else []
        files |= {
            IDENTITY_FILE: _json(to_data(identity)),
            "%s/%s" % (UNITS, IDENTITY_UNIT): bridge_units.identity(in_memory),
            "%s/%s" % (UNITS, IDENTITY_TIMER): bridge_units.identity_timer(min(looks)),
        }
        links += [
            # At boot without delay, then by the timer.
            Link(timer.LINKS[1], "%s/%s" % (UNITS, IDENTITY_UNIT)),
            Link(timer.LINKS[0], "%s/%s" % (UNITS, IDENTITY_TIMER)),
        ]
    if in_memory:
        links.append(Link(IDENTITIES, MEMORY))
    return BridgeState(
        files=DesiredState(
            user=User(USER, STATE),
            directories=(
                Directory(CONFIG),
                Directory(artifacts.RECORD_FOLDER),
                Directory(STATE, 0o755),
                # Ours alone: the proxy reads its key, and can change nothing.
                Directory(MEMORY if in_memory else IDENTITIES, 0o750, "root", USER),
            ),
            files=tuple(File(path, text, 0o644) for path, text in files.items()),
            links=tuple(links),
            hosts=hosts(machine, workload),
        ),
        envoy=File(ENVOY_CONFIG, _json(content), 0o644),
        envoy_digest=envoy_digest,
        unit_digest=unit_digest,
        artifacts=envoy,
        https_proxy=mesh.proxy.https_proxy,
        identity=identity,
        address=machine.address,
        listens=tuple("%s:%d" % pair for pair in addresses),
        firewall_mark=mark,
    )


def _authority(identity: Identity, ca: str) -> Authority | None:
    if identity.provider != "vault" or identity.vault is None:
        return None
    lives = identity.lifetime_seconds
    return Authority(identity.vault, ca, lives, max(MIN_CHECK, min(MAX_CHECK, lives // 10)))


def hosts(machine: Machine, workload: Workload) -> tuple[HostsLine, ...]:
    """The names that are called, as they are written and in full, with their addresses here."""
    if machine.mesh.dns != "names":
        return ()
    addresses = bridge_envoy.loopback_addresses(
        way.host for way in bridge_envoy.ways(machine.mesh, workload)
    )
    lines = {(address, name) for name, address in addresses.items()}
    lines |= {(addresses[call.fqdn], call.host) for call in workload.calls if call.host}
    return tuple(HostsLine(*line) for line in sorted(lines))


def firewall(workload: Workload) -> tuple[str, str]:
    """The mark of the rules, and the file that makes our table, as one transaction.

    It keeps the network from the application's ports; the machine itself may use them. Both
    families; a refusal is counted, and answered at once.
    """
    ports = ", ".join(str(port) for port in sorted(port.port for port in workload.ports))
    rule = 'iif != "lo" tcp dport { %s } counter reject with tcp reset' % ports
    mark = "%s %s" % (OURS, _digest([ports])[:8])
    lines = [
        "# %s: what the workload serves is reached through its bridge only" % OURS,
        "table inet %s" % FIREWALL_TABLE,
        "delete table inet %s" % FIREWALL_TABLE,
        "table inet %s {" % FIREWALL_TABLE,
        "  chain input {",
        # Before other tables' rules: whatever they accept, this refusal stands.
        "    type filter hook input priority -10; policy accept;",
        *(['    %s comment "%s"' % (rule, mark)] if ports else []),
        "  }",
        "}",
    ]
    return mark if ports else "", "\n".join(lines) + "\n"


def _addresses(
    machine: Machine, workload: Workload, monitoring: Sequence[Prometheus]
) -> list[tuple[str, int]]:
    ways = bridge_envoy.ways(machine.mesh, workload)
    addresses = bridge_envoy.loopback_addresses(way.host for way in ways)
    found = [(addresses[way.host], way.port) for way in ways]
    if workload.ports and workload.callers:
        found.append((machine.address, machine.mesh.bridge.port))
    if monitoring:
        found += [(machine.address, port) for port in (EXPORTER_PORT, PROXY_FIGURES_PORT)]
    return found


def _json(content: Any) -> str:
    return json.dumps(content, indent=1) + "\n"


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
