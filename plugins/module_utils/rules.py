# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""What must hold between fields, between hosts, and between workloads of one inventory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Callable

from ansible_collections.brownfield.mesh.plugins.module_utils.bridge_rules import (
    bad_callee,
    check_bridge,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.egress_rules import check_egress
from ansible_collections.brownfield.mesh.plugins.module_utils.entries import Entry
from ansible_collections.brownfield.mesh.plugins.module_utils.field_types import INVALID, Report
from ansible_collections.brownfield.mesh.plugins.module_utils.fields import PACKAGES
from ansible_collections.brownfield.mesh.plugins.module_utils.problems import (
    Collector,
    compact,
    listed,
    shown,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.spec import (
    Call,
    Capture,
    Proxy,
    Workload,
)

# What (kubeconfig, artifact, identity) and path: whether it is a file on the controller.
Exists = Callable[[str, str], bool]


def check_host(entry: Entry, exists: Exists, report: Report) -> None:
    """What one host alone can contradict itself in. Of ``auto``, before it is decided, nothing is
    said that holds for one mode only."""

    def report_of_mode(variable: str, why: str, fix: str) -> None:
        report(variable, entry.because(why), fix)

    mode = entry.workload.get("mode")
    _check_files(entry, exists, report)
    _check_ports(entry, report)
    check_egress(entry, report)
    _check_strange_artifacts(entry, report)
    if mode != "auto":
        _check_missing_artifacts(entry, report_of_mode)
    if mode == "bridge":
        check_bridge(entry, exists, report_of_mode)
    elif mode != "auto":
        _check_capture(entry, report_of_mode)


def _check_files(entry: Entry, exists: Exists, report: Report) -> None:
    cluster = entry.mesh.get("cluster")
    if cluster and cluster.kubeconfig and not exists("kubeconfig", cluster.kubeconfig):
        report(
            "mesh.cluster.kubeconfig",
            "names a file that does not exist: %s" % shown(cluster.kubeconfig),
            "write the path of a kubeconfig on the controller",
        )
    proxy = entry.merged("proxy")
    for index, artifact in enumerate(proxy.artifacts if proxy else ()):
        if artifact.path and not exists("artifact", artifact.path):
            report(
                "%s[%d].path" % (_place(entry, "artifacts"), index),
                "names a file that does not exist: %s" % shown(artifact.path),
                "write the path of the artefact on the controller",
            )


def _place(entry: Entry, name: str) -> str:
    """The variable that ``name`` of the merged proxy comes from."""
    override = entry.machine.get("proxy", {})
    return "%s.proxy.%s" % ("mesh_machine" if name in override else "mesh", name)


def _check_strange_artifacts(entry: Entry, report: Report) -> None:
    proxy: Proxy | None = entry.merged("proxy")
    if proxy is None:
        return
    given = {artifact.name for artifact in proxy.artifacts}
    strange = sorted(given.difference(PACKAGES[proxy.package]))
    if strange:
        report(
            _place(entry, "artifacts"),
            "has %s, which package %s has no use for" % (listed(strange), proxy.package),
            "remove it, or correct package",
        )


def _check_missing_artifacts(entry: Entry, report: Report) -> None:
    proxy: Proxy | None = entry.merged("proxy")
    if proxy is None:
        return
    bridge = entry.workload.get("mode") == "bridge"
    needed = ("envoy",) if bridge else PACKAGES[proxy.package]
    architectures = {artifact.architecture for artifact in proxy.artifacts} - {"any"}
    for architecture in sorted(architectures) or ["any"]:
        missing = [
            name
            for name in needed
            if not any(
                artifact.name == name and artifact.architecture in (architecture, "any")
                for artifact in proxy.artifacts
            )
        ]
        if missing:
            suffix = "" if architecture == "any" else " for %s" % architecture
            report(
                _place(entry, "artifacts"),
                "lacks %s%s" % (listed(missing), suffix),
                "add it with sha256 and url or path: package %s needs it" % proxy.package,
            )


def _check_ports(entry: Entry, report: Report) -> None:
    if "ports" not in entry.workload:
        return
    served = [port.port for port in entry.workload["ports"]]
    one_of = "write one of %s" % ", ".join(str(port) for port in served)
    if not served:
        one_of = "add it to mesh_workload.ports"
    health = entry.workload.get("health")
    if health and health.port not in served:
        report(
            "mesh_workload.health.%s" % health.kind,
            "%d is none of mesh_workload.ports" % health.port,
            one_of,
        )
    callers = entry.workload.get("callers", ())
    if callers and not served:
        report(
            "mesh_workload.callers",
            "names callers of a workload without ports",
            "add what it serves to mesh_workload.ports",
        )
    for index, caller in enumerate(callers if served else ()):
        for port in caller.ports:
            if port not in served:
                where = "mesh_workload.callers[%d].ports" % index
                report(where, "%d is none of mesh_workload.ports" % port, one_of)
    for index, port in enumerate(served):
        if port == entry.ssh_port:
            report(
                "mesh_workload.ports[%d].port" % index,
                "%d is the machine's SSH port, which is never captured" % port,
                "serve another port, or correct mesh_machine.ssh_port",
            )


def _check_capture(entry: Entry, report: Report) -> None:
    capture: Capture | None = entry.merged("capture")
    if capture is None:
        return
    for index, port in enumerate(entry.workload.get("ports", ())):
        if port.port in capture.exclude_inbound_ports:
            report(
                "mesh_workload.ports[%d].port" % index,
                "%d is in capture.exclude_inbound_ports, so no caller of the mesh could use it"
                % port.port,
                "remove it from one of them",
            )
    for index, call in enumerate(entry.workload.get("calls", ())):
        if call.host and call.port in capture.exclude_outbound_ports:
            report(
                "mesh_workload.calls[%d].port" % index,
                "%d is in capture.exclude_outbound_ports, so the call would not go through the"
                " mesh" % call.port,
                "remove it from one of them",
            )


def check_fleet(entries: Sequence[Entry], collector: Collector) -> None:
    """What hosts can contradict each other in."""
    machines = [entry for entry in entries if not entry.is_vantage]
    if not machines:
        collector.add(
            "all",
            "mesh_workload",
            "is on no host: the inventory has no machine",
            "write mesh_workload in the group_vars of each group of machines that is to join",
        )
    _check_addresses(entries, collector)
    _check_same(
        [(entry.name, entry.mesh) for entry in machines],
        "mesh",
        "write mesh once, in group_vars/all.yml; mesh_machine takes what differs on a machine",
        collector,
    )
    by_key: dict[str, list[Entry]] = {}
    for entry in machines:
        if entry.key:
            by_key.setdefault(entry.key, []).append(entry)
    for group in by_key.values():
        _check_same(
            [(entry.name, entry.workload) for entry in group],
            "mesh_workload",
            "write the workload once, in group_vars, or give it another name",
            collector,
        )
    _check_calls(machines, by_key, collector)


def _check_addresses(entries: Iterable[Entry], collector: Collector) -> None:
    hosts: dict[tuple[str, str], set[str]] = {}
    for entry in entries:
        network = entry.machine.get("network", entry.mesh.get("network", ""))
        external = entry.machine.get("external_address", "")
        # Networks may use the same private ranges; external addresses are reached from all.
        for known, scope in ((entry.address, str(network)), (external, "")):
            if known and known is not INVALID:
                hosts.setdefault((known, scope), set()).add(entry.name)
    for (address, _), names in sorted(hosts.items()):
        if len(names) > 1:
            for name in sorted(names):
                collector.add(
                    name,
                    "mesh_machine.address",
                    "%s is the address of more than one host" % address,
                    "give each host its own address (ansible_host or mesh_machine.address)",
                )


def _check_same(
    items: Sequence[tuple[str, Mapping[str, Any]]],
    variable: str,
    fix: str,
    collector: Collector,
) -> None:
    """Each key must have one value on all hosts; what most hosts have counts as right."""
    for key in dict.fromkeys(key for _, values in items for key in values):
        # Compared by their texts: values that are equal are made by the same code.
        groups: dict[str, list[str]] = {}
        for name, values in items:
            if key in values:
                groups.setdefault(repr(values[key]), []).append(name)
        right, *others = sorted(groups.values(), key=lambda names: (-len(names), names))
        for names in others:
            for name in names:
                collector.add(
                    name,
                    "%s.%s" % (variable, key),
                    "is not what it is on %s" % compact(right),
                    fix,
                )


def _check_calls(
    machines: Iterable[Entry], by_key: Mapping[str, Sequence[Entry]], collector: Collector
) -> None:
    """What a workload calls in this inventory must be served there, and must list it as caller."""
    callees = {
        host: group[0]
        for key, group in by_key.items()
        for host in _hosts(*key.split("/", 1))
        if "ports" in group[0].workload
    }
    spoken: dict[tuple[str, int], str] = {}
    for entry in machines:
        for index, call in enumerate(entry.workload.get("calls", ())):
            if call.host in callees:
                why, fix = _objection(entry, call, callees[call.host])
            elif entry.workload.get("mode") == "bridge":
                protocol = spoken.setdefault((call.fqdn, call.port), call.protocol)
                why, fix = bad_callee(entry, call, protocol)
                why = entry.because(why) if why else ""
            else:
                continue
            if why:
                collector.add(entry.name, "mesh_workload.calls[%d]" % index, why, fix)


def _hosts(namespace: str, name: str) -> tuple[str, ...]:
    short = "%s.%s" % (name, namespace)
    return (short, short + ".svc", short + ".svc.cluster.local")


def _objection(caller: Entry, call: Call, callee: Entry) -> tuple[str, str]:
    ports = [port.port for port in callee.workload["ports"]]
    if call.port not in ports:
        served = ", ".join(str(port) for port in ports) or "nothing"
        why = "is port %d of %s, which serves %s" % (call.port, callee.key, served)
        return why, "correct the port, or add it to the ports of %s" % callee.key
    if "callers" not in callee.workload or not {"namespace", "service_account"} <= set(
        caller.workload
    ):
        return "", ""
    identity = caller.workload["namespace"], caller.workload["service_account"]
    if _as_workload(callee).allows(Workload("", *identity), call.port):
        return "", ""
    return (
        "is refused by %s, whose callers do not list it for port %d" % (callee.key, call.port),
        "add {namespace: %s, service_account: %s} to the callers of %s, or remove the call"
        % (*identity, callee.key),
    )


def _as_workload(entry: Entry) -> Workload:
    return Workload(
        entry.workload["name"],
        entry.workload["namespace"],
        "",
        callers=entry.workload["callers"],
    )
