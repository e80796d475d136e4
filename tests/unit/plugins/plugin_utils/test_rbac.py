# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""The documented roles are the ones that the tests on a real API server use."""

from __future__ import annotations

from pathlib import Path

import yaml
from ansible_collections.brownfield.mesh.plugins.plugin_utils.rbac import controller_roles

from tests.support.fleet import PAYMENTS_DB, SHOP_API

DOCUMENT = Path(__file__).parents[4] / "docs" / "controller-roles.yaml"


def test_the_document_is_current() -> None:
    roles = controller_roles([PAYMENTS_DB], "monitoring", "istio-ingress", ["payments"])
    assert list(yaml.safe_load_all(DOCUMENT.read_text())) == roles


def test_tokens_are_granted_by_namespace_and_name_only() -> None:
    cluster_role, *roles = controller_roles([PAYMENTS_DB, SHOP_API])
    assert "serviceaccounts/token" not in str(cluster_role)
    assert [(r["metadata"]["namespace"], r["rules"][0]["resourceNames"]) for r in roles] == [
        ("payments", ["payments-db"]),
        ("shop", ["shop-api"]),
    ]
