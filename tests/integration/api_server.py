# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""A real API server of our own for tests: etcd, kube-apiserver and the controllers we rely on."""

from __future__ import annotations

import base64
import socket
import subprocess
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.brownfield.mesh.plugins.module_utils.spec import Cluster
from ansible_collections.brownfield.mesh.plugins.plugin_utils.client import Client
from ansible_collections.brownfield.mesh.plugins.plugin_utils.errors import ClusterError
from ansible_collections.brownfield.mesh.plugins.plugin_utils.kinds import KINDS, collection_path
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from lab import debian
from lab.config import cache_dir
from tests.support.istio import istio_definitions

START_SECONDS = 60
# Users and their groups; `controller` gets only what controller_roles() says, and `enforcer` what
# enforces NetworkPolicies.
USERS = {
    "admin": "system:masters",
    "controller": "controllers",
    "enforcer": "enforcers",
    "nobody": "nobodies",
}


@dataclass(frozen=True)
class ApiServer:
    """A running server. ``folder`` holds a kubeconfig with one context per user."""

    folder: Path
    port: int

    def cluster(self, user: str = "admin") -> Cluster:
        """The cluster as the inventory would name it, for one of USERS."""
        return Cluster(kubeconfig=str(self.folder / "kubeconfig"), context=user)

    def client(self, user: str = "admin") -> Client:
        return Client.of(self.cluster(user))

    def grant(self, role: Mapping[str, Any], user: str = "controller") -> None:
        """Gives a Role or ClusterRole to one of USERS, who soon has it."""
        group, kind, metadata = "rbac.authorization.k8s.io", role["kind"], role["metadata"]
        inside = f"/namespaces/{metadata['namespace']}" if kind == "Role" else ""
        path = f"/apis/{group}/v1{inside}/{kind.lower()}"
        binding = {
            "apiVersion": role["apiVersion"],
            "kind": f"{kind}Binding",
            "metadata": {"name": metadata["name"]},
            "roleRef": {"apiGroup": group, "kind": kind, "name": metadata["name"]},
            "subjects": [{"kind": "User", "name": user, "apiGroup": group}],
        }
        self.client().request("POST", f"{path}s", dict(role))
        self.client().request("POST", f"{path}bindings", binding)


def start(folder: Path, stack: ExitStack) -> ApiServer:
    """Starts all three; they end with ``stack``. Raises RuntimeError that says what is missing."""
    etcd_port, peer_port, port, manager_port = _free_ports(4)
    _keys_and_users(folder)
    _run(
        stack,
        folder,
        [
            str(debian.unpacked("etcd-server") / "usr/bin/etcd"),
            f"--data-dir={folder / 'etcd'}",
            f"--listen-client-urls=http://127.0.0.1:{etcd_port}",
            f"--advertise-client-urls=http://127.0.0.1:{etcd_port}",
            f"--listen-peer-urls=http://127.0.0.1:{peer_port}",
            f"--initial-advertise-peer-urls=http://127.0.0.1:{peer_port}",
            f"--initial-cluster=default=http://127.0.0.1:{peer_port}",
            "--unsafe-no-fsync",
        ],
    )
    server = _run(
        stack,
        folder,
        [
            _kubernetes_program("kube-apiserver"),
            f"--etcd-servers=http://127.0.0.1:{etcd_port}",
            "--bind-address=127.0.0.1",
            f"--secure-port={port}",
            f"--cert-dir={folder}",
            f"--service-account-key-file={folder / 'service-account.pub'}",
            f"--service-account-signing-key-file={folder / 'service-account.key'}",
            "--service-account-issuer=https://kubernetes.default.svc",
            "--authorization-mode=RBAC",
            f"--token-auth-file={folder / 'users.csv'}",
            "--service-cluster-ip-range=10.96.0.0/16",
            "--disable-admission-plugins=ServiceAccount",
        ],
    )
    api = ApiServer(folder, port)
    _wait("kube-apiserver", folder, server, lambda: _ready(api))
    _run(
        stack,
        folder,
        [
            _kubernetes_program("kube-controller-manager"),
            f"--kubeconfig={folder / 'kubeconfig'}",
            "--controllers=garbage-collector-controller,namespace-controller,"
            "serviceaccount-controller",
            "--leader-elect=false",
            f"--secure-port={manager_port}",
            f"--cert-dir={folder / 'manager'}",
        ],
    )
    return api


def install_definitions(api: ApiServer, without: Collection[str] = ()) -> None:
    """Istio's CRDs, as its chart `base` has them, but for the kinds ``without``; returns when those
    we use are served."""
    client = api.client()
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    wanted = [d for d in istio_definitions() if d["spec"]["names"]["kind"] not in without]
    client.each(lambda item: client.request("POST", path, item), wanted)
    end = time.monotonic() + START_SECONDS
    ours = [name for name, kind in KINDS.items() if "istio.io" in kind.api_version]
    for kind in [name for name in ours if name not in without]:
        while not _served(client, kind):
            if time.monotonic() > end:
                raise RuntimeError(f"{kind} is still not served")
            time.sleep(0.1)


def _served(client: Client, kind: str) -> bool:
    try:
        client.get(collection_path(kind))
    except ClusterError:
        return False
    return True


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]


def _kubernetes_program(name: str) -> str:
    found = sorted(
        (cache_dir() / "go").glob(f"kubernetes*/{name}"), key=lambda path: path.stat().st_mtime
    )
    if not found:
        raise RuntimeError(f"{name} is not in {cache_dir() / 'go'}; `make lab-up` builds it")
    return str(found[-1])


def _keys_and_users(folder: Path) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    (folder / "service-account.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    (folder / "service-account.pub").write_bytes(
        key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )
    lines = [f"token-{user},{user},{user},{group}" for user, group in USERS.items()]
    (folder / "users.csv").write_text("\n".join(lines) + "\n")


def _ready(api: ApiServer) -> bool:
    certificate = api.folder / "apiserver.crt"
    if not certificate.exists():
        return False
    kubeconfig = {
        "clusters": [
            {
                "name": "test",
                "cluster": {
                    "server": f"https://127.0.0.1:{api.port}",
                    "certificate-authority-data": base64.b64encode(
                        certificate.read_bytes()
                    ).decode(),
                },
            }
        ],
        "contexts": [{"name": u, "context": {"cluster": "test", "user": u}} for u in USERS],
        "users": [{"name": user, "user": {"token": f"token-{user}"}} for user in USERS],
        "current-context": "admin",
    }
    (api.folder / "kubeconfig").write_text(yaml.safe_dump(kubeconfig))
    try:
        # The namespace is made by the server itself, after it says that it is ready.
        return api.client().find("/api/v1/namespaces/default") is not None
    except ClusterError:
        return False


def _run(stack: ExitStack, folder: Path, command: list[str]) -> subprocess.Popen[bytes]:
    log = stack.enter_context((folder / f"{Path(command[0]).name}.log").open("wb"))
    process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
    stack.callback(_stop, process)
    return process


def _stop(process: subprocess.Popen[bytes]) -> None:
    # Nothing that these write is kept, so there is nothing to wait for.
    process.kill()
    process.wait(10)


def _wait(
    name: str, folder: Path, process: subprocess.Popen[bytes], ready: Callable[[], bool]
) -> None:
    end = time.monotonic() + START_SECONDS
    while not ready():
        if process.poll() is not None or time.monotonic() > end:
            log = (folder / f"{name}.log").read_text("utf-8", "replace")
            raise RuntimeError(f"{name} did not start:\n{log[-2000:]}")
        time.sleep(0.1)
