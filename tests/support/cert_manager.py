# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""A real cert-manager for tests: its CRDs, its controllers as a process, an issuer."""

from __future__ import annotations

import base64
import subprocess
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.brownfield.mesh.plugins.plugin_utils.client import Client
from ansible_collections.brownfield.mesh.plugins.plugin_utils.errors import ClusterError

from lab.run import wait_for
from lab.tools import go_module, go_tools
from tests.support.bridge import Pair, pem

NAMESPACE = "cert-manager"  # where it looks for the Secrets of ClusterIssuers
START_SECONDS = 60
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
GROUP = "/apis/cert-manager.io/v1"


@cache
def definitions() -> list[dict[str, Any]]:
    """cert-manager's CRDs, of the version that lab/go/cert-manager pins."""
    folder = go_module("cert-manager", "github.com/cert-manager/cert-manager") / "deploy" / "crds"
    return [yaml.load(path.read_text(), yaml.CSafeLoader) for path in sorted(folder.glob("*.yaml"))]


def start(client: Client, kubeconfig: Path, stack: ExitStack) -> subprocess.Popen[bytes]:
    """Brings what it needs into the cluster and starts it; it ends with ``stack``."""
    client.each(lambda item: client.request("POST", DEFINITIONS, item), definitions())
    wait_for("cert-manager's kinds", lambda: _served(client), START_SECONDS)
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    client.request("POST", "/api/v1/namespaces", namespace)
    log = stack.enter_context((kubeconfig.parent / "cert-manager.log").open("wb"))
    program = go_tools("cert-manager") / "cert-manager"
    process = subprocess.Popen([str(program), str(kubeconfig)], stdout=log, stderr=log)
    stack.callback(process.wait, 10)
    stack.callback(process.kill)
    return process


def issuer(client: Client, name: str, authority: Pair) -> None:
    """A ClusterIssuer that signs by ``authority``; returns when it is ready."""
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/tls",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "data": {
            "tls.crt": _base64(pem(authority.certificate)),
            "tls.key": _base64(pem(authority.key)),
        },
    }
    made = {
        "apiVersion": "cert-manager.io/v1",
        "kind": "ClusterIssuer",
        "metadata": {"name": name},
        "spec": {"ca": {"secretName": name}},
    }
    client.request("POST", f"/api/v1/namespaces/{NAMESPACE}/secrets", secret)
    client.request("POST", f"{GROUP}/clusterissuers", made)
    wait_for(f"ClusterIssuer {name}", lambda: _ready(client, name), START_SECONDS)


def _ready(client: Client, name: str) -> bool:
    status = client.get(f"{GROUP}/clusterissuers/{name}").get("status", {})
    return any(one["status"] == "True" for one in status.get("conditions", ()))


def _served(client: Client) -> bool:
    try:
        client.get(f"{GROUP}/certificaterequests")
        client.get(f"{GROUP}/clusterissuers")
    except ClusterError:
        return False
    return True


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
