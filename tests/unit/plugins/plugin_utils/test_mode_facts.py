# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Only the cluster's own rules decide for a bridge; whatever else goes wrong is an error.

The answers are those of a real API server; tests/integration/test_mode_facts.py asks one.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.brownfield.mesh.plugins.module_utils.modes import Decision
from ansible_collections.brownfield.mesh.plugins.module_utils.spec import Fleet
from ansible_collections.brownfield.mesh.plugins.plugin_utils import mode_facts
from ansible_collections.brownfield.mesh.plugins.plugin_utils.errors import ApiError, ClusterError

from tests.support.fleet import FACTS, LEGACY_BATCH, MESH, PAYMENTS_DB, WORKLOADS

GROUP = 'workloadgroups.networking.istio.io "payments-db" is forbidden: '
POLICY = "ValidatingAdmissionPolicy 'p' with binding 'b' denied request: pods only"
HOOK = 'admission webhook "validation.gatekeeper.sh" denied the request: [no-vms]\npods  only'
RIGHTS = (
    GROUP + 'User "ci" cannot patch resource "workloadgroups" in API group "networking.istio.io"'
    ' in the namespace "payments"'
)
STATUS = {"name": "payments-db", "group": "networking.istio.io", "kind": "workloadgroups"}
NO_NAMESPACE = ApiError(404, 'namespaces "payments" not found', {"kind": "namespaces"})
ONE = Fleet(MESH, (PAYMENTS_DB,), ())


class Server:
    """Answers each request with the next of ``answers``, the last one for ever."""

    def __init__(self, *answers: Exception | None) -> None:
        self.answers = list(answers)
        self.requests: list[tuple[str, str, dict[str, str]]] = []

    def each(self, function: Any, items: Any) -> list[Any]:
        return [function(item) for item in items]

    def request(self, method: str, path: str, body: Any, query: Any, **_: Any) -> dict[str, Any]:
        self.requests.append((method, path, dict(query)))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if answer:
            raise answer
        return dict(body)


def decide(
    monkeypatch: pytest.MonkeyPatch, fleet: Fleet, *answers: Exception | None
) -> tuple[dict[str, Decision], Server]:
    server = Server(*answers)
    monkeypatch.setattr(mode_facts.Client, "of", lambda cluster: server)
    return mode_facts.decide(fleet, FACTS), server


@pytest.mark.parametrize(
    ("answer", "mode", "reason"),
    [
        (None, "sidecar", "the cluster takes WorkloadGroup"),
        (
            ApiError(404, "404 page not found", {}),
            "bridge",
            "the cluster does not know WorkloadGroup (networking.istio.io/v1)",
        ),
        *(
            (ApiError(code, GROUP + POLICY, STATUS), "bridge", f"refuses WorkloadGroup: {POLICY}")
            for code in (403, 413, 422)
        ),
        (ApiError(403, HOOK, {}), "bridge", "denied the request: [no-vms] pods only"),
        (ApiError(400, HOOK, {}), "bridge", "denied the request: [no-vms] pods only"),
    ],
)
def test_the_clusters_rules_decide(
    monkeypatch: pytest.MonkeyPatch, answer: ApiError | None, mode: str, reason: str
) -> None:
    decisions, server = decide(monkeypatch, ONE, answer)
    assert decisions[PAYMENTS_DB.key].mode == mode
    assert decisions[PAYMENTS_DB.key].reason.endswith(reason)
    ((method, path, query),) = server.requests
    assert method == "PATCH"
    assert path.endswith("/v1/namespaces/payments/workloadgroups/payments-db")
    assert query["dryRun"] == "All"
    assert query["force"] == "true"


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (ApiError(403, RIGHTS, STATUS), r'"ci" cannot patch .*docs/controller-roles\.yaml'),
        # Whoever may name users may not choose what this means.
        (ApiError(403, RIGHTS.replace("ci", POLICY), STATUS), "cannot patch"),
        (ApiError(403, RIGHTS.replace("ci", HOOK), STATUS), "cannot patch"),
        (ApiError(403, GROUP + "exceeded quota: objects", STATUS), "exceeded quota"),
        (ApiError(404, "<html>nothing here</html>", {}), "nothing here"),
        (ApiError(422, "spec.template: Invalid value", STATUS), "Invalid value"),
        (ApiError(500, 'failed calling webhook "w": timed out', {}), "failed calling webhook"),
        (ClusterError("the API server cannot be reached"), "cannot be reached"),
    ],
)
def test_all_else_is_an_error(
    monkeypatch: pytest.MonkeyPatch, answer: Exception, message: str
) -> None:
    with pytest.raises(ClusterError, match=message) as raised:
        decide(monkeypatch, ONE, answer)
    assert "write mesh_workload.mode: sidecar or bridge" in str(raised.value)


def test_a_refusal_is_no_matter_of_rights() -> None:
    text = mode_facts.explain(ApiError(403, GROUP + POLICY, STATUS), "it")
    assert "controller-roles" not in text


def test_a_namespace_that_is_yet_to_be_made_decides_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    decisions, server = decide(monkeypatch, ONE, NO_NAMESPACE, None)
    assert decisions[PAYMENTS_DB.key].mode == "sidecar"
    assert "in namespace default: payments is yet to be made" in decisions[PAYMENTS_DB.key].reason
    assert [path.split("/")[5] for _, path, _ in server.requests] == ["payments", "default"]
    decisions, _ = decide(monkeypatch, ONE, NO_NAMESPACE, ApiError(422, GROUP + POLICY, STATUS))
    assert decisions[PAYMENTS_DB.key].mode == "bridge"


def test_one_request_for_each_workload_of_mode_auto(monkeypatch: pytest.MonkeyPatch) -> None:
    decisions, server = decide(monkeypatch, Fleet(MESH, WORKLOADS, ()), None)
    assert set(decisions) == {workload.key for workload in WORKLOADS}
    assert len(server.requests) == len(WORKLOADS)


def test_nothing_is_asked_without_one(monkeypatch: pytest.MonkeyPatch) -> None:
    fixed = tuple(replace(workload, mode="bridge") for workload in WORKLOADS)
    monkeypatch.setattr(mode_facts.Client, "of", lambda cluster: pytest.fail("asked"))
    assert mode_facts.decide(Fleet(MESH, fixed, ()), FACTS) == {}


def test_all_that_keeps_from_deciding_is_one_message(monkeypatch: pytest.MonkeyPatch) -> None:
    fleet = Fleet(MESH, (LEGACY_BATCH, PAYMENTS_DB), ())
    with pytest.raises(ClusterError) as raised:
        decide(monkeypatch, fleet, ApiError(403, RIGHTS, STATUS))
    assert "WorkloadGroup batch/legacy-batch: " in str(raised.value)
    assert "WorkloadGroup payments/payments-db: " in str(raised.value)
