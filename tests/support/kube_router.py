# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""A real enforcer of NetworkPolicies for tests: kube-router, of which only the firewall runs."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path

import yaml
from ansible_collections.brownfield.mesh.plugins.plugin_utils.client import Client
from ansible_collections.brownfield.mesh.plugins.plugin_utils.kinds import collection_path

from lab.config import LabError
from lab.run import run, wait_for
from lab.tools import go_tools
from tests.support.network import Network

START_SECONDS = 60
# As kube-router's own manifests have it.
ROLE = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "ClusterRole",
    "metadata": {"name": "kube-router"},
    "rules": [
        {"apiGroups": [group], "resources": resources, "verbs": ["get", "list", "watch"]}
        for group, resources in {
            "": ["endpoints", "namespaces", "nodes", "pods", "services"],
            "discovery.k8s.io": ["endpointslices"],
            "networking.k8s.io": ["networkpolicies"],
        }.items()
    ],
}


def start(
    node: Network, name: str, kubeconfig: Path, user: str, pods: Iterable[str], stack: ExitStack
) -> Path:
    """Starts it on the node ``name`` as ``user`` of ``kubeconfig``; it ends with ``stack``. Returns
    its log once it has rules for the addresses of all ``pods``. Raises LabError."""
    log = kubeconfig.with_name("kube-router.log")
    own = kubeconfig.with_name("kube-router.kubeconfig")
    content = {**yaml.safe_load(kubeconfig.read_text()), "current-context": user}
    own.write_text(yaml.safe_dump(content))
    command = [
        # It insists on being root. What it needs of root's rights is this.
        *("setpriv", "--bounding-set=-all,+net_admin,+net_raw", "--inh-caps=-all"),
        str(go_tools("kube-router") / "kube-router"),
        f"--kubeconfig={own}",
        f"--hostname-override={name}",
        "--run-firewall=true",
        "--run-router=false",
        "--run-service-proxy=false",
        "--health-port=0",
    ]
    with node.inside(), log.open("wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file)
    stack.callback(process.wait, 10)
    stack.callback(process.kill)

    def ready() -> bool:
        if process.poll() is not None:
            raise LabError(f"kube-router ended:\n{log.read_text()}")
        with node.inside():
            rules = run(["iptables", "--list-rules"])
        return all(f"-s {address}/32 " in rules for address in pods)

    wait_for("kube-router", ready, START_SECONDS, log.read_text)
    return log


def add_node(client: Client, name: str, address: str) -> None:
    """A node, as far as the API server knows."""
    addresses = [{"type": "InternalIP", "address": address}]
    node = {"metadata": {"name": name}, "status": {"addresses": addresses}}
    client.request("POST", "/api/v1/nodes", node)


def add_pod(client: Client, namespace: str, name: str, address: str, node: Network) -> None:
    """A pod that runs on ``node``, as far as the API server knows, in a namespace that is there or
    made for it."""
    if client.find(f"/api/v1/namespaces/{namespace}") is None:
        client.request("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})
    path = collection_path("Pod", namespace)
    pod = {"metadata": {"name": name}, "spec": {"containers": [{"name": "app", "image": "app"}]}}
    client.request("POST", path, pod)
    status = {
        "phase": "Running",
        "hostIP": node.address,
        "podIP": address,
        "podIPs": [{"ip": address}],
    }
    merge = "application/merge-patch+json"
    client.request("PATCH", f"{path}/{name}/status", {"status": status}, content_type=merge)
