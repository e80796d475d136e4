# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Of the proxies' figures, those are kept that are asked for, under the names that proxies give."""

from __future__ import annotations

import re

import pytest
from ansible_collections.brownfield.mesh.plugins.plugin_utils.monitoring import server


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        # As a sidecar's Envoy shows them, with Istio's rules for names.
        ("envoy_http_rbac", True),
        ("envoy_listener_no_filter_chain_match", True),
        ("istio_agent_cert_expiry_seconds", True),
        # As a bridge's Envoy 1.40 shows them, with its own.
        ("envoy_http_rbac_denied", True),
        ("envoy_denied", True),
        ("envoy_listener_ssl_fail_verify_san", True),
        ("envoy_server_live", True),
        ("envoy_http_rbac_shadow_denied", False),
        ("envoy_cluster_upstream_rq_total", False),
    ],
)
def test_what_is_kept(name: str, kept: bool) -> None:
    assert bool(re.fullmatch(server.PROXY_SERIES, name)) is kept
