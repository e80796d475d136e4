# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""The mutual TLS of a bridge's Envoy: where it finds its secrets, whom it believes, and what it
speaks. Pure, JSON data; fields are those of Envoy's API v3.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ansible_collections.brownfield.mesh.plugins.module_utils.bridge.state import (
    CERTIFICATE,
    CONFIG,
    IDENTITIES,
    KEY,
    REVOKED,
    ROOTS,
)

Json = dict[str, Any]

SECRETS = {
    "identity": CONFIG + "/identity.json",
    "roots": CONFIG + "/roots.json",
    "listed": CONFIG + "/listed.json",
}
# The protocol name by which a bridge says what it is; it is never spoken.
FROM_BRIDGE = "brownfield-mesh"
# Envoy does not look at the length of a peer's key. PSS with SHA-512 needs 1040 bits of an RSA key
# (RFC 8017, 9.1.1), so one of 1024 bits cannot prove itself.
SIGNATURES = [
    "ecdsa_secp256r1_sha256",
    "ecdsa_secp384r1_sha384",
    "ecdsa_secp521r1_sha512",
    "rsa_pss_rsae_sha512",
]

_TYPES = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3."


def secrets() -> dict[str, Json]:
    """The files in which Envoy finds its secrets (SDS), by path. They name files, and hold none.

    Envoy reads these files anew when something is renamed in their folder's parent, as the link
    to the current identity is.
    """
    content: dict[str, Json] = {
        "identity": {
            "tls_certificate": {
                "certificate_chain": {"filename": CERTIFICATE},
                "private_key": {"filename": KEY},
                "watched_directory": {"path": IDENTITIES},
            }
        },
        "roots": {
            "validation_context": {
                "trusted_ca": {"filename": ROOTS},
                "watched_directory": {"path": IDENTITIES},
            }
        },
        # The same for peers who are looked for in lists of revoked certificates. The peer's own
        # authority must have one then, those above need not; without any list there is no check.
        "listed": {
            "validation_context": {
                "trusted_ca": {"filename": ROOTS},
                "crl": {"filename": REVOKED},
                "only_verify_leaf_cert_crl": True,
                "watched_directory": {"path": IDENTITIES},
            }
        },
    }
    return {
        SECRETS[name]: {"resources": [{"@type": _TYPES + "Secret", "name": name, **value}]}
        for name, value in content.items()
    }


def context(version: str, alpn: Sequence[str], admitted: Sequence[Json], secret: str) -> Json:
    """Both directions' common part: TLS ``version`` (1.3, or from 1.2 on), protocols that are
    offered or taken, peers that are ``admitted`` (matchers of SPIFFE IDs or DNS names), and the
    secret by which they are verified (``roots`` or ``listed``)."""
    found: Json = {
        "tls_params": {
            "tls_minimum_protocol_version": "TLSv1_2" if version == "1.2" else "TLSv1_3",
            "tls_maximum_protocol_version": "TLSv1_3",
            "signature_algorithms": SIGNATURES,
        },
        "tls_certificate_sds_secret_configs": [_secret("identity")],
        "combined_validation_context": {
            "default_validation_context": {
                "match_typed_subject_alt_names": [
                    {"san_type": _san_type(matcher), "matcher": matcher} for matcher in admitted
                ]
            },
            "validation_context_sds_secret_config": _secret(secret),
        },
    }
    if alpn:
        found["alpn_protocols"] = list(alpn)
    return found


def _san_type(matcher: Json) -> str:
    (name,) = matcher.values()
    return "URI" if name.startswith("spiffe:") else "DNS"


def taken(context: Json) -> Json:
    """What a filter chain has that takes mutual TLS only."""
    return {
        "transport_socket": _socket(
            {
                "@type": _TYPES + "DownstreamTlsContext",
                "require_client_certificate": True,
                # A resumed session would outlive a certificate's end and a change of roots.
                "disable_stateless_session_resumption": True,
                "disable_stateful_session_resumption": True,
                "common_tls_context": context,
            }
        ),
        "transport_socket_connect_timeout": "10s",
    }


def spoken(context: Json, server_name: str) -> Json:
    """What a cluster has that speaks mutual TLS to ``server_name``."""
    typed = {"@type": _TYPES + "UpstreamTlsContext", "sni": server_name}
    return {"transport_socket": _socket({**typed, "common_tls_context": context})}


def _socket(typed: Json) -> Json:
    return {"name": "envoy.transport_sockets.tls", "typed_config": typed}


def _secret(name: str) -> Json:
    source = {"path_config_source": {"path": SECRETS[name]}, "resource_api_version": "V3"}
    return {"name": name, "sds_config": source}
