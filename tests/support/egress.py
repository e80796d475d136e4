# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""A mesh with an external service of each kind, and who calls them: sidecars, and a bridge."""

from __future__ import annotations

from dataclasses import replace

from ansible_collections.brownfield.mesh.plugins.module_utils.egress import (
    Egress,
    ExternalService,
    Origination,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.spec import Call, Machine, Mesh

from tests.support.bridge import BRIDGE_FACTS
from tests.support.fleet import LEGACY_BATCH, PAYMENTS_DB, SHOP_API

PARTNER = ExternalService(
    "api.partner.example",
    80,
    addresses=("192.0.2.80",),
    target_port=8443,
    tls=Origination("mutual", "partner-client"),
)
LEDGER = ExternalService("ledger.example", 5000, "tcp", tls=Origination("simple"))
WEB = ExternalService("www.example.org", 443, "tls")
SFTP = ExternalService("sftp.example", 22, "tcp", "direct", addresses=("192.0.2.22",))
EGRESS = Egress("refuse", services=(PARTNER, LEDGER, WEB, SFTP))
EGRESS_MESH = Mesh(egress=EGRESS)
BATCH = replace(
    LEGACY_BATCH,
    calls=(
        *LEGACY_BATCH.calls,
        *(Call(one.port, external=one.host) for one in (PARTNER, LEDGER, SFTP)),
    ),
)
SHOP = replace(SHOP_API, calls=(*SHOP_API.calls, Call(80, external=PARTNER.host)))
FLEET = (BATCH, PAYMENTS_DB, SHOP)
MACHINES = (
    Machine("legacy-batch-1", BATCH.key, "198.18.0.14", mesh=EGRESS_MESH),
    Machine("payments-db-1", PAYMENTS_DB.key, "198.18.0.13", mesh=EGRESS_MESH),
)

# It calls all of them, and one service of the mesh.
BRIDGED = replace(
    LEGACY_BATCH,
    mode="bridge",
    calls=(
        Call(
            8080,
            host="shop-api.shop.svc.cluster.local",
            service_account="shop-api",
            protocol="http",
        ),
        *(Call(one.port, external=one.host) for one in EGRESS.services),
    ),
)
BRIDGE = replace(MACHINES[0], mode="bridge")
EGRESS_ADDRESS = "192.0.2.16"
EGRESS_FACTS = replace(BRIDGE_FACTS, egress_address=EGRESS_ADDRESS)
GATEWAY_ID = "spiffe://cluster.local/ns/istio-egress/sa/istio-egressgateway"
