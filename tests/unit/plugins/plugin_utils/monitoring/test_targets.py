# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Who is watched: all machines of the plan, each as its owner knows it."""

from __future__ import annotations

import json
from dataclasses import replace

from ansible_collections.brownfield.mesh.plugins.module_utils.spec import Machine, Vantage
from ansible_collections.brownfield.mesh.plugins.plugin_utils.monitoring import targets

from tests.support.fleet import LEGACY_BATCH, PAYMENTS_DB, SHOP_API

DB = Machine("db-1", PAYMENTS_DB.key, "192.0.2.13")
SHOP = Machine("shop-1", SHOP_API.key, "10.0.0.4", external_address="203.0.113.4")
HERE = Machine("monitor-1", LEGACY_BATCH.key, "192.0.2.20")
PAIRS = [(SHOP, SHOP_API), (HERE, LEGACY_BATCH), (DB, PAYMENTS_DB)]


def test_each_machine_with_its_labels() -> None:
    text = targets.render(PAIRS, "monitor-1", {"payments/payments-db": "team-payments"})
    assert json.loads(text) == [
        {
            "targets": ["192.0.2.13"],
            "labels": {
                "machine": "db-1",
                "workload": "payments-db",
                "namespace": "payments",
                "owner": "team-payments",
                "__proxy_port": "19101",
                "__plaintext_port": "15020",
            },
        },
        {
            "targets": ["127.0.0.1"],
            "labels": {
                "machine": "monitor-1",
                "workload": "legacy-batch",
                "namespace": "batch",
                "owner": "legacy-batch",
                "__proxy_port": "15020",
            },
        },
        {
            "targets": ["203.0.113.4"],
            "labels": {
                "machine": "shop-1",
                "workload": "shop-api",
                "namespace": "shop",
                "owner": "shop-api",
                "__proxy_port": "19101",
                "__plaintext_port": "15020",
            },
        },
    ]


def test_the_order_of_the_inventory_does_not_matter() -> None:
    assert targets.render(PAIRS, "", {}) == targets.render(PAIRS[::-1], "", {})


def test_who_leaves_is_not_watched() -> None:
    found = json.loads(targets.render(PAIRS, "monitor-1", {}, ["db-1"]))
    assert [group["labels"]["machine"] for group in found] == ["monitor-1", "shop-1"]


def test_a_bridge_has_no_agent_that_could_answer_in_plain() -> None:
    pairs = [(replace(DB, mode="bridge"), PAYMENTS_DB)]
    (group,) = json.loads(targets.render(pairs, "monitor-1", {}))
    assert group["labels"]["__proxy_port"] == "19101"
    assert "__plaintext_port" not in group["labels"]


def test_vantages_are_asked_at_their_addresses_and_have_an_owner_of_their_own() -> None:
    vantages = [Vantage("o-2", "192.0.2.9"), Vantage("o-1", "192.0.2.8")]
    found = targets.vantages(vantages, {"vantage": "security"}, ["o-2"])
    assert found == [{"targets": ["192.0.2.8"], "labels": {"machine": "o-1", "owner": "security"}}]
    assert targets.vantages(vantages, {})[1]["labels"]["owner"] == "vantage"
