# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""A look at a machine in mode ``bridge``: units, sandbox, firewall, identity, counters.

Its result has the shape that ``observe.observe`` gives for the mode ``sidecar``.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from ansible_collections.brownfield.mesh.plugins.module_utils import crl
from ansible_collections.brownfield.mesh.plugins.module_utils.bridge import firewall, proxy
from ansible_collections.brownfield.mesh.plugins.module_utils.bridge.state import (
    FIREWALL_UNIT,
    IDENTITY_TIMER,
    IDENTITY_UNIT,
    KEY,
    REVOKED,
    UNIT,
    USER,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.desired import Host
from ansible_collections.brownfield.mesh.plugins.module_utils.evidence import (
    BY_FIREWALL,
    DENIED_BY_POLICY,
    NOT_MUTUAL_TLS,
    Check,
    check,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.observe import (
    MAX_EXPOSURE,
    PROPERTIES,
    check_identity,
    check_service,
    mode,
    parse_certificate,
    parse_exposure,
    parse_listening,
    parse_stats,
    parse_units,
    started,
    system,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.sidecar.agent import parse_versions
from ansible_collections.brownfield.mesh.plugins.module_utils.spec import Machine, Workload

HANDOVER_SECONDS = 2.0
# Envoy's stats_flush_interval is 5 s (envoy:api/envoy/config/bootstrap/v3/bootstrap.proto).
MERGE_SECONDS = 5.5

_POLICY = re.compile(r"(http|tcp)\.(?:.*\.)?rbac\.(allowed|denied)$")
_REJECTED = re.compile(r"counter packets (\d+)")
_JOURNAL = "Look at `journalctl -u %s`, then run onboard again."


def observe(
    machine: Machine,
    workload: Workload,
    host: Host | None = None,
    ask: Callable[[str], str] = proxy.ask,
) -> dict[str, Any]:
    """Checks, counters, certificate, listening ports and versions of this machine, as plain data.

    ``counters`` is None when the proxy's administration interface does not answer.
    """
    host = host or Host()
    values = statistics(ask)
    certificate = parse_certificate(ask("/certs"))
    listening = parse_listening(host.read("/proc/net/tcp") or "")
    listening |= parse_listening(host.read("/proc/net/tcp6") or "")
    asked = machine.mesh.bridge.revocation
    renews = machine.mesh.identity.provider == "vault" or asked is not None
    names = (UNIT, FIREWALL_UNIT, *((IDENTITY_TIMER,) if renews else ()))
    show = ["systemctl", "show", "--property", PROPERTIES, *names, IDENTITY_UNIT]
    units = parse_units(host.run(show, check=False))
    unit = units.get(UNIT, {})
    exposure = host.run(["systemd-analyze", "security", "--no-pager", UNIT], check=False)
    rules = firewall.rules(host)
    expected = workload.spiffe_id(machine.mesh.trust_domain)
    checks = [
        *(check_unit(machine.name, name, units.get(name, {})) for name in names),
        *([check_renewal(machine.name, units.get(IDENTITY_UNIT, {}))] if renews else []),
        *([check_revocation(machine.name, host.read(REVOKED) or "", time.time())] if asked else []),
        *check_sandbox(machine.name, unit, parse_exposure(exposure)),
        check_firewall(machine.name, workload, rules),
        check_serving(machine.name, values),
        check_key(machine.name, mode(host, KEY)),
        *check_service(machine.name, workload, listening),
    ]
    # Envoy shows no certificate while nothing uses one.
    if workload.ports or any(machine.mesh.bridged(call) for call in workload.calls):
        checks.append(check_identity(machine.name, certificate, expected, time.time()))
    return {
        "checks": [asdict(item) for item in checks],
        "counters": None if values is None else counters(values, rules, started(unit)),
        "certificate": None if certificate is None else asdict(certificate),
        "listening": sorted(listening),
        "versions": {**parse_versions(ask("/server_info")), **system(host)},
    }


def statistics(ask: Callable[[str], str]) -> dict[str, int] | None:
    """Envoy's figures, or None when it does not answer.

    In a hot restart nobody answers for a moment. What the old process counts meanwhile the new one
    takes over at intervals only, so while there is an old one with connections, an interval is
    waited for.
    """
    end = time.monotonic() + HANDOVER_SECONDS
    while not (stats := ask("/stats")) and time.monotonic() < end:
        time.sleep(HANDOVER_SECONDS / 10)
    if parse_stats(stats).get("server.parent_connections", 0):
        time.sleep(MERGE_SECONDS)
        stats = ask("/stats")
    return parse_stats(stats) if stats else None


def counters(values: Mapping[str, int], rules: str, start: int) -> dict[str, int]:
    """What the bridge and the firewall before the application decided since ``start``.

    For plain TCP the allow-list is held by the handshake, so a certificate that is not on it counts
    as denied by policy, too.
    """
    result = {"started": start}
    for name, value in values.items():
        found = _POLICY.match(name)
        if found:
            result["rbac_%s_%s/%s" % (found.group(2), found.group(1), name)] = value
    unlisted = "listener.inward.ssl.fail_verify_san"
    result["%s/%s" % (DENIED_BY_POLICY % "tcp", unlisted)] = values.get(unlisted, 0)
    result[NOT_MUTUAL_TLS] = values.get("listener.inward.no_filter_chain_match", 0)
    result[BY_FIREWALL] = sum(int(number) for number in _REJECTED.findall(rules))
    return result


def check_unit(machine: str, unit: str, properties: Mapping[str, str]) -> Check:
    """The unit is active."""
    state = properties.get("ActiveState", "not found")
    return check(machine, "unit", unit, "active", state, state == "active", _JOURNAL % unit)


def check_renewal(machine: str, properties: Mapping[str, str]) -> Check:
    """The last look after certificate and revocation lists went well: the unit runs for a moment
    only."""
    state = properties.get("ActiveState", "not found")
    return check(
        machine,
        "identity",
        "renewal",
        "not failed",
        state,
        state in ("inactive", "activating"),
        "`journalctl -u %s` says what it could not renew, and why." % IDENTITY_UNIT,
    )


def check_revocation(machine: str, text: str, now: float) -> Check:
    """Envoy has revocation lists, and none of them is over."""
    try:
        lists = crl.newest(crl.read(text))
    except crl.ListError:
        lists = []
    seen = ", ".join("%s until %s" % (one.shown, crl.utc(one.ends)) for one in lists)
    return check(
        machine,
        "identity",
        "revocation",
        "lists that are not over",
        seen or "no list is looked at",
        bool(lists) and all(one.ends > now for one in lists),
        "`journalctl -u %s` says why. Have the lists' authority sign others, bring those of"
        " mesh.bridge.revocation.lists with onboard." % IDENTITY_UNIT,
    )


def check_sandbox(
    machine: str, properties: Mapping[str, str], exposure: float | None
) -> list[Check]:
    """The bridge runs as its own user, can gain nothing, and little of the system is open."""
    advice = "See `systemctl cat %s` for a drop-in that loosens the unit." % UNIT
    expected = "User=%s, NoNewPrivileges=yes" % USER
    seen = "User=%s, NoNewPrivileges=%s" % (
        properties.get("User", "not known"),
        properties.get("NoNewPrivileges", "not known"),
    )
    level = "not known" if exposure is None else "%.1f" % exposure
    small = exposure is not None and exposure <= MAX_EXPOSURE
    wanted = "at most %.1f" % MAX_EXPOSURE
    return [
        check(machine, "sandbox", "properties", expected, seen, seen == expected, advice),
        check(machine, "sandbox", "exposure", wanted, level, small, advice),
    ]


def check_firewall(machine: str, workload: Workload, rules: str) -> Check:
    """Each port of the application is closed to the network."""
    closed = {
        int(port)
        for ports in re.findall(r"tcp dport (?:\{ )?([\d, ]+)", rules)
        for port in ports.split(",")
    }
    wanted = {port.port for port in workload.ports}
    return check(
        machine,
        "firewall",
        "rules",
        "closed: %s" % _listed(wanted),
        "closed: %s" % _listed(closed),
        bool(rules) and closed == wanted,
        "Something took the table away, or wrote into it (nft list ruleset). Run onboard again.",
    )


def check_serving(machine: str, values: Mapping[str, int] | None) -> Check:
    """Envoy serves, and has every listener it was given."""
    pending = values.get("listener_manager.total_listeners_warming", 0) if values else 0
    live = values is not None and values.get("server.live", 0) == 1
    seen = "no answer from Envoy's administration interface"
    if values is not None:
        seen = "%s, %d listeners not ready" % ("live" if live else "not live", pending)
    expected = "live, 0 listeners not ready"
    return check(machine, "proxy", "serving", expected, seen, live and not pending, _JOURNAL % UNIT)


def check_key(machine: str, rights: int | None) -> Check:
    """The key is its owner's only."""
    seen = "missing" if rights is None else "%04o" % rights
    return check(
        machine,
        "identity",
        "key",
        "0600",
        seen,
        rights == 0o600,
        "The private key must be readable by %s only: run onboard again." % USER,
    )


def _listed(ports: set[int]) -> str:
    return ", ".join(map(str, sorted(ports))) or "none"
