# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""A mesh whose ingress gateway ends the TLS of bridges, and bridges that call through it."""

from __future__ import annotations

from dataclasses import replace

from ansible_collections.brownfield.mesh.plugins.module_utils.spec import (
    Bridge,
    Call,
    IngressGateway,
    Mesh,
)

from tests.support.fleet import LEGACY_BATCH, PAYMENTS_DB, SHOP_API

GATEWAY = IngressGateway(credential_name="gateway", subject_alt_name="gateway.example")
MESH = Mesh(bridge=Bridge(gateway=GATEWAY))
SHOP_CALL = Call(8080, host="shop-api.shop.svc.cluster.local", protocol="http")
DATABASE_CALL = Call(5432, host="payments-db.payments", protocol="tcp")
BATCH = replace(LEGACY_BATCH, mode="bridge", calls=(SHOP_CALL, DATABASE_CALL))
# It is no machine's, but it calls, too.
REPORTS = replace(BATCH, name="reports", service_account="reports", calls=(SHOP_CALL,))
FLEET = (BATCH, PAYMENTS_DB, REPORTS, SHOP_API)
