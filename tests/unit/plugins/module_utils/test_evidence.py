# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""A dead service must not look secure: what counts as a refusal, and what does not."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.brownfield.mesh.plugins.module_utils.evidence import (
    Probed,
    Surroundings,
    counter_of,
    fits,
    judge_traffic,
    rise,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.reachability import Case
from hypothesis import example, given
from hypothesis import strategies as st

HOST = "payments-db.payments.svc.cluster.local"

ALLOWED = Case("allow", "api-1", HOST, HOST, "", 5432, "postgres", "name", "allowed")
RBAC_TCP = Case("deny", "batch-1", HOST, HOST, "", 5432, "postgres", "name", "refused", "rbac")
RBAC_HTTP = Case("403", "db-1", "api-1", "api", "", 8080, "http", "name", "refused", "rbac")
TLS = Case("tls", "out", "db-1", "", "10.0.0.9", 5432, "postgres", "address", "refused", "tls")
ADMIN = Case("admin", "out", "db-1", "", "10.0.0.9", 15020, "http", "address", "refused", "tls")

WAYS = [
    "closed", "reset", "refused", "timeout", "dns_failure", "unreachable", "failure", "open",
    "answered", "not_http", "http_200", "http_403", "http_403_rbac", "http_503", "http_503_reset",
    "http_503_refused", "http_502_no_route", "postgres_tls",
]  # fmt: skip


def around(rises: dict[str, dict[str, int]] | None = None, alive: bool = True) -> Surroundings:
    counted = {"rbac_allowed_tcp": 9, "rbac_denied_tcp": 9, "no_filter_chain_match": 9}
    served = frozenset([("db-1", 5432), ("api-1", 8080)])
    return Surroundings(
        machines={"db-1": ("db-1",), "api-1": ("api-1",), HOST: ("db-1",)},
        rises={"db-1": counted, "api-1": {"rbac_denied_http": 9}} if rises is None else rises,
        served=served,
        alive=served if alive else frozenset(),
    )


def verdict(case: Case, probed: Probed, surroundings: Surroundings) -> bool:
    (item,) = judge_traffic([case], {case.id: probed}, surroundings)
    assert item.machine == case.source
    assert item.id == case.id
    assert bool(item.advice) != item.passed
    return item.passed


def refused(case: Case, how: str = "closed") -> Probed:
    return Probed(case.id, "refused", how)


@pytest.mark.parametrize(
    ("case", "how"), [(RBAC_TCP, "closed"), (RBAC_HTTP, "http_403_rbac"), (TLS, "reset")]
)
def test_a_refusal_for_its_reason_counts(case: Case, how: str) -> None:
    assert verdict(case, refused(case, how), around())


@pytest.mark.parametrize("case", [RBAC_TCP, RBAC_HTTP, TLS, ADMIN])
@pytest.mark.parametrize("how", ["timeout", "dns_failure", "unreachable", "refused", "http_503"])
def test_a_dead_service_is_not_secure(case: Case, how: str) -> None:
    assert not verdict(case, Probed(case.id, "error", how), around())


@pytest.mark.parametrize("case", [RBAC_TCP, RBAC_HTTP, TLS])
def test_a_service_that_nobody_saw_alive_proves_nothing(case: Case) -> None:
    how = "http_403_rbac" if case is RBAC_HTTP else "closed"
    assert not verdict(case, refused(case, how), around(alive=False))


@pytest.mark.parametrize("case", [RBAC_TCP, TLS])
@pytest.mark.parametrize("rises", [{}, {"db-1": {}}, {"api-1": {"rbac_denied_tcp": 9}}])
def test_a_hang_up_that_the_target_did_not_count_proves_nothing(
    case: Case, rises: dict[str, dict[str, int]]
) -> None:
    (item,) = judge_traffic([case], {case.id: refused(case)}, around(rises))
    assert not item.passed
    assert item.seen.startswith("inconclusive")


def test_every_refusal_needs_a_count_of_its_own() -> None:
    cases = [replace(TLS, id=str(number)) for number in range(4)]
    probed = {case.id: refused(case) for case in cases}
    enough = around({"db-1": {"no_filter_chain_match": 4}})
    short = around({"db-1": {"no_filter_chain_match": 3}})
    assert all(item.passed for item in judge_traffic(cases, probed, enough))
    assert not any(item.passed for item in judge_traffic(cases, probed, short))


