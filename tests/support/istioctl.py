# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""What Istio's own tool says of objects of ours, beside those that the user has."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.brownfield.mesh.plugins.module_utils.egress import EgressGateway
from ansible_collections.brownfield.mesh.plugins.module_utils.spec import IngressGateway

from lab.tools import go_tools

Object = dict[str, Any]


def users_own(
    gateway: EgressGateway | IngressGateway, namespaces: Iterable[str], secret: str
) -> list[Object]:
    """What is the user's at a gateway: namespaces, the gateway's Service and proxies, a Secret."""
    objects = []
    for name in (*namespaces, gateway.namespace):
        labels = {"istio-injection": "enabled"}
        objects.append(_plain("Namespace", name, "", metadata={"name": name, "labels": labels}))
    port = {"name": "tls", "port": gateway.port, "targetPort": gateway.port}
    spec = {"selector": dict(gateway.labels), "ports": [port]}
    objects.append(_plain("Service", gateway.service, gateway.namespace, spec=spec))
    labels = {"name": "gateway", "namespace": gateway.namespace, "labels": dict(gateway.labels)}
    containers = [{"name": "istio-proxy", "image": "proxyv2"}]
    objects.append(_plain("Pod", "", "", metadata=labels, spec={"containers": containers}))
    return [*objects, _plain("Secret", secret, gateway.namespace)]


def findings(command: str, objects: Sequence[Object], folder: Path) -> str:
    """What ``istioctl analyze`` or ``validate`` has against them; empty when nothing."""
    file = folder / "objects.yaml"
    file.write_text(yaml.safe_dump_all(objects))
    flags = ["--use-kube=false", str(file)] if command == "analyze" else ["-f", str(file)]
    done = subprocess.run(
        [str(go_tools("istio") / "istioctl"), command, *flags],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    output = done.stdout + done.stderr
    fine = done.returncode == 0 and "Warning" not in output and "Error" not in output
    return "" if fine else output or f"it ended with {done.returncode}"


def _plain(kind: str, name: str, namespace: str, **content: object) -> Object:
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": kind, "metadata": metadata, **content}
