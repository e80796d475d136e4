# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Evidence: what a run proved. Checks with id, machine, expected, seen and advice.

This module judges; it opens no socket and reads no file. What it holds against a refusal: a port
that is closed to everybody looks as secure as one that is closed to the right ones. So a refused
case passes only if it was refused in the way its reason demands, if the target's proxy counted the
refusal in the same run, and if the service behind the port was seen alive.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.brownfield.mesh.plugins.module_utils.reachability import Case

SCHEMA_VERSION = 1

Counters = Mapping[str, int]

# What the target's proxy counts (``observe.counters``), by who must decide about the case.
ALLOWED_BY_POLICY = "rbac_allowed_%s"
DENIED_BY_POLICY = "rbac_denied_%s"
NOT_MUTUAL_TLS = "no_filter_chain_match"
BY_FIREWALL = "firewall_rejected"

# The ways in which a refusal for a reason looks to the caller. A caller in the mesh speaks HTTP to
# its own proxy, which answers 503 when the target's proxy hung up. A time-out is never a refusal.
_HUNG_UP = frozenset(["closed", "reset"])
_REFUSALS: Mapping[tuple[str, bool], frozenset[str]] = {
    ("rbac", True): frozenset(["http_403_rbac"]),
    ("rbac", False): _HUNG_UP,
    ("tls", True): _HUNG_UP | {"http_503_reset"},
    ("tls", False): _HUNG_UP,
    # A caller in the mesh has its own proxy hang up, whom the rules refused.
    ("firewall", True): _HUNG_UP | {"refused", "http_503_refused"},
    ("firewall", False): _HUNG_UP | {"refused"},
    # Where the proxy does not listen at all (by IPv6, in a mesh of one stack), the kernel refuses.
    ("capture", True): _HUNG_UP | {"refused"},
    ("capture", False): _HUNG_UP | {"refused"},
    ("closed", True): frozenset(["refused", "http_503_refused"]),
    ("closed", False): frozenset(["refused"]),
    ("no_route", True): frozenset(["dns_failure", "unreachable", "http_502_no_route"]),
    ("no_route", False): frozenset(["dns_failure", "unreachable"]),
    ("egress_gateway", True): frozenset(["http_403_rbac"]),
    ("undeclared", True): _HUNG_UP | {"http_502_no_route"},
    ("undeclared", False): _HUNG_UP,
}


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    ``kind`` groups checks (``unit``, ``identity``, ``registration``, ``traffic`` ...). ``passed``
    says whether ``seen`` is what was ``expected``; ``advice`` what to do when it is not.
    """

    id: str
    machine: str
    kind: str
    expected: str
    seen: str
    passed: bool
    advice: str = ""


@dataclass(frozen=True)
class Probed:
    """What came of a case: ``outcome`` is ``allowed``, ``refused`` or ``error``, ``how`` the way
    it came about (``http_200``, ``http_403_rbac``, ``reset``, ``timeout`` ...). ``seconds`` is how
    long the last of ``attempts`` took."""

    id: str
    outcome: str
    how: str
    detail: str = ""
    attempts: int = 1
    seconds: float = 0.0


@dataclass(frozen=True)
class Surroundings:
    """What else was seen in the run, without which traffic cannot be judged.

    ``machines`` maps a case's target to the machines that may answer for it. ``rises`` says by how
    much each machine's counters rose while the cases ran; a machine whose proxy was not seen
    before and after, or restarted in between, is missing. ``served`` are the (machine, port) pairs
    of the workloads, ``alive`` those on which something listened all along.
    """

    machines: Mapping[str, tuple[str, ...]]
    rises: Mapping[str, Counters]
    served: frozenset[tuple[str, int]]
    alive: frozenset[tuple[str, int]]


def check(
    machine: str, kind: str, name: str, expected: str, seen: str, passed: bool, advice: str
) -> Check:
    """A Check whose id is ``MACHINE/KIND/NAME``. Advice is kept for failed checks only."""
    return Check(
        "%s/%s/%s" % (machine, kind, name),
        machine,
        kind,
        expected,
        seen,
        passed,
        "" if passed else advice,
    )


def fits(case: Case, probed: Probed) -> bool:
    """Whether the caller saw what the case expects, in the way its reason demands."""
    if case.expected == "allowed":
        return probed.outcome == "allowed" and (
            case.protocol != "http" or probed.how.startswith("http_")
        )
    return probed.how in _REFUSALS.get((case.reason, case.protocol == "http"), frozenset())


def counter_of(case: Case) -> str:
    """The counter of the target's proxy that rises with the case, or '' when none does."""
    if case.counter:
        return case.counter
    layer = "http" if case.protocol == "http" else "tcp"
    if case.expected == "allowed":
        return ALLOWED_BY_POLICY % layer
    if case.reason == "rbac":
        return DENIED_BY_POLICY % layer
    return {"tls": NOT_MUTUAL_TLS, "firewall": BY_FIREWALL}.get(case.reason, "")


