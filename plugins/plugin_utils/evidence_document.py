# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Joins everything that one run of ``verify`` saw into one document (docs/evidence.schema.json)."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from ansible_collections.brownfield.mesh.plugins.module_utils.evidence import (
    SCHEMA_VERSION,
    Check,
    Counters,
    Probed,
    Surroundings,
    check,
    judge_traffic,
    rise,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.reachability import Case
from ansible_collections.brownfield.mesh.plugins.module_utils.spec import (
    Machine,
    Workload,
    from_data,
    to_data,
)
from ansible_collections.brownfield.mesh.plugins.plugin_utils.registration import Registration
from ansible_collections.brownfield.mesh.plugins.plugin_utils.registration_checks import (
    check_registration,
)


@dataclass(frozen=True)
class Seen:
    """What one host returned: results of ``observe``, ``probe`` and ``observe`` again, as
    registered. Empty where a task did not run."""

    before: Mapping[str, Any]
    probed: Mapping[str, Any]
    after: Mapping[str, Any]


def document(
    plan: Mapping[str, Any],
    seen: Mapping[str, Seen],
    registrations: Sequence[Registration],
    hosts: Sequence[str],
    now: datetime,
) -> dict[str, Any]:
    """The evidence of a run.

    ``plan`` is what the action ``plan`` returned, ``seen`` is by inventory name,
    ``registrations`` are the cluster's WorkloadEntries and ``hosts`` the names that this play was
    to reach: a host that is missing in ``seen`` failed. ``now`` is an aware time.
    """
    machines = {
        name: (from_data(Machine, item["machine"]), from_data(Workload, item["workload"]))
        for name, item in plan["machines"].items()
    }
    planned = [from_data(Case, item) for items in plan["cases"].values() for item in items]
    present = set(hosts)
    around = _surroundings(machines, seen)
    cases = [case for case in planned if _can_be_judged(case, around, seen, present)]
    probed = {
        item["id"]: from_data(Probed, item)
        for one in seen.values()
        for item in one.probed.get("results", [])
    }
    checks = []
    for name in hosts:
        one = seen.get(name, Seen({}, {}, {}))
        checks += _reached(name, one, name in machines, bool(plan["cases"].get(name)))
        checks += [from_data(Check, item) for item in one.after.get("checks", [])]
        # Istio knows nothing of a bridge's machine: its endpoint is ours.
        if name in machines and machines[name][0].mode != "bridge":
            checks += check_registration(*machines[name], registrations)
    traffic = judge_traffic(cases, probed, around)
    checks += traffic
    failed = [item.id for item in checks if not item.passed]
    bad = {item.machine for item in checks if not item.passed}
    return {
        "schema_version": SCHEMA_VERSION,
        "time": now.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "passed": not failed,
        "mesh": {
            "trust_domain": plan["mesh"]["trust_domain"],
            "revision": plan["mesh"]["revision"],
            "cluster_id": plan["cluster"].get("cluster_id", ""),
            "fleet_digest": plan.get("fleet_digest", ""),
        },
        "machines": [
            {
                **_machine(
                    *machines[name], seen.get(name), around.rises.get(name), name not in bad, now
                ),
                "mode_reason": plan["modes"][name]["reason"],
            }
            for name in hosts
            if name in machines
        ],
        "workloads": _workloads(workload for dummy, workload in machines.values()),
        "vantages": [name for name in hosts if name not in machines and plan["cases"].get(name)],
        "left_out": sorted((machines.keys() | plan["cases"].keys()) - present),
        "counts": _counts(planned, cases, traffic, probed, checks),
        "failed": failed,
        "checks": [asdict(item) for item in checks],
        "traffic": [
            {
                **asdict(case),
                **_tried(probed.get(case.id)),
                "passed": item.passed,
            }
            for case, item in zip(cases, traffic, strict=True)
        ],
        "timing": {
            name: {"probe_seconds": one.probed["seconds"]}
            for name, one in sorted(seen.items())
            if "seconds" in one.probed
        },
    }


def write(path: Path, evidence: Mapping[str, Any]) -> None:
    """Write ``evidence`` as JSON (see ``write_text``)."""
    write_text(path, as_json(evidence))


def as_json(data: Mapping[str, Any]) -> str:
    """``data`` as a JSON file has it. Raises TypeError when it is no JSON data."""
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"


