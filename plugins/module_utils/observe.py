# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""A look at this machine: units, sandbox, capture, agent, identity, configuration, counters.

The functions that read are few and thin; what they read is judged by pure functions.
Sources: systemd.exec(5) and systemctl(1) for properties, Envoy's administration interface
(``/stats``, ``/certs``, ``/server_info``) on loopback, Istio's agent for readiness, proc(5).
"""

from __future__ import annotations

import calendar
import http.client
import json
import re
import stat
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ansible_collections.brownfield.mesh.plugins.module_utils.desired import Host
from ansible_collections.brownfield.mesh.plugins.module_utils.evidence import (
    NOT_MUTUAL_TLS,
    Check,
    check,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.sidecar import capture
from ansible_collections.brownfield.mesh.plugins.module_utils.sidecar.agent import parse_versions
from ansible_collections.brownfield.mesh.plugins.module_utils.sidecar.state import (
    CAPTURE_UNIT,
    PROXY_UNIT,
    STATE,
    TOKEN,
    UPSTREAM_UNIT,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.spec import Machine, Workload

KEY = STATE + "/etc/certs/key.pem"
ADMIN_PORT = 15000
STATUS_PORT = 15021
INBOUND_LISTENER_PORT = 15006
MAX_EXPOSURE = 1.5
LIMIT = 5.0  # seconds that one look may take

PROPERTIES = (
    "Id,LoadState,ActiveState,User,NoNewPrivileges,CapabilityBoundingSet,"
    "ExecMainStartTimestampMonotonic"
)

_EXPOSURE = re.compile(r"exposure level for \S+: (\d+(?:\.\d+)?)")
_COUNTERS = (
    (re.compile(r"(http|tcp)\.(?:.*\.)?rbac\.(allowed|denied)$"), "rbac_{1}_{0}"),
    (
        re.compile(r"listener\..*_%d\.no_filter_chain_match$" % INBOUND_LISTENER_PORT),
        NOT_MUTUAL_TLS,
    ),
)
_OS_NAME = re.compile(r"^PRETTY_NAME=[\"']?([^\"'\n]*)", re.MULTILINE)
_LISTEN = "0A"  # TCP_LISTEN, as /proc/net/tcp writes the state


@dataclass(frozen=True)
class Certificate:
    """The identity in use. Times are ISO 8601, UTC."""

    spiffe_id: str
    not_before: str
    not_after: str


def get(port: int, path: str) -> tuple[int, str]:
    """Status and body of a GET on loopback; (0, reason) when there is no answer."""
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=LIMIT)
    try:
        client.request("GET", path)
        response = client.getresponse()
        return response.status, response.read().decode("utf-8", "replace")
    except (OSError, http.client.HTTPException) as error:
        return 0, str(error) or type(error).__name__
    finally:
        client.close()


def mode(host: Host, path: str) -> int | None:
    """The permission bits of ``path``, or None when it is not there."""
    try:
        return stat.S_IMODE(Path(host.path(path)).stat().st_mode)
    except OSError:
        return None


def observe(
    machine: Machine,
    workload: Workload,
    host: Host | None = None,
    get: Callable[[int, str], tuple[int, str]] = get,
) -> dict[str, Any]:
    """Checks, counters, certificate, listening ports and versions of this machine, as plain data.

    ``counters`` is None when the proxy's administration interface does not answer.
    """
    host = host or Host()
    status, stats = get(ADMIN_PORT, "/stats")
    values = parse_stats(stats) if status == 200 else None
    certificate = parse_certificate(get(ADMIN_PORT, "/certs")[1])
    listening = parse_listening(host.read("/proc/net/tcp") or "")
    listening |= parse_listening(host.read("/proc/net/tcp6") or "")
    names = (PROXY_UNIT, CAPTURE_UNIT, UPSTREAM_UNIT)
    units = parse_units(
        host.run(["systemctl", "show", "--property", PROPERTIES, *names], check=False)
    )
    proxy = units.get(PROXY_UNIT, {})
    exposure = host.run(["systemd-analyze", "security", "--no-pager", PROXY_UNIT], check=False)
    expected_id = workload.spiffe_id(machine.mesh.trust_domain)
    checks = [
        *check_units(machine.name, units),
        *check_sandbox(machine.name, proxy, parse_exposure(exposure)),
        check_capture(machine.name, capture.rules(host), capture.guarded(host)),
        check_ready(machine.name, get(STATUS_PORT, "/healthz/ready")),
        check_identity(machine.name, certificate, expected_id, time.time()),
        *check_secrets(machine.name, mode(host, KEY), mode(host, TOKEN)),
        *check_configuration(machine.name, values),
        *check_service(machine.name, workload, listening),
    ]
    return {
        "checks": [asdict(item) for item in checks],
        "counters": None if values is None else counters(values, started(proxy)),
        "certificate": None if certificate is None else asdict(certificate),
        "listening": sorted(listening),
        "versions": {**parse_versions(get(ADMIN_PORT, "/server_info")[1]), **system(host)},
    }


def system(host: Host) -> dict[str, str]:
    """``os`` (PRETTY_NAME of os-release(5)) and ``kernel`` (proc(5)); '' where not known."""
    found = _OS_NAME.search(host.read("/etc/os-release") or "")
    kernel = host.read("/proc/sys/kernel/osrelease") or ""
    return {"os": found.group(1) if found else "", "kernel": kernel.strip()}


def parse_units(text: str) -> dict[str, dict[str, str]]:
    """The blocks of ``KEY=VALUE`` lines that ``systemctl show`` prints, by the unit's ``Id``."""
    blocks = [
        dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        for block in text.split("\n\n")
    ]
    return {block["Id"]: block for block in blocks if "Id" in block}


