# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""The reachability matrix: what must pass and what must be refused, from the allow-list alone.

The matrix grows linearly: a source tries one machine of each other workload, and at most
``limit`` cases. Choices are made by hash, so that the same fleet gives the same matrix and different
sources try different machines. Each machine is tried by its neighbour of the same workload.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ansible_collections.brownfield.mesh.plugins.module_utils.spec import (
    Fleet,
    Machine,
    Port,
    Workload,
)

# What Envoy and the agent serve for their own purposes: administration, merged metrics, health,
# Envoy's metrics (istio.io, "Ports used by Istio"). Nobody but the machine itself may see them.
ADMIN_PORTS = (15000, 15020, 15021, 15090)

DEFAULT_LIMIT = 64


@dataclass(frozen=True)
class Case:
    """One attempt that ``verify`` makes, and what must come of it.

    ``source`` is the inventory name of the machine (or vantage) that tries. ``target`` is the
    inventory name of the machine that is tried, or a host of the mesh (``Workload.service_host``)
    when any of its machines may answer. ``protocol`` is what is spoken: ``http``, ``tcp`` or
    ``postgres``. ``via`` is ``name`` (``host`` is resolved by libc) or ``address``.
    ``expected`` is ``allowed`` or ``refused``; ``reason`` says who must refuse: ``rbac`` (the
    target's policy), ``tls`` (the target takes mutual TLS only), ``no_route`` (the source knows
    no way) or ``closed`` (nothing listens). ``counter`` names the counter of the target's proxy
    that must rise by it (a key of ``observe``'s counters), or is empty.
    """

    id: str
    source: str
    target: str
    host: str
    address: str
    port: int
    protocol: str
    via: str
    expected: str
    reason: str = ""
    counter: str = ""


@dataclass(frozen=True)
class LeftOut:
    """That ``count`` possible cases of ``source`` are not in the matrix, and why."""

    source: str
    count: int
    reason: str


@dataclass(frozen=True)
class Matrix:
    """All cases, by source, and what was left out."""

    cases: tuple[Case, ...]
    left_out: tuple[LeftOut, ...]


def cases(fleet: Fleet, limit: int = DEFAULT_LIMIT) -> tuple[Case, ...]:
    """The cases of ``matrix``."""
    return matrix(fleet, limit).cases


def matrix(fleet: Fleet, limit: int = DEFAULT_LIMIT) -> Matrix:
    """What each machine and each vantage tries, at most ``limit`` cases each.

    By name, from machines: every port of every other workload, allowed or refused by its policy
    as the allow-list says. By address, from machines and vantages: every port of the target and
    its administration ports, which must be refused because they take mutual TLS only (a proxy
    passes what it has no service for as it is, so this is plaintext from machines too).
    """
    derivation = _Derivation(fleet)
    chosen: list[Case] = []
    left_out: list[LeftOut] = []
    for source in fleet.machines:
        found, skipped = derivation.of_machine(source)
        kept = _limited(found, limit)
        if len(kept) < len(found):
            skipped["over %d cases" % limit] += len(found) - len(kept)
        chosen += kept
        left_out += [LeftOut(source.name, skipped[why], why) for why in sorted(skipped)]
    for vantage in fleet.vantages:
        found = [case for m in fleet.machines for case in derivation.by_address(vantage.name, m)]
        kept = _limited(found, limit)
        chosen += kept
        if len(kept) < len(found):
            count = len(found) - len(kept)
            left_out.append(LeftOut(vantage.name, count, "over %d cases" % limit))
    return Matrix(tuple(chosen), tuple(left_out))


def _limited(found: Sequence[Case], limit: int) -> list[Case]:
    """At most ``limit`` of the cases, in their order: allowed ones first, others by hash."""
    if len(found) <= limit:
        return list(found)
    ranked = sorted(found, key=lambda case: (case.expected != "allowed", _hash(case.id)))
    kept = {case.id for case in ranked[:limit]}
    return [case for case in found if case.id in kept]


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


class _Derivation:
    """The fleet, indexed once."""

    def __init__(self, fleet: Fleet) -> None:
        self._workloads = {workload.key: workload for workload in fleet.workloads}
        self._machines: dict[str, list[Machine]] = {key: [] for key in self._workloads}
        for machine in fleet.machines:
            self._machines[machine.workload].append(machine)
        names = Counter(workload.name for workload in fleet.workloads)
        # Ids stay short: the namespace is named only where the name alone is ambiguous.
        self._labels = {
            workload.key: workload.name if names[workload.name] == 1 else workload.key
            for workload in fleet.workloads
        }

    def of_machine(self, source: Machine) -> tuple[list[Case], Counter[str]]:
        """The cases of one machine, and how many were skipped for which reason."""
        found: list[Case] = []
        skipped: Counter[str] = Counter()
        own = self._workloads[source.workload]
        for workload in self._workloads.values():
            for port in workload.ports:
                if workload is own and not workload.allows(own, port.port):
                    continue  # its name leads to the machine itself, too
                why = _not_by_name(source, port)
                if why:
                    skipped[why] += 1
                else:
                    found.append(self._by_name(source, own, workload, port))
            target = self._target(source, workload)
            if target is None:
                continue
            tried = list(self.by_address(source.name, target))
            if target.mesh.network == source.mesh.network:
                found += tried
            else:
                skipped["by address to another network"] += len(tried)
        return found, skipped

    def by_address(self, source: str, target: Machine) -> Iterator[Case]:
        """Plaintext to each port of ``target`` that its proxy guards."""
        passed_by = target.mesh.capture.exclude_inbound_ports
        guarded = [(p.port, _protocol(p)) for p in self._workloads[target.workload].ports]
        guarded += [(port, "http") for port in ADMIN_PORTS if port not in passed_by]
        for port, protocol in guarded:
            yield Case(
                id="%s -> %s:%d by address" % (source, target.name, port),
                source=source,
                target=target.name,
                host="",
                address=target.mesh_address,
                port=port,
                protocol=protocol,
                via="address",
                expected="refused",
                reason="tls",
            )

    def _by_name(self, source: Machine, own: Workload, workload: Workload, port: Port) -> Case:
        allowed = workload.allows(own, port.port)
        return Case(
            id="%s -> %s:%d by name" % (source.name, self._labels[workload.key], port.port),
            source=source.name,
            target=workload.service_host,
            host=workload.service_host,
            address="",
            port=port.port,
            protocol=_protocol(port),
            via="name",
            expected="allowed" if allowed else "refused",
            reason="" if allowed else "rbac",
        )

    def _target(self, source: Machine, workload: Workload) -> Machine | None:
        """The machine of ``workload`` that ``source`` tries by address; None if it is alone."""
        machines = self._machines[workload.key]
        if workload.key != source.workload:
            number = int.from_bytes(_hash("%s -> %s" % (source.name, workload.key))[:8], "big")
            return machines[number % len(machines)]
        neighbour = machines[(machines.index(source) + 1) % len(machines)]
        return neighbour if neighbour is not source else None


def _not_by_name(source: Machine, port: Port) -> str:
    """Why ``source`` has no way to the mesh's name at ``port``; '' when it has."""
    if source.mesh.dns == "off":
        return "by name with dns off"
    if port.port in source.mesh.capture.exclude_outbound_ports:
        return "by name to a port in exclude_outbound_ports"
    return ""


def _protocol(port: Port) -> str:
    if port.is_http:
        return "http"
    return "postgres" if port.name.split("-", 1)[-1].startswith("postgres") else "tcp"