def test_a_target_with_two_machines_is_covered_by_both_together() -> None:
    surroundings = Surroundings(
        machines={"svc": ("a", "b"), "a": ("a",)},
        rises={"a": {"rbac_denied_tcp": 2}, "b": {"rbac_denied_tcp": 1}},
        served=frozenset([("a", 1), ("b", 1)]),
        alive=frozenset([("b", 1)]),
    )
    cases = [replace(RBAC_TCP, id=str(n), target="svc", port=1) for n in range(3)]
    probed = {case.id: refused(case) for case in cases}
    assert all(item.passed for item in judge_traffic(cases, probed, surroundings))
    more = [*cases, replace(RBAC_TCP, id="x", target="a", port=1)]
    probed["x"] = refused(more[-1])
    results = {item.id: item.passed for item in judge_traffic(more, probed, surroundings)}
    assert not results["0"]  # three on the service and one on a: four, and they counted three


def test_a_target_of_which_one_machine_is_not_known_proves_nothing() -> None:
    surroundings = Surroundings(
        machines={"svc": ("a", "b")},
        rises={"a": {"rbac_denied_tcp": 9}},
        served=frozenset(),
        alive=frozenset(),
    )
    case = replace(RBAC_TCP, target="svc")
    assert not verdict(case, refused(case), surroundings)


MACHINES = ("a", "b", "c")
TARGETS = {"none": (), **{m: (m,) for m in MACHINES}, "ab": ("a", "b"), "abc": MACHINES}
COUNTED = st.fixed_dictionaries({"no_filter_chain_match": st.integers(0, 4)})
ONE = {"no_filter_chain_match": 1}


@given(
    st.lists(st.sampled_from(sorted(TARGETS)), max_size=8),
    st.fixed_dictionaries({}, optional=dict.fromkeys(MACHINES, COUNTED)),
)
@example(["a", "ab"], {"a": ONE, "b": ONE})  # what both may have refused is not a's alone
@example(["b", "ab"], {"a": ONE, "b": {"no_filter_chain_match": 0}})
def test_what_must_be_counted_is_every_case_that_ended_on_these_machines(
    targets: list[str], rises: dict[str, dict[str, int]]
) -> None:
    cases = [replace(TLS, id=str(n), target=target) for n, target in enumerate(targets)]
    probed = {case.id: Probed(case.id, "refused", "reset") for case in cases}
    checks = judge_traffic(cases, probed, Surroundings(TARGETS, rises, frozenset(), frozenset()))
    for case, check in zip(cases, checks):
        own = TARGETS[case.target]
        known = bool(own) and all(machine in rises for machine in own)
        counted = sum(rises[m]["no_filter_chain_match"] for m in own) if known else 0
        tried = sum(bool(TARGETS[t]) and set(TARGETS[t]) <= set(own) for t in targets)
        assert check.passed == (known and counted >= tried)


def test_an_applications_own_403_is_no_policy() -> None:
    assert not verdict(RBAC_HTTP, Probed(RBAC_HTTP.id, "allowed", "http_403"), around())


def test_a_success_shows_the_service_alive() -> None:
    cases = [ALLOWED, RBAC_TCP]
    probed = {"allow": Probed("allow", "allowed", "postgres_plain"), "deny": refused(RBAC_TCP)}
    assert all(item.passed for item in judge_traffic(cases, probed, around(alive=False)))


def test_a_port_that_no_workload_serves_needs_no_life_behind_it() -> None:
    assert verdict(ADMIN, refused(ADMIN), around(alive=False))


def test_a_caller_in_the_mesh_sees_a_hang_up_as_503() -> None:
    case = replace(TLS, protocol="http")
    assert verdict(case, refused(case, "http_503_reset"), around())
    assert not verdict(case, Probed(case.id, "error", "http_503"), around())


@pytest.mark.parametrize("case", [RBAC_TCP, RBAC_HTTP, TLS, ADMIN])
def test_an_open_path_is_said_loudly(case: Case) -> None:
    (item,) = judge_traffic([case], {case.id: Probed(case.id, "allowed", "open")}, around())
    assert not item.passed
    assert "OPEN" in item.advice