def rise(before: Counters | None, after: Counters | None) -> dict[str, int] | None:
    """By how much each kind of counter rose. None when a look is missing or the proxy restarted
    between the two (then its counters began anew and say nothing).

    The looks name each counter as KIND or KIND/WHERE. One that is gone in the second look counts
    for nothing: Envoy drops a replaced listener's when it has drained.
    """
    if before is None or after is None:
        return None
    if after.get("started", 0) != before.get("started", 0):
        return None
    rises: dict[str, int] = {}
    for name, value in after.items():
        if name == "started":
            continue
        rose = value - before.get(name, 0)
        if rose < 0:
            return None
        kind = name.split("/")[0]
        rises[kind] = rises.get(kind, 0) + rose
    return rises


def judge_traffic(
    cases: Sequence[Case], probed: Mapping[str, Probed], around: Surroundings
) -> list[Check]:
    """One check per case, in the order of ``cases``. ``probed`` is by case id."""
    fitting = [case for case in cases if case.id in probed and fits(case, probed[case.id])]
    counted = _counted(fitting, around)
    alive = set(around.alive)
    # A service outside of the mesh has no counters: it is alive if it answered who may call it.
    silent = {case.target for case in cases if case.expected == "allowed"} - {
        case.target for case in fitting if case.expected == "allowed"
    }
    for case in fitting:
        if case.expected == "allowed":
            alive.update((name, case.port) for name in around.machines.get(case.target, ()))
    return [_judge(case, probed.get(case.id), around, counted, alive, silent) for case in cases]


def _counted(fitting: Sequence[Case], around: Surroundings) -> dict[str, tuple[int, int] | None]:
    """For each case with a counter: how many the target's proxies counted, and how many were tried
    on them. None when their counters are not known.

    A target may stand for several machines. All cases that can only have ended on a subset of
    these must be covered by what these machines counted together.
    """
    ends = [
        (case.id, counter_of(case), frozenset(around.machines.get(case.target, ())))
        for case in fitting
    ]
    # Cases by counter and machines, kept at the first of these: a subset is found by its members.
    tallies: dict[tuple[str, str], Counter[frozenset[str]]] = {}
    for _id, name, machines in ends:
        if machines:
            tallies.setdefault((name, min(machines)), Counter())[machines] += 1

    def count(name: str, machines: frozenset[str]) -> tuple[int, int] | None:
        rises = [around.rises[machine] for machine in machines if machine in around.rises]
        if not machines or len(rises) < len(machines):
            return None
        tried = sum(
            number
            for machine in machines
            for others, number in tallies.get((name, machine), {}).items()
            if machines.issuperset(others)
        )
        return sum(counters.get(name, 0) for counters in rises), tried

    counts = {(name, machines): count(name, machines) for _id, name, machines in ends if name}
    return {id_: counts[name, machines] for id_, name, machines in ends if name}


