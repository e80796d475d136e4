# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""What a report says, as data made of one run's evidence (docs/report.schema.json).

Pure: no file, no clock. The same evidence gives the same data.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from ansible_collections.brownfield.mesh.plugins.module_utils.problems import printable
from ansible_collections.brownfield.mesh.plugins.plugin_utils.report_page.changes import (
    changes,
    lines,
)

SCHEMA_VERSION = 1
EVIDENCE_VERSION = 1

# Where vantages stand: in the place of a workload.
OUTSIDE = "outside the mesh"

# What is seen of a path, the worst first.
STATES = ("open", "broken", "unproven", "allowed", "refused")

COMPONENTS = ("agent", "envoy", "os", "kernel")
MAX_TEXT = 600  # characters of one text
SAMPLES = 5  # failed cases that a path names; the findings name all

_TITLES = {
    "open": "A forbidden path is open",
    "broken": "An allowed path does not work",
    "unproven": "A refusal is not proven",
}


class ReportError(Exception):
    """The evidence, or the report of before, is not what it should be. The message says why."""


def build(evidence: Any, digest: str, previous: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The report of ``evidence``, whose file's SHA-256 is ``digest``.

    ``previous`` is the report of before; when it is of the same evidence, what had changed then is
    said again, so that making a report twice changes nothing. Raises ReportError.
    """
    version = evidence.get("schema_version") if isinstance(evidence, Mapping) else None
    if version != EVIDENCE_VERSION:
        raise ReportError("is not evidence of schema version %d" % EVIDENCE_VERSION)
    try:
        report: dict[str, Any] = clean(_report(evidence, digest))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ReportError("is damaged (%s: %s)" % (type(error).__name__, error)) from error
    if previous is None:
        report["changes"] = None
    elif previous["evidence_digest"] == digest:
        report["changes"] = previous["changes"]
    else:
        report["changes"] = {"since": previous["time"], "list": changes(previous, report)}
    return report


def check_report(report: Any) -> None:
    """Raises ReportError when ``report`` is not one that a new one can be compared with."""
    version = report.get("schema_version") if isinstance(report, Mapping) else None
    if version != SCHEMA_VERSION or "evidence_digest" not in report:
        raise ReportError("is not a report of schema version %d" % SCHEMA_VERSION)
    try:
        lines(report)
        _time(report["time"])
        _ = report["changes"]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ReportError("is damaged (%s: %s)" % (type(error).__name__, error)) from error


def clean(value: Any) -> Any:
    """``value`` with every text short and free of what is not seen as itself: control characters
    and those that turn the direction of writing are written as escapes."""
    if isinstance(value, str):
        if value.isprintable() and len(value) <= MAX_TEXT:
            return value
        return printable(value, MAX_TEXT)
    if isinstance(value, Mapping):
        return {clean(key): clean(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [clean(item) for item in value]
    return value


def state(paths: Iterable[Mapping[str, Any]]) -> str:
    """The worst of ``STATES`` among ``paths``, where an allowed one outweighs what is refused."""
    return str(min((path["state"] for path in paths), key=STATES.index))


def _report(evidence: Mapping[str, Any], digest: str) -> dict[str, Any]:
    machines = [_machine(machine) for machine in evidence["machines"]]
    place = {machine["name"]: machine["workload"] for machine in machines}
    place.update((name, OUTSIDE) for name in evidence["vantages"])
    workloads = _workloads(evidence.get("workloads", []), machines)
    return {
        "schema_version": SCHEMA_VERSION,
        "time": evidence["time"],
        "evidence_digest": digest,
        "passed": evidence["passed"],
        "mesh": {
            name: evidence["mesh"][name] for name in ("trust_domain", "revision", "cluster_id")
        },
        "left_out": list(evidence.get("left_out", [])),
        "counts": evidence["counts"],
        "workloads": workloads,
        "vantages": list(evidence["vantages"]),
        "machines": machines,
        "allow_list": _allow_list(evidence.get("workloads", [])),
        "paths": _paths(evidence["traffic"], place),
        "versions": _versions(machines),
        "findings": _findings(evidence["checks"], evidence["traffic"]),
    }


def _machine(machine: Mapping[str, Any]) -> dict[str, Any]:
    identity = machine["identity"]
    certificate = None
    if identity:
        start, end = (_time(identity[name]) for name in ("not_before", "not_after"))
        life = max((end - start).total_seconds(), 1)
        certificate = {
            **{n: identity[n] for n in ("spiffe_id", "not_before", "not_after", "seconds_left")},
            "fraction_left": round(min(max(identity["seconds_left"] / life, 0), 1), 4),
        }
    return {
        "name": machine["name"],
        "workload": machine["workload"],
        "mode": machine["mode"],
        "mode_reason": machine.get("mode_reason", ""),
        "address": machine["address"],
        "passed": machine["passed"],
        "versions": {name: machine.get("versions", {}).get(name, "") for name in COMPONENTS},
        "certificate": certificate,
    }


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def _workloads(
    described: Sequence[Mapping[str, Any]], machines: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    by_key = {item["key"]: item for item in described}
    running: dict[str, list[Mapping[str, Any]]] = {key: [] for key in by_key}
    for machine in machines:
        running.setdefault(machine["workload"], []).append(machine)
    return [
        {
            "key": key,
            "ports": [dict(port) for port in by_key.get(key, {}).get("ports", [])],
            "modes": dict(sorted(Counter(machine["mode"] for machine in own).items())),
            "machines": [machine["name"] for machine in own],
            "passed": all(machine["passed"] for machine in own),
        }
        for key, own in sorted(running.items())
    ]


def _allow_list(workloads: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Who may call whom. ``known`` says whether both ends are workloads of this inventory."""
    known: dict[tuple[str, str], list[str]] = {}
    keys = set()
    for workload in workloads:
        namespace = workload["key"].split("/")[0]
        known.setdefault((namespace, workload["service_account"]), []).append(workload["key"])
        keys.add(workload["key"])
    edges: dict[tuple[str, str, bool], set[int]] = {}
    for workload in workloads:
        served = [port["port"] for port in workload["ports"]]
        for rule in workload["callers"]:
            principal = (rule["namespace"], rule["service_account"])
            callers = known.get(principal, ["%s/%s" % principal])
            for caller in callers:
                edge = edges.setdefault((caller, workload["key"], principal in known), set())
                edge.update(rule["ports"] or served)
        for call in workload["calls"]:
            if _workload_of(call["host"]) not in keys:
                edges.setdefault((workload["key"], call["host"], False), set()).add(call["port"])
    return [
        {"caller": caller, "callee": callee, "ports": sorted(ports), "known": both}
        for (caller, callee, both), ports in sorted(edges.items())
    ]


def _paths(traffic: Sequence[Mapping[str, Any]], place: Mapping[str, str]) -> list[dict[str, Any]]:
    """Cases joined by who calls whom, and what must come of it and why."""
    groups: dict[tuple[str, str, str, str], list[Mapping[str, Any]]] = {}
    for case in traffic:
        target = place.get(case["target"]) or _workload_of(case["target"])
        source = place.get(case["source"], case["source"])
        groups.setdefault((source, target, case["expected"], case["reason"]), []).append(case)
    return [
        {
            "source": source,
            "target": target,
            "expected": expected,
            "reason": reason,
            "state": _state(expected, cases),
            "tried": len(cases),
            "passed": sum(case["passed"] for case in cases),
            "ports": sorted({case["port"] for case in cases}),
            "seen": dict(Counter(case["how"] for case in cases).most_common()),
            "failed": [case["id"] for case in cases if not case["passed"]][:SAMPLES],
        }
        for (source, target, expected, reason), cases in sorted(groups.items())
    ]


def _workload_of(host: str) -> str:
    """NAMESPACE/NAME of a Service's full name; any other name as it is."""
    name, service, rest = host.partition(".svc.cluster.local")
    return "/".join(reversed(name.split("."))) if service and not rest else host


def _state(expected: str, cases: Sequence[Mapping[str, Any]]) -> str:
    if all(case["passed"] for case in cases):
        return "allowed" if expected == "allowed" else "refused"
    return min((_failure(case) for case in cases if not case["passed"]), key=STATES.index)


def _failure(case: Mapping[str, Any]) -> str:
    if case["expected"] == "allowed":
        return "broken"
    return "open" if case["outcome"] == "allowed" else "unproven"


def _versions(machines: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """For each component its versions, the most frequent first, and where they run."""
    found: dict[str, dict[str, list[str]]] = {name: {} for name in COMPONENTS}
    for machine in machines:
        for name in COMPONENTS:
            if version := machine["versions"][name]:
                found[name].setdefault(version, []).append(machine["name"])
    return [
        {
            "component": name,
            "versions": [
                {"version": version, "machines": names}
                for version, names in sorted(versions.items(), key=lambda v: (-len(v[1]), v[0]))
            ],
        }
        for name, versions in found.items()
        if versions
    ]


def _findings(
    checks: Sequence[Mapping[str, Any]], traffic: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """What failed, the worst first. Checks that failed alike share their advice."""
    failures = {case["id"]: _failure(case) for case in traffic if not case["passed"]}
    groups: dict[tuple[str, str, str], list[dict[str, str]]] = {}
    for check in checks:
        if not check["passed"]:
            severity = failures.get(check["id"], "unproven")
            if check["kind"] != "traffic":
                severity = "machine"
            title = _TITLES.get(severity) or ": ".join(check["id"].split("/")[-2:])
            item = {name: check[name] for name in ("id", "machine", "expected", "seen")}
            groups.setdefault((severity, title, check["advice"]), []).append(item)
    order = ("open", "broken", "machine", "unproven")
    return [
        {"severity": severity, "title": title, "advice": advice, "checks": items}
        for (severity, title, advice), items in sorted(
            groups.items(), key=lambda group: (order.index(group[0][0]), *group[0][1:])
        )
    ]
