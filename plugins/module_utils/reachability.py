# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""The reachability matrix: what must pass and what must be refused, from the allow-list alone.

The matrix grows linearly: a source tries one machine of each other workload, and at most
``limit`` cases. Where it has to choose, a hash of its name decides, so that the same fleet gives
the same matrix and different sources try different targets. Each machine that has neighbours of the
same workload is tried by one of them.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar, Union

from ansible_collections.brownfield.mesh.plugins.module_utils.egress import ExternalService
from ansible_collections.brownfield.mesh.plugins.module_utils.spec import (
    RESERVED_PORTS,
    Fleet,
    Machine,
    Port,
    Vantage,
    Workload,
)

T = TypeVar("T")

# What machines try of each other besides the workload's ports: administration and the agent's
# metrics (istio.io, "Ports used by Istio"). The agent's other ports are tried from vantages only:
# Envoy listens at them on every address, so that a call from a machine would end at its own proxy.
ADMIN_PORTS = (15000, 15020)

# What vantages try. Of the reserved ports, 15006 has a way of its own to refuse that no counter
# shows, and 15008 is not captured (nothing listens there unless tunnels are used).
AGENT_PORTS = tuple(port for port in RESERVED_PORTS if port not in (15006, 15008))

DEFAULT_LIMIT = 64

NOT_CALLED = "names that are none of the bridge's calls, which do not resolve there"


@dataclass(frozen=True)
class Case:
    """One attempt that ``verify`` makes, and what must come of it.

    ``source`` is the inventory name of the machine (or vantage) that tries. ``target`` is the
    inventory name of the machine that is tried, or a host of the mesh (``Workload.service_host``)
    when any of its machines may answer. ``protocol`` is what is spoken: ``http``, ``tcp`` or
    ``postgres``. ``via`` is ``name`` (``host`` is resolved by libc) or ``address``.
    ``expected`` is ``allowed`` or ``refused``; ``reason`` says who must refuse: ``rbac`` (the
    target's policy), ``tls`` (the target takes mutual TLS only), ``firewall`` (the target's rules
    before an application with a bridge), ``capture`` (which leads to the proxy, whether or not it
    listens there), ``no_route`` (the source knows no way) or ``closed``
    (nothing listens), ``egress_gateway`` (its policy) or ``undeclared`` (the source's proxy, which
    knows no such service). ``counter`` names the counter of the target's proxy that must rise by it
    (a key of ``observe``'s counters), or is empty.
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
    """Something that ``source`` could have tried and does not, and why."""

    source: str
    what: str


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
    of its agent, which must be refused because they take mutual TLS only (a proxy passes what it
    has no service for as it is, so this is plaintext from machines too).
    """
    derivation = _Derivation(fleet)
    trials = [derivation.of_machine(machine, limit) for machine in fleet.machines]
    trials += [derivation.of_vantage(vantage, limit) for vantage in fleet.vantages]
    return Matrix(
        tuple(case for trial in trials for case in trial.cases),
        tuple(LeftOut(t.source, what) for t in trials for what in sorted(t.left_out)),
    )


class _Trial:
    """The cases of one source, while they are gathered."""

    def __init__(self, source: str, limit: int) -> None:
        self.source = source
        self.limit = limit
        self.cases: list[Case] = []
        self.left_out: set[str] = set()

    def take(self, groups: Iterable[Sequence[Case]], total: int, what: str) -> None:
        """Add group after group until the limit; ``total`` is the number of groups of ``what``."""
        for number, group in enumerate(groups):
            room = self.limit - len(self.cases)
            self.cases += group[:room]
            if len(group) > room:
                self.left_out.add(
                    "cases of %d of %d %s, because of the limit of %d"
                    % (total - number, total, what, self.limit)
                )
                return