def write_text(path: Path, text: str) -> None:
    """Write ``text``, mode 0644; a reader sees the old file or the new one, never half of it.

    Raises OSError when the folder cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".%s." % path.name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _failure(result: Mapping[str, Any], key: str) -> str:
    """Why ``result`` does not have what it should, or '' when it has."""
    if key in result:
        return ""
    if result.get("unreachable"):
        return "unreachable"
    if result.get("failed"):
        return "failed: %s" % str(result.get("msg", "")).strip()[:200]
    return "no result"


def _reached(name: str, one: Seen, joined: bool, tries: bool) -> list[Check]:
    failures = [
        "%s: %s" % (what, failure)
        for what, failure in (
            ("observe", _failure(one.before, "checks") if joined else ""),
            ("probe", _failure(one.probed, "results") if tries else ""),
            ("observe again", _failure(one.after, "checks") if joined else ""),
        )
        if failure
    ]
    return [
        check(
            name,
            "reached",
            "host",
            "looked at and tried from",
            "; ".join(failures) or "looked at and tried from",
            not failures,
            "Nothing is proven about this host. Repair what the task said, then run verify again.",
        )
    ]


def _surroundings(
    machines: Mapping[str, tuple[Machine, Workload]],
    seen: Mapping[str, Seen],
) -> Surroundings:
    targets: dict[str, tuple[str, ...]] = {}
    rises: dict[str, Counters] = {}
    served, alive = set(), set()
    for name, (_machine, workload) in machines.items():
        targets[name] = (name,)
        targets[workload.service_host] = (*targets.get(workload.service_host, ()), name)
        one = seen.get(name, Seen({}, {}, {}))
        rose = rise(one.before.get("counters"), one.after.get("counters"))
        if rose is not None:
            rises[name] = rose
        served |= {(name, port.port) for port in workload.ports}
        # Not the registration's health: it lags behind by the probe's periods.
        listened = set(one.before.get("listening", [])) & set(one.after.get("listening", []))
        alive |= {(name, port) for port in listened}
    return Surroundings(targets, rises, frozenset(served), frozenset(alive))


def _can_be_judged(
    case: Case, around: Surroundings, seen: Mapping[str, Seen], present: set[str]
) -> bool:
    """Whether this run looked at both ends. With ``--limit`` it may not have looked at the
    target; a source that failed has a failed check of its own."""
    source = seen.get(case.source)
    return (
        source is not None
        and "results" in source.probed
        and present.issuperset(around.machines.get(case.target, ()))
    )


def _tried(probed: Probed | None) -> dict[str, Any]:
    """``probed`` without its id; a case that was not tried has an outcome of its own."""
    values = asdict(probed or Probed("", "error", "not_tried", attempts=0))
    del values["id"]
    return values


def _machine(
    machine: Machine,
    workload: Workload,
    one: Seen | None,
    rose: Counters | None,
    passed: bool,
    now: datetime,
) -> dict[str, Any]:
    certificate = one.after.get("certificate") if one else None
    identity = None
    if certificate:
        end = datetime.fromisoformat(certificate["not_after"].replace("Z", "+00:00"))
        identity = {**certificate, "seconds_left": int((end - now).total_seconds())}
    return {
        "name": machine.name,
        "workload": workload.key,
        "mode": machine.mode,
        "address": machine.mesh_address,
        "identity": identity,
        "counted": dict(rose) if rose is not None else None,
        "versions": dict(one.after.get("versions", {})) if one else {},
        "passed": passed,
    }


def _workloads(workloads: Iterable[Workload]) -> list[dict[str, Any]]:
    """The allow-list of each workload of the fleet, whether or not this run saw its machines."""
    return [
        {
            "key": workload.key,
            "service_account": workload.service_account,
            "ports": to_data(workload.ports),
            "callers": to_data(workload.callers),
            "calls": [
                {"host": call.fqdn or call.external, "port": call.port} for call in workload.calls
            ],
        }
        for dummy, workload in sorted({item.key: item for item in workloads}.items())
    ]


def _counts(
    planned: Sequence[Case],
    cases: Sequence[Case],
    traffic: Sequence[Check],
    probed: Mapping[str, Probed],
    checks: Sequence[Check],
) -> dict[str, Any]:
    verdicts = list(zip(cases, traffic, strict=True))
    refused = [(case, item) for case, item in verdicts if case.expected == "refused"]
    allowed = [item for case, item in verdicts if case.expected == "allowed"]
    return {
        "checks": {"total": len(checks), "failed": sum(not item.passed for item in checks)},
        "cases": {
            "planned": len(planned),
            "judged": len(cases),
            "allowed": {"expected": len(allowed), "passed": sum(i.passed for i in allowed)},
            "refused": {
                "expected": len(refused),
                "passed": sum(item.passed for dummy, item in refused),
                "by_reason": {
                    reason: sum(i.passed for case, i in refused if case.reason == reason)
                    for reason in sorted({case.reason for case, dummy in refused})
                },
            },
            "open": sum(
                case.id in probed and probed[case.id].outcome == "allowed"
                for case, dummy in refused
            ),
        },
    }
