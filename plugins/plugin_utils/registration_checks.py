# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Judges a machine's registration: the WorkloadEntry that istiod made for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ansible_collections.brownfield.mesh.plugins.module_utils.cluster import workload_labels
from ansible_collections.brownfield.mesh.plugins.module_utils.evidence import Check, check
from ansible_collections.brownfield.mesh.plugins.module_utils.spec import Machine, Workload
from ansible_collections.brownfield.mesh.plugins.plugin_utils.registration import Registration


def registrations_of(
    machine: Machine, workload: Workload, registrations: Sequence[Registration]
) -> list[Registration]:
    """The entries of the workload's group at the machine's address."""
    return [
        item
        for item in registrations
        if (item.namespace, item.group, item.address)
        == (workload.namespace, workload.name, machine.mesh_address)
    ]


def silent_seconds(
    pairs: Iterable[tuple[Machine, Workload]], registrations: Sequence[Registration]
) -> int:
    """How long a registered machine's first probe may yet take, in seconds; 0 when all have spoken.

    The agent probes at once, finds Envoy not up yet, and reports first one period later (Istio's
    pkg/istio-agent/health), so that right after a join "not reported" says nothing.
    """
    waits = [0]
    for machine, workload in pairs:
        probe, found = workload.health, registrations_of(machine, workload, registrations)
        if probe is not None and len(found) == 1 and found[0].healthy is None:
            waits.append(
                (probe.failure_threshold + 1) * (probe.period_seconds + probe.timeout_seconds)
            )
    return max(waits)


def check_registration(
    machine: Machine, workload: Workload, registrations: Sequence[Registration]
) -> list[Check]:
    """The entry is there, connected, healthy, and says what the specification says."""
    found = registrations_of(machine, workload, registrations)
    here = check(
        machine.name,
        "registration",
        "entry",
        "one WorkloadEntry of group %s at %s" % (workload.key, machine.mesh_address),
        ", ".join(item.name for item in found) or "none",
        len(found) == 1,
        "See that the WorkloadGroup exists and that the agent reaches istiod"
        " (`journalctl -u mesh-proxy.service`), then run verify again.",
    )
    if len(found) != 1:
        return [here]
    entry = found[0]
    wanted, seen = _described(machine, workload, entry)
    checks = [
        here,
        check(
            machine.name,
            "registration",
            "connection",
            "connected",
            "connected" if entry.connected else "disconnected",
            entry.connected,
            "Istiod lost the agent: look at `journalctl -u mesh-proxy.service`.",
        ),
        check(
            machine.name,
            "registration",
            "description",
            _pairs(wanted),
            _pairs(seen),
            wanted == seen,
            "Run onboard again. If it stays so, delete the WorkloadEntry: istiod makes it anew.",
        ),
    ]
    if workload.health is not None:
        probe = workload.health
        checks.append(
            check(
                machine.name,
                "registration",
                "health",
                "healthy",
                {True: "healthy", False: "unhealthy", None: "not reported"}[entry.healthy],
                entry.healthy is True,
                "The probe (%s %d) fails: start the application, or correct `health`."
                % (probe.kind, probe.port),
            )
        )
    return checks


def _described(
    machine: Machine, workload: Workload, entry: Registration
) -> tuple[dict[str, str], dict[str, str]]:
    """Service account, labels, network and revision: as specified and as registered. Istiod takes
    labels from the proxy, so that wrong ones mean a proxy with other settings than ours."""
    wanted = {"service account": workload.service_account}
    seen = {"service account": entry.service_account}
    revision = machine.mesh.revision
    if revision not in ("", "default"):  # the chart names istiod's pods istiod-REVISION-...
        right = entry.controller.startswith("istiod-%s-" % revision)
        wanted["revision"] = revision
        seen["revision"] = revision if right else "that of %s" % (entry.controller or "nobody")
    if machine.mesh.network:  # else istiod fills in the cluster's
        wanted["network"], seen["network"] = machine.mesh.network, entry.network
    for name, value in sorted(workload_labels(workload).items()):
        wanted[name], seen[name] = value, entry.labels.get(name, "")
    return wanted, seen


def _pairs(values: Mapping[str, str]) -> str:
    return ", ".join("%s=%s" % item for item in values.items())