class _Derivation:
    """The fleet, indexed once."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._workloads = {workload.key: workload for workload in fleet.workloads}
        self._machines: dict[str, list[Machine]] = {key: [] for key in self._workloads}
        for machine in fleet.machines:
            self._machines[machine.workload].append(machine)
        self._neighbours = {
            machine.name: following
            for machines in self._machines.values()
            for machine, following in zip(machines, machines[1:] + machines[:1])
        }
        # What an identity (namespace, service account) may call.
        self._allowed: dict[tuple[str, str], dict[str, Workload]] = {}
        for workload in fleet.workloads:
            for rule in workload.callers:
                callees = self._allowed.setdefault((rule.namespace, rule.service_account), {})
                callees[workload.key] = workload
        names = Counter(workload.name for workload in fleet.workloads)
        # Ids stay short: the namespace is named only where the name alone is ambiguous.
        self._labels = {
            workload.key: workload.name if names[workload.name] == 1 else workload.key
            for workload in fleet.workloads
        }

    def of_machine(self, source: Machine, limit: int) -> _Trial:
        """First what is allowed, then what is refused: by the neighbour, then by the others."""
        trial = _Trial(source.name, limit)
        own = self._workloads[source.workload]
        callees = self._allowed.get((own.namespace, own.service_account), {}).values()
        allowed = [
            self._by_name(source, workload, port, "allowed")
            for workload in callees
            for port in workload.ports
            if workload.allows(own, port.port) and _has_name(source, own, workload, port, trial)
        ]
        trial.take([[case] for case in allowed], len(allowed), "allowed calls")
        outside = self._outside(source, own, trial)
        trial.take([[case] for case in outside], len(outside), "external services")
        neighbour = self._neighbours[source.name]
        if neighbour is not source:
            trial.take([self._by_address(source, neighbour, trial)], 1, "neighbours")
        groups = (
            self._refused(source, own, workload, trial)
            for workload in _ring(self._fleet.workloads, source.name)
            if workload is not own
        )
        trial.take(groups, len(self._workloads) - 1, "other workloads")
        return trial

    def of_vantage(self, source: Vantage, limit: int) -> _Trial:
        """Everything that a machine serves, machine by machine."""
        trial = _Trial(source.name, limit)
        machines = self._fleet.machines
        groups = (
            [
                *self._plaintext(source.name, target, AGENT_PORTS),
                *self._by_ipv6(source, target, AGENT_PORTS),
            ]
            for target in _ring(machines, source.name)
        )
        trial.take(groups, len(machines), "machines")
        return trial

    def _outside(self, source: Machine, own: Workload, trial: _Trial) -> list[Case]:
        """What lies outside of the mesh: through the egress gateway as the allow-list says, and
        not around it."""
        egress, bridge = self._fleet.mesh.egress, source.mode == "bridge"
        cases = []
        for service in egress.services:
            listed = (service.host, service.port) in ((c.external, c.port) for c in own.calls)
            if service.via == "direct":
                trial.left_out.add("external services that are reached directly")
                continue
            if service.protocol != "http":
                # Bytes of the probe's own mean nothing there, and a hang-up proves nothing.
                trial.left_out.add("external services of which no answer is known (tls, tcp)")
                continue
            around = egress.undeclared == "refuse" and service.outer_port != service.port
            if bridge and around:
                trial.left_out.add("ways around the egress gateway, as a bridge captures nothing")
            if bridge and not listed:
                trial.left_out.add(NOT_CALLED)
                continue
            if source.mesh.dns == "off" and (bridge or not service.addresses):
                trial.left_out.add("names of external services, since dns is off")
                continue
            if bridge or service.port not in source.mesh.capture.exclude_outbound_ports:
                cases.append(_outside_case(source, service, listed))
            if around and not bridge:
                cases += [
                    _around_case(source, service, address) for address in service.addresses[:1]
                ]
        return cases

    def _refused(
        self, source: Machine, own: Workload, workload: Workload, trial: _Trial
    ) -> list[Case]:
        machines = self._machines[workload.key]
        target = machines[_number("%s -> %s" % (source.name, workload.key)) % len(machines)]
        return [
            self._by_name(source, workload, port, "refused")
            for port in workload.ports
            if not workload.allows(own, port.port) and _has_name(source, own, workload, port, trial)
        ] + self._by_address(source, target, trial)

    def _by_name(self, source: Machine, workload: Workload, port: Port, expected: str) -> Case:
        return Case(
            id="%s -> %s:%d by name" % (source.name, self._labels[workload.key], port.port),
            source=source.name,
            target=workload.service_host,
            host=workload.service_host,
            address="",
            port=port.port,
            protocol=_protocol(port),
            via="name",
            expected=expected,
            reason="rbac" if expected == "refused" else "",
        )

    def _by_address(self, source: Machine, target: Machine, trial: _Trial) -> list[Case]:
        if target.mesh.network != source.mesh.network:
            trial.left_out.add("addresses in other networks, which are reached by gateways only")
            return []
        # What does not listen refuses the caller's proxy, which then hangs up: that proves nothing.
        hidden = source.mode != "bridge" and target.mode == "bridge"
        plaintext = self._plaintext(source.name, target, () if hidden else ADMIN_PORTS)
        if source.mode == "bridge":
            return [*plaintext, *self._by_ipv6(source, target, ADMIN_PORTS)]
        if source.mesh.egress.undeclared == "allow":
            return plaintext
        # An address without a name is nothing that was declared: it goes no further than here.
        return [dataclasses.replace(case, reason="undeclared") for case in plaintext]

    def _plaintext(self, source: str, target: Machine, agent_ports: Sequence[int]) -> list[Case]:
        """Plaintext to each port of ``target`` that its proxy guards."""
        if target.mode == "bridge":
            return self._plaintext_to_bridge(source, target, agent_ports)
        passed_by = target.mesh.capture.exclude_inbound_ports
        guarded = [(p.port, _protocol(p)) for p in self._workloads[target.workload].ports]
        guarded += [(port, "http") for port in agent_ports if port not in passed_by]
        return [_address_case(source, target, *pair, "tls") for pair in guarded]

    def _by_ipv6(
        self, source: Union[Machine, Vantage], target: Machine, agent_ports: Sequence[int]
    ) -> list[Case]:
        """The same by IPv6, where both ends have it. A sidecar's own proxy keeps its machine from
        trying, so bridges and vantages do."""
        if not source.ipv6_address or not target.ipv6_address:
            return []
        return [
            dataclasses.replace(
                case,
                id="%s -> %s:%d by IPv6" % (source.name, target.name, case.port),
                address=target.ipv6_address,
                reason="firewall" if target.mode == "bridge" else "capture",
            )
            for case in self._plaintext(source.name, target, agent_ports)
            # A bridge does not listen there, nor does an agent that is not there.
            if target.mode != "bridge" or case.reason == "firewall"
        ]

    def _plaintext_to_bridge(
        self, source: str, target: Machine, agent_ports: Sequence[int]
    ) -> list[Case]:
        """Plaintext to the bridge; to the application behind it, which the firewall closes; and to
        what only an agent would serve."""
        ports = self._workloads[target.workload].ports
        firewalled = [
            _address_case(source, target, port.port, _protocol(port), "firewall") for port in ports
        ]
        nothing = [
            _address_case(source, target, port, "http", "closed")
            for port in agent_ports
            if port != target.mesh.bridge.port
        ]
        if not ports:
            return nothing
        return [
            *firewalled,
            # HTTP is told from TLS by its first bytes, so that it is refused at once.
            _address_case(source, target, target.mesh.bridge.port, "http", "tls"),
            *nothing,
        ]


def _address_case(source: str, target: Machine, port: int, protocol: str, reason: str) -> Case:
    return Case(
        id="%s -> %s:%d by address" % (source, target.name, port),
        source=source,
        target=target.name,
        host="",
        address=target.mesh_address,
        port=port,
        protocol=protocol,
        via="address",
        expected="refused",
        reason=reason,
    )


def _outside_case(source: Machine, service: ExternalService, listed: bool) -> Case:
    return Case(
        id="%s -> %s:%d by gateway" % (source.name, service.host, service.port),
        source=source.name,
        target=service.host,
        host=service.host,
        address="",
        port=service.port,
        protocol="http",
        via="name",
        expected="allowed" if listed else "refused",
        reason="" if listed else "egress_gateway",
    )


def _around_case(source: Machine, service: ExternalService, address: str) -> Case:
    return Case(
        id="%s -> %s:%d around the gateway" % (source.name, address, service.outer_port),
        source=source.name,
        target=service.host,
        host="",
        address=address,
        port=service.outer_port,
        protocol="tcp",
        via="address",
        expected="refused",
        reason="undeclared",
    )


def _has_name(
    source: Machine, own: Workload, workload: Workload, port: Port, trial: _Trial
) -> bool:
    """Whether the mesh's names lead ``source``, which runs ``own``, through its proxy to ``port``
    of ``workload``."""
    if source.mode == "bridge" and not any(
        call.fqdn == workload.service_host and call.port == port.port for call in own.calls
    ):
        trial.left_out.add(NOT_CALLED)
        return False
    if source.mesh.dns == "off":
        trial.left_out.add("names of the mesh, since dns is off")
        return False
    if port.port in source.mesh.capture.exclude_outbound_ports:
        trial.left_out.add("names of the mesh at ports that are excluded from capture")
        return False
    return True


def _protocol(port: Port) -> str:
    if port.is_http:
        return "http"
    return "postgres" if port.name.split("-", 1)[-1].startswith("postgres") else "tcp"


def _ring(items: Sequence[T], name: str) -> Iterator[T]:
    """``items`` from a place that depends on ``name`` on, and around."""
    start = _number(name)
    return (items[(start + index) % len(items)] for index in range(len(items)))


def _number(text: str) -> int:
    """A number that is the same for the same text in every process, unlike ``hash``."""
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big")