def started(properties: Mapping[str, str]) -> int:
    """When the unit's process started (microseconds since boot), 0 when it did not."""
    value = properties.get("ExecMainStartTimestampMonotonic", "")
    return int(value) if value.isdecimal() else 0


def parse_exposure(text: str) -> float | None:
    """The overall level that ``systemd-analyze security UNIT`` gives, 0 (best) to 10."""
    found = _EXPOSURE.search(text)
    return float(found.group(1)) if found else None


def parse_stats(text: str) -> dict[str, int]:
    """``NAME: NUMBER`` lines of Envoy's ``/stats``; texts and histograms are left out.

    The semicolon with which Istio ends a name inside of a name is left out, too.
    """
    values = {}
    for line in text.splitlines():
        name, _dummy, value = line.rpartition(": ")
        if name and value.isdecimal():
            values[name.replace(";.", ".")] = int(value)
    return values


def parse_certificate(text: str) -> Certificate | None:
    """The first certificate with a SPIFFE ID in Envoy's ``/certs``: the one it shows to peers."""
    try:
        entries = json.loads(text)["certificates"]
    except (ValueError, KeyError, TypeError):
        return None
    for entry in entries:
        for item in entry.get("cert_chain", []):
            for name in item.get("subject_alt_names", []):
                if str(name.get("uri", "")).startswith("spiffe://"):
                    return Certificate(
                        name["uri"], item.get("valid_from", ""), item.get("expiration_time", "")
                    )
    return None


def parse_listening(text: str) -> set[int]:
    """The listening ports in ``/proc/net/tcp`` or ``/proc/net/tcp6``."""
    rows = [line.split() for line in text.splitlines()[1:]]
    return {int(row[1].rsplit(":", 1)[1], 16) for row in rows if len(row) > 3 and row[3] == _LISTEN}


def counters(values: Mapping[str, int], start: int) -> dict[str, int]:
    """What the proxy decided about inbound traffic since ``started`` (= ``start``), as KIND/NAME.

    Envoy names a policy's counters after its filter: ``tcp.rbac.denied`` for connections and
    ``http.LISTENER.rbac.denied`` for requests. They are not added up here, as a listener's go with
    it. A kind of counter that Envoy was not told to keep is missing here, not 0.
    """
    result = {"started": start}
    for name, value in values.items():
        for pattern, key in _COUNTERS:
            found = pattern.match(name)
            if found:
                result["%s/%s" % (key.format(*found.groups()), name)] = value
    return result


def check_units(machine: str, units: Mapping[str, Mapping[str, str]]) -> list[Check]:
    """Proxy and capture run; Istio's own unit, whose stop removes the rules, cannot start."""
    result = []
    for unit in (PROXY_UNIT, CAPTURE_UNIT):
        state = units.get(unit, {}).get("ActiveState", "not found")
        advice = "Look at `journalctl -u %s`, then run onboard again." % unit
        result.append(check(machine, "unit", unit, "active", state, state == "active", advice))
    state = units.get(UPSTREAM_UNIT, {}).get("LoadState", "not found")
    result.append(
        check(
            machine,
            "unit",
            UPSTREAM_UNIT,
            "masked",
            state,
            state == "masked",
            "Run onboard again: it masks the unit.",
        )
    )
    return result


def check_sandbox(
    machine: str, properties: Mapping[str, str], exposure: float | None
) -> list[Check]:
    """The proxy runs as ``istio-proxy``, can gain nothing, and little of the system is open."""
    advice = "See `systemctl cat %s` for a drop-in that loosens the unit." % PROXY_UNIT
    expected = {"User": "istio-proxy", "NoNewPrivileges": "yes", "CapabilityBoundingSet": ""}
    seen = {name: properties.get(name, "not known") for name in expected}
    level = "not known" if exposure is None else "%.1f" % exposure
    return [
        check(
            machine,
            "sandbox",
            "properties",
            _properties(expected),
            _properties(seen),
            seen == expected,
            advice,
        ),
        check(
            machine,
            "sandbox",
            "exposure",
            "at most %.1f" % MAX_EXPOSURE,
            level,
            exposure is not None and exposure <= MAX_EXPOSURE,
            advice,
        ),
    ]


