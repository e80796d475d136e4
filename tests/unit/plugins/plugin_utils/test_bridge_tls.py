# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""What a bridge's Envoy speaks and believes; that Envoy does so, tests/integration/bridge shows."""

from __future__ import annotations

import json

import pytest
from ansible_collections.brownfield.mesh.plugins.module_utils.bridge.state import CURRENT, REVOKED
from ansible_collections.brownfield.mesh.plugins.plugin_utils import bridge_tls

ADMITTED = [{"exact": "spiffe://cluster.local/ns/a/sa/b"}]


def test_secrets_lie_where_one_link_changes_them_all() -> None:
    text = json.dumps(bridge_tls.secrets())
    named = [one["filename"] for one in _all_of(json.loads(text), "filename")]
    assert named
    assert all(name.startswith(CURRENT + "/") for name in named)
    assert "PRIVATE KEY" not in text


def test_only_who_is_looked_for_is_looked_up_in_lists() -> None:
    contexts = {
        name: bridge_tls.secrets()[bridge_tls.SECRETS[name]]["resources"][0]["validation_context"]
        for name in ("roots", "listed")
    }
    assert "crl" not in contexts["roots"]
    assert contexts["listed"]["crl"] == {"filename": REVOKED}
    assert contexts["listed"]["only_verify_leaf_cert_crl"] is True


@pytest.mark.parametrize(("asked", "lowest"), [("1.3", "TLSv1_3"), ("1.2", "TLSv1_2")])
def test_versions(asked: str, lowest: str) -> None:
    parameters = bridge_tls.context(asked, [], ADMITTED, "roots")["tls_params"]
    assert parameters["tls_minimum_protocol_version"] == lowest
    assert parameters["tls_maximum_protocol_version"] == "TLSv1_3"


def test_whoever_calls_shows_a_certificate_and_no_session_outlives_it() -> None:
    context = bridge_tls.context("1.3", ["h2"], ADMITTED, "listed")
    taken = bridge_tls.taken(context)["transport_socket"]["typed_config"]
    assert taken["require_client_certificate"] is True
    assert taken["disable_stateless_session_resumption"] is True
    assert taken["disable_stateful_session_resumption"] is True
    spoken = bridge_tls.spoken(context, "name")["transport_socket"]["typed_config"]
    assert (spoken["sni"], spoken["common_tls_context"]) == ("name", context)
    believed = context["combined_validation_context"]
    names = believed["default_validation_context"]["match_typed_subject_alt_names"]
    assert names == [{"san_type": "URI", "matcher": ADMITTED[0]}]
    assert believed["validation_context_sds_secret_config"]["name"] == "listed"


def _all_of(content: object, key: str) -> list[dict[str, str]]:
    if isinstance(content, dict):
        own = [content] if key in content else []
        return own + [one for value in content.values() for one in _all_of(value, key)]
    if isinstance(content, list):
        return [one for value in content for one in _all_of(value, key)]
    return []
