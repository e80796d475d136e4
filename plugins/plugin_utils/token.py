# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""A short-lived token for one service account (TokenRequest API)."""

from __future__ import annotations

from ansible_collections.brownfield.mesh.plugins.module_utils.spec import Cluster
from ansible_collections.brownfield.mesh.plugins.plugin_utils.client import Client
from ansible_collections.brownfield.mesh.plugins.plugin_utils.errors import (
    ApiError,
    ClusterError,
    explain,
)
from ansible_collections.brownfield.mesh.plugins.plugin_utils.kinds import Ref

# The audience that istiod's CA demands (``TOKEN_AUDIENCES`` of istiod, default ``istio-ca``).
AUDIENCE = "istio-ca"
EXPIRATION_SECONDS = 600  # the shortest that the API server grants


def request(
    cluster: Cluster,
    namespace: str,
    service_account: str,
    audience: str = AUDIENCE,
    expiration_seconds: int = EXPIRATION_SECONDS,
) -> str:
    """A new token (JWT) of the service account. A secret: hand it on, keep it nowhere.

    Raises ClusterError.
    """
    ref = Ref("ServiceAccount", namespace, service_account)
    body = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {"audiences": [audience], "expirationSeconds": expiration_seconds},
    }
    try:
        answer = Client.of(cluster).request("POST", f"{ref.path}/token", body)
    except ApiError as error:
        if error.status == 404:
            raise ClusterError(
                f"{ref} is not in the cluster: run the tag cluster_objects first"
            ) from None
        raise ClusterError(explain(error, f"token for {ref}")) from None
    token = str(answer.get("status", {}).get("token") or "")
    if not token:
        raise ClusterError(f"token for {ref}: the API server answered without one")
    return token