def _judge(
    case: Case,
    probed: Probed | None,
    around: Surroundings,
    counted: Mapping[str, tuple[int, int] | None],
    alive: set[tuple[str, int]],
    silent: set[str],
) -> Check:
    where = "%s:%d" % (case.host or case.address or case.target, case.port)
    if case.expected == "allowed":
        expected = "%s allowed, through mTLS" % where
    else:
        expected = "%s refused (%s)" % (where, case.reason)

    def verdict(passed: bool, seen: str, advice: str = "") -> Check:
        return Check(
            case.id,
            case.source,
            "traffic",
            expected,
            seen,
            passed,
            "" if passed else advice,
        )

    if probed is None:
        return verdict(False, "not tried", "The probe did not report this case: run verify again.")
    seen = describe(probed)
    if not fits(case, probed):
        return verdict(False, seen, _advice(case, probed))
    count = counted.get(case.id, (0, 0))
    if case.expected == "allowed":
        if count is not None and count[0] < count[1]:
            return verdict(
                False,
                seen + ", but not counted by the target's proxy",
                "The target's proxy did not decide about it: see that the namespace has its"
                " AuthorizationPolicies, that capture is on at both ends, and that the name"
                " resolves to an address of the mesh.",
            )
        return verdict(True, seen)
    if count is None:
        return verdict(
            False,
            "inconclusive: %s, but the counters of %s are not known" % (seen, case.target),
            "Somebody hung up, and whether it was the target's proxy cannot be told. See the checks"
            " of %s first, then run verify again." % case.target,
        )
    if count is not None and count[0] < count[1]:
        return verdict(
            False,
            "inconclusive: %s, but %s counted %d of %d (%s)"
            % (seen, case.target, *count, counter_of(case)),
            "Something else than the target's proxy refused this or another case. Look for a"
            " firewall, a dead proxy or a wrong address on the way to %s." % where,
        )
    if case.reason in ("egress_gateway", "undeclared") and case.target in silent:
        return verdict(
            False,
            "inconclusive: %s, but %s answered nobody" % (seen, case.target),
            "A dead service refuses everybody. See first why those who list it do not reach it.",
        )
    machines = around.machines.get(case.target, ())
    serving = [(name, case.port) for name in machines if (name, case.port) in around.served]
    if serving and not any(pair in alive for pair in serving):
        return verdict(
            False,
            "inconclusive: %s, but the service was not seen alive" % seen,
            "A dead service refuses everybody. Start what serves port %d on %s."
            % (case.port, ", ".join(machines)),
        )
    return verdict(True, seen)


def describe(probed: Probed) -> str:
    """``probed`` as a person reads it, e.g. ``refused (reset) in 3 ms after 2 attempts``."""
    text = "%s (%s) in %.0f ms" % (probed.outcome, probed.how, probed.seconds * 1000)
    if probed.attempts > 1:
        text += ", attempt %d" % probed.attempts
    return text if not probed.detail else "%s: %s" % (text, probed.detail)


def _advice(case: Case, probed: Probed) -> str:
    if case.expected == "refused":
        if probed.outcome == "allowed":
            if case.reason == "rbac":
                return (
                    "THE PATH IS OPEN. The allow-list does not apply: see that the namespace has"
                    " its default-deny AuthorizationPolicy, and that no other policy allows this."
                )
            if case.reason == "egress_gateway":
                return (
                    "THE PATH IS OPEN. See that the egress gateway has its default-deny"
                    " AuthorizationPolicy, and that its labels are those of mesh.egress.gateway."
                )
            if case.reason == "undeclared":
                return (
                    "THE PATH IS OPEN. See that the namespace has its Sidecar with REGISTRY_ONLY,"
                    " that no other Sidecar stands in its place, and that capture is on."
                )
            return (
                "THE PATH IS OPEN. See that the target's capture covers port %d and that the"
                " namespace's PeerAuthentication is STRICT." % case.port
            )
        return "Not refused for the reason '%s', so nothing is proven: see what is in the way." % (
            case.reason
        )
    if probed.how == "http_403_rbac":
        return (
            "The policy refuses a caller of the allow-list: bring the cluster objects again, and"
            " see that the caller's identity is the one the policy names."
        )
    if probed.how == "dns_failure":
        return (
            "The name does not resolve: set `dns: names`, and see that the Service %s exists"
            " and that capture is on." % case.host
        )
    if probed.how in _HUNG_UP or probed.how == "http_503_reset":
        return (
            "The target hung up: see that the service on port %d runs, then that its policy allows"
            " the caller, then that both ends trust the same root." % case.port
        )
    return (
        "See that the service listens on port %d of %s and that the network lets %s reach it."
        % (case.port, case.target, case.source)
    )