def test_an_answer_that_the_target_did_not_count_came_around_the_proxy() -> None:
    seen = Probed(ALLOWED.id, "allowed", "postgres_plain")
    assert verdict(ALLOWED, seen, around())
    assert not verdict(ALLOWED, seen, around({"db-1": {"rbac_allowed_tcp": 0}}))


def test_a_case_that_was_not_tried_fails() -> None:
    (item,) = judge_traffic([ALLOWED], {}, around())
    assert not item.passed
    assert item.seen == "not tried"


@pytest.mark.parametrize("how", ["http_403_rbac", "dns_failure", "closed", "timeout"])
def test_advice_for_a_path_that_should_work(how: str) -> None:
    assert not verdict(ALLOWED, Probed(ALLOWED.id, "error", how), around())


def test_an_unknown_name_is_no_way_there_and_not_a_policy() -> None:
    lost = Probed("x", "error", "dns_failure")
    no_route = replace(RBAC_TCP, id="x", reason="no_route")
    assert verdict(no_route, lost, around())
    assert not fits(replace(RBAC_TCP, id="x"), lost)


def test_a_closed_port_refuses_the_connection() -> None:
    case = replace(TLS, reason="closed", port=15000)
    assert verdict(case, refused(case, "refused"), around())
    assert not verdict(case, Probed(case.id, "error", "timeout"), around())


def test_counter_of() -> None:
    assert counter_of(ALLOWED) == "rbac_allowed_tcp"
    assert counter_of(replace(ALLOWED, protocol="http")) == "rbac_allowed_http"
    assert counter_of(RBAC_HTTP) == "rbac_denied_http"
    assert counter_of(TLS) == "no_filter_chain_match"
    assert counter_of(replace(TLS, reason="closed")) == ""
    assert counter_of(replace(TLS, counter="other")) == "other"


def test_rise() -> None:
    before, after = {"started": 7, "a": 1}, {"started": 7, "a": 3, "b": 2}
    assert rise(before, after) == {"a": 2, "b": 2}
    assert rise(before, {**after, "started": 8}) is None  # restarted in between
    assert rise({"a": 5}, {"a": 3}) is None
    # A listener was replaced, and the old one's counter went with it.
    assert rise({"a/old": 5, "a/new": 1, "b/x": 1}, {"a/new": 3, "b/x": 2, "b/y": 4}) == {
        "a": 2,
        "b": 5,
    }
    assert rise(None, after) is None
    assert rise(before, None) is None


cases = st.sampled_from([RBAC_TCP, RBAC_HTTP, TLS, ADMIN])
outcomes = st.builds(
    Probed,
    st.just(""),
    st.sampled_from(["allowed", "refused", "error"]),
    st.sampled_from(WAYS),
)
counts = st.dictionaries(
    st.sampled_from(["rbac_denied_tcp", "rbac_denied_http", "no_filter_chain_match"]),
    st.integers(0, 3),
)


@given(cases, outcomes, st.dictionaries(st.sampled_from(["db-1", "api-1"]), counts), st.booleans())
def test_nothing_but_a_counted_hang_up_or_envoys_403_ever_passes(
    case: Case, probed: Probed, rises: dict[str, dict[str, int]], alive: bool
) -> None:
    """Whatever was seen: a refusal passes only with the right way, a count, and life behind it."""
    passed = verdict(case, replace(probed, id=case.id), around(rises, alive))
    if passed:
        assert probed.how in ("closed", "reset", "http_403_rbac", "http_503_reset")
        target = around().machines[case.target][0]
        assert rises[target][counter_of(case)] >= 1
        assert alive or case is ADMIN


@pytest.mark.parametrize(
    ("reason", "protocol", "how"),
    [("egress_gateway", "http", "http_403_rbac"), ("undeclared", "tcp", "closed")],
)
def test_an_external_service_that_answered_nobody_proves_nothing(
    reason: str, protocol: str, how: str
) -> None:
    host = "api.partner.example"
    listed = Case("listed", "a-1", host, host, "", 80, "http", "name", "allowed")
    other = Case("other", "b-1", host, host, "", 80, protocol, "name", "refused", reason)

    def passed(answer: Probed) -> bool:
        probed = {"listed": answer, "other": refused(other, how)}
        return judge_traffic([listed, other], probed, around())[1].passed

    assert passed(Probed("listed", "allowed", "http_200"))
    assert not passed(Probed("listed", "error", "http_503"))
