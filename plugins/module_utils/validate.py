# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""From inventory variables to the typed specification, or to everything that is wrong with them."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.brownfield.mesh.plugins.module_utils import entries as reading
from ansible_collections.brownfield.mesh.plugins.module_utils import rules
from ansible_collections.brownfield.mesh.plugins.module_utils.entries import Entry
from ansible_collections.brownfield.mesh.plugins.module_utils.modes import (
    NOTHING_DECIDED,
    Decisions,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.problems import (
    Collector,
    SpecError,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.spec import (
    AllowRule,
    Call,
    Fleet,
    Machine,
    Mesh,
    Vantage,
    Workload,
)


def _assumed(what: str, path: str) -> bool:
    return True


def parse(
    hosts: Mapping[str, Mapping[str, Any]],
    exists: rules.Exists = _assumed,
    decisions: Decisions = NOTHING_DECIDED,
) -> Fleet:
    """The fleet that the whole inventory describes.

    ``hosts`` has the variables of each host by inventory name: plain, evaluated values, or
    ``Unreadable`` in place of one. Hosts without ``mesh_workload`` and ``mesh_vantage`` are passed
    over. ``exists`` says of the path of a kubeconfig, an artefact or a certificate whether it is a
    file on the controller. ``decisions`` are what mode ``auto`` became; without one, a workload and
    its machines stay ``auto``, and what holds for one mode only is not judged. Raises SpecError
    with every problem of the inventory, whatever the input.
    """
    collector = Collector()
    exists = functools.lru_cache(maxsize=None)(exists)
    found = []
    for name in sorted(hosts):
        report = functools.partial(collector.add, name)
        entry = reading.read(name, hosts[name], report)
        if entry is None:
            continue
        entry = entry.decided(decisions)
        found.append(entry)
        if not entry.is_vantage:
            rules.check_host(entry, exists, report)
    rules.check_fleet(found, collector)
    problems = collector.problems()
    if problems:
        raise SpecError(problems)
    return _fleet(found)


def _fleet(found: Sequence[Entry]) -> Fleet:
    machines = [entry for entry in found if not entry.is_vantage]
    mesh = Mesh(**machines[0].mesh)
    entries = {entry.key: entry for entry in machines}
    workloads = {key: Workload(**entries[key].workload) for key in sorted(entries)}
    hosts = {workload.service_host: workload for workload in workloads.values()}
    bridges = _bridges(mesh, workloads.values())
    return Fleet(
        mesh=mesh,
        workloads=tuple(
            dataclasses.replace(
                w,
                calls=tuple(_known(call, hosts) for call in w.calls),
                callers=(*w.callers, *_gateway(mesh, w, workloads.values())),
            )
            for w in workloads.values()
        ),
        machines=tuple(_machine(entry, mesh, bridges) for entry in machines),
        vantages=tuple(
            Vantage(entry.name, entry.address, entry.machine.get("ipv6_address", ""))
            for entry in found
            if entry.is_vantage
        ),
    )


def _known(call: Call, hosts: Mapping[str, Workload]) -> Call:
    """The call with what the inventory says of its callee, where it did not say so itself."""
    callee = hosts.get(call.fqdn)
    if callee is None:
        return call
    protocols = {port.port: port.protocol for port in callee.ports}
    return dataclasses.replace(
        call,
        service_account=call.service_account or callee.service_account,
        protocol=call.protocol or protocols.get(call.port, ""),
    )


def _gateway(mesh: Mesh, callee: Workload, workloads: Iterable[Workload]) -> list[AllowRule]:
    """The gateway that ends the bridges' TLS, as a caller of the ports that they call."""
    if mesh.bridge.gateway is None:
        return []
    ports = {
        call.port
        for caller in workloads
        for call in caller.calls
        if caller.mode == "bridge" and call.fqdn == callee.service_host
    }
    rule = dataclasses.replace(mesh.bridge.gateway.rule, ports=tuple(sorted(ports)))
    return [rule] if ports else []


def _bridges(mesh: Mesh, workloads: Iterable[Workload]) -> tuple[str, ...]:
    """The SPIFFE IDs of all bridges, where lists are looked at."""
    if mesh.bridge.revocation is None:
        return ()
    return tuple(sorted({w.spiffe_id(mesh.trust_domain) for w in workloads if w.mode == "bridge"}))


def _machine(entry: Entry, mesh: Mesh, bridges: tuple[str, ...]) -> Machine:
    overrides = {
        **{name: entry.machine[name] for name in ("network", "dns") if name in entry.machine},
        **{
            name: entry.merged(name)
            for name in ("proxy", "capture", "identity")
            if name in entry.machine
        },
    }
    return Machine(
        name=entry.name,
        workload=entry.key,
        address=entry.address,
        external_address=entry.machine.get("external_address", ""),
        ssh_port=entry.ssh_port,
        mode=entry.workload["mode"],
        mesh=dataclasses.replace(mesh, **overrides) if overrides else mesh,
        bridges=bridges if entry.workload["mode"] == "bridge" else (),
    )