def _properties(values: Mapping[str, str]) -> str:
    return ", ".join("%s=%s" % item for item in values.items())


def check_capture(machine: str, rules: str, guarded: bool) -> Check:
    """The rules are loaded, and no guard is about to take them off again."""
    seen = "on (%s)" % rules if rules else "off: no rules are loaded"
    if guarded:
        seen += ", not confirmed yet"
    return check(
        machine,
        "capture",
        "rules",
        "on",
        seen,
        bool(rules) and not guarded,
        "Run onboard again. If they go off by themselves, capture cut the machine's SSH off.",
    )


def check_ready(machine: str, answer: tuple[int, str]) -> Check:
    """The agent says that Envoy has its configuration and serves."""
    status, body = answer
    seen = "200" if status == 200 else "%s %s" % (status or "no answer:", body.strip()[:120])
    advice = "Look at `journalctl -u %s`: can the machine reach istiod?" % PROXY_UNIT
    return check(machine, "agent", "ready", "200", seen, status == 200, advice)


def parse_time(text: str) -> float | None:
    """Seconds since the epoch of Envoy's ``2026-01-31T12:00:00Z`` (fractions are cut off)."""
    try:
        return float(calendar.timegm(time.strptime(text[:19], "%Y-%m-%dT%H:%M:%S")))
    except ValueError:
        return None


def check_identity(
    machine: str, certificate: Certificate | None, expected: str, now: float
) -> Check:
    """Envoy shows the workload's identity, and it is valid now."""
    advice = "Look at `journalctl -u %s` for the certificate request and its answer." % PROXY_UNIT
    wanted = "%s, valid now" % expected
    if certificate is None:
        return check(machine, "identity", "certificate", wanted, "none", False, advice)
    start, end = parse_time(certificate.not_before), parse_time(certificate.not_after)
    valid = start is not None and end is not None and start <= now < end
    seen = "%s, %s to %s" % (certificate.spiffe_id, certificate.not_before, certificate.not_after)
    if not valid:
        seen += ", not valid now"
        advice = "See the machine's clock. A certificate that ended needs a new token: run onboard."
    return check(
        machine,
        "identity",
        "certificate",
        wanted,
        seen,
        valid and certificate.spiffe_id == expected,
        advice,
    )


def check_secrets(machine: str, key: int | None, token: int | None) -> list[Check]:
    """The key is its owner's only, and the token is gone."""
    seen = "missing" if key is None else "%04o" % key
    return [
        check(
            machine,
            "identity",
            "key",
            "0600",
            seen,
            key == 0o600,
            "The private key must be readable by istio-proxy only: run onboard again.",
        ),
        check(
            machine,
            "identity",
            "token",
            "deleted",
            "deleted" if token is None else "still there",
            token is None,
            "The token is of no use after the first certificate: run onboard again.",
        ),
    ]


def check_configuration(machine: str, values: Mapping[str, int] | None) -> list[Check]:
    """Envoy has a stream to its control plane, got clusters and listeners, and refused none."""
    advice = "Look at `journalctl -u %s` for what istiod sent and Envoy refused." % PROXY_UNIT
    if values is None:
        seen = "no answer from Envoy's administration interface"
        return [check(machine, "configuration", "stream", "connected", seen, False, advice)]
    connected = values.get("cluster.xds-grpc.upstream_rq_active", 0) > 0
    result = [
        check(
            machine,
            "configuration",
            "stream",
            "connected",
            "connected" if connected else "not connected",
            connected,
            "See that the machine reaches istiod, and `journalctl -u %s`." % PROXY_UNIT,
        )
    ]
    for name, manager in (
        ("clusters", "cluster_manager.cds"),
        ("listeners", "listener_manager.lds"),
    ):
        updates = values.get(manager + ".update_success", 0)
        rejected = values.get(manager + ".update_rejected", 0)
        result.append(
            check(
                machine,
                "configuration",
                name,
                "received, 0 rejected",
                "%s, %d rejected" % ("received" if updates else "none received", rejected),
                updates > 0 and rejected == 0,
                advice,
            )
        )
    kept = any(name.startswith(NOT_MUTUAL_TLS) for name in counters(values, 0))
    result.append(
        check(
            machine,
            "configuration",
            "counters",
            "refused connections are counted",
            "counted" if kept else "not counted",
            kept,
            "The proxy's statistics must include no_filter_chain_match (proxyStatsMatcher):"
            " run onboard again.",
        )
    )
    return result


def check_service(machine: str, workload: Workload, listening: set[int]) -> Sequence[Check]:
    """What the workload says it serves is served."""
    return [
        check(
            machine,
            "service",
            str(port.port),
            "listening",
            "listening" if port.port in listening else "nothing listens",
            port.port in listening,
            "Start the application that serves port %d (%s)." % (port.port, port.name),
        )
        for port in workload.ports
    ]
