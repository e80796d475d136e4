# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""The evidence says what was seen, keeps to its schema, and forgets nobody."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ansible_collections.brownfield.mesh.plugins.plugin_utils.evidence_document import Seen, write

from tests.unit.plugins.plugin_utils.evidence_fixture import (
    HOSTS,
    evidence,
    plan,
    registrations,
    seen,
)

SCHEMA = json.loads(
    (Path(__file__).parents[4] / "docs" / "evidence.schema.json").read_text(encoding="utf-8")
)


def validate(document: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.Draft202012Validator(SCHEMA).validate(json.loads(json.dumps(document)))


def changed(name: str, **parts: Any) -> dict[str, Seen]:
    """What was seen, with parts of one host's results replaced."""
    everything = seen()
    everything[name] = replace(everything[name], **parts)
    return everything


def test_a_run_where_all_is_well() -> None:
    document = evidence()
    validate(document)
    assert document["failed"] == []
    assert document["passed"]
    assert document["counts"]["cases"] == {
        "planned": 4,
        "judged": 4,
        "allowed": {"expected": 1, "passed": 1},
        "refused": {"expected": 3, "passed": 3, "by_reason": {"tls": 3}},
        "open": 0,
    }
    batch, db = document["machines"]
    assert (batch["name"], db["name"]) == ("batch-1", "db-1")
    assert db["identity"]["spiffe_id"] == "spiffe://cluster.local/ns/payments/sa/payments-db"
    assert db["identity"]["seconds_left"] == 24 * 3600 - 2 * 60
    assert db["counted"] == {"no_filter_chain_match": 3, "rbac_allowed_tcp": 1}
    assert db["versions"]["envoy"] == "1.40.0"
    assert document["workloads"][1] == {
        "key": "payments/payments-db",
        "service_account": "payments-db",
        "ports": [{"name": "tcp-postgres", "port": 5432}],
        "callers": [{"namespace": "batch", "service_account": "legacy-batch", "ports": []}],
        "calls": [],
    }
    assert document["vantages"] == ["outsider-1"]


def test_why_auto_decided_as_it_did_is_said_of_each_machine() -> None:
    planned = plan()
    planned["modes"]["db-1"]["reason"] = "auto: the cluster takes WorkloadGroup"
    document = evidence(plan=planned)
    validate(document)
    reasons = [machine["mode_reason"] for machine in document["machines"]]
    assert reasons == ["", "auto: the cluster takes WorkloadGroup"]


def test_the_schema_refuses_what_it_does_not_know() -> None:
    document = evidence()
    document["token"] = "secret"
    with pytest.raises(jsonschema.ValidationError):
        validate(document)


@pytest.mark.parametrize("name", HOSTS)
@pytest.mark.parametrize(
    "result", [{}, {"unreachable": True, "msg": "no route"}, {"failed": True, "msg": "no python"}]
)
def test_a_host_that_was_not_reached_is_a_failed_check(name: str, result: dict[str, Any]) -> None:
    everything = seen()
    everything[name] = Seen(result, result, result)
    document = evidence(seen=everything)
    validate(document)
    assert "%s/reached/host" % name in document["failed"]
    assert not document["passed"]


def test_a_host_that_is_gone_altogether_is_a_failed_check() -> None:
    everything = seen()
    del everything["outsider-1"]
    document = evidence(seen=everything)
    assert document["failed"] == ["outsider-1/reached/host"]
    assert document["counts"]["cases"]["judged"] == 2


def test_what_hung_up_on_callers_of_a_machine_that_nobody_saw_proves_nothing() -> None:
    document = evidence(seen=changed("db-1", after={"unreachable": True}))
    validate(document)
    assert {"b", "c", "d", "db-1/reached/host"} <= set(document["failed"])


def test_with_a_limit_the_rest_is_not_judged_and_that_is_said() -> None:
    everything = seen()
    document = evidence(hosts=["batch-1"], seen={"batch-1": everything["batch-1"]})
    validate(document)
    assert document["passed"]
    assert document["counts"]["cases"]["planned"] == 4
    assert document["counts"]["cases"]["judged"] == 0
    assert [machine["name"] for machine in document["machines"]] == ["batch-1"]
    assert document["left_out"] == ["db-1", "outsider-1"]


def test_a_failed_check_of_a_machine_is_taken_over() -> None:
    after = dict(seen()["db-1"].after)
    after["checks"] = [{**after["checks"][0], "passed": False, "advice": "Start it."}]
    document = evidence(seen=changed("db-1", after=after))
    assert document["failed"] == ["db-1/agent/ready"]
    assert [machine["passed"] for machine in document["machines"]] == [True, False]


def test_an_open_path_is_counted() -> None:
    everything = seen()
    results = [dict(item) for item in everything["outsider-1"].probed["results"]]
    results[0].update(outcome="allowed", how="postgres_plain")
    document = evidence(seen=changed("outsider-1", probed={"results": results}))
    validate(document)
    assert document["failed"] == ["c"]
    assert document["counts"]["cases"]["open"] == 1


def test_a_case_that_the_probe_forgot_is_a_failed_check() -> None:
    document = evidence(seen=changed("batch-1", probed={"results": []}))
    validate(document)
    assert document["failed"] == ["a", "b"]


@pytest.mark.parametrize("look", ["before", "after"])
def test_a_dead_service_does_not_look_secure(look: str) -> None:
    """Nothing listens, and the caller is refused all the same; the registration lags behind."""
    one = getattr(seen()["db-1"], look)
    everything = changed("db-1", **{look: {**one, "listening": []}})
    everything["batch-1"].probed["results"][0].update(outcome="refused", how="closed")
    document = evidence(seen=everything)
    assert document["failed"] == ["a", "b", "c"]


def test_an_unhealthy_application_is_a_failed_check() -> None:
    sick = [replace(item, healthy=False) for item in registrations()]
    assert evidence(registrations=sick)["failed"] == ["db-1/registration/health"]


def test_a_missing_registration_is_a_failed_check() -> None:
    document = evidence(registrations=registrations()[1:])
    assert document["failed"] == ["db-1/registration/entry"]


def test_no_certificate() -> None:
    document = evidence(seen=changed("db-1", after={**seen()["db-1"].after, "certificate": None}))
    validate(document)
    assert document["machines"][1]["identity"] is None


def test_write_replaces_the_whole_file_or_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "new" / "evidence.json"
    write(path, {"name": "größer"})
    assert json.loads(path.read_text(encoding="utf-8")) == {"name": "größer"}
    assert path.stat().st_mode & 0o777 == 0o644
    with pytest.raises(TypeError):
        write(path, {"bad": object()})
    assert json.loads(path.read_text(encoding="utf-8")) == {"name": "größer"}
    assert [item.name for item in path.parent.iterdir()] == ["evidence.json"]
