# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Facts, tokens and registrations, with no more rights than the documented roles give."""

from __future__ import annotations

import base64
import json
import select
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import pytest
import yaml
from ansible_collections.brownfield.mesh.plugins.module_utils.egress import Egress, EgressGateway
from ansible_collections.brownfield.mesh.plugins.module_utils.spec import (
    Bridge,
    Fleet,
    Gateway,
    IngressGateway,
    Istiod,
    Machine,
    Mesh,
    Workload,
)
from ansible_collections.brownfield.mesh.plugins.plugin_utils import (
    cluster_facts,
    mode_facts,
    registration,
    token,
)
from ansible_collections.brownfield.mesh.plugins.plugin_utils.apply import apply
from ansible_collections.brownfield.mesh.plugins.plugin_utils.client import Client
from ansible_collections.brownfield.mesh.plugins.plugin_utils.drain import drain
from ansible_collections.brownfield.mesh.plugins.plugin_utils.errors import ClusterError
from ansible_collections.brownfield.mesh.plugins.plugin_utils.kinds import collection_path
from ansible_collections.brownfield.mesh.plugins.plugin_utils.objects import render
from ansible_collections.brownfield.mesh.plugins.plugin_utils.rbac import controller_roles
from ansible_collections.brownfield.mesh.plugins.plugin_utils.remove import remove

from tests.integration.api_server import ApiServer
from tests.support.fleet import FACTS, MESH, PAYMENTS_DB

PEM = "-----BEGIN CERTIFICATE-----\nabc\n-----END CERTIFICATE-----\n"
ENTRY = {"apiVersion": "networking.istio.io/v1", "kind": "WorkloadEntry"}


def _post(client: Client, path: str, kind: str, name: str, **content: Any) -> None:
    version = "v1" if path.startswith("/api/") else "/".join(path.split("/")[2:4])
    body = {"apiVersion": version, "kind": kind, "metadata": {"name": name}, **content}
    client.request("POST", path, body)


@pytest.fixture(scope="module")
def istio(api: ApiServer) -> Iterator[Mesh]:
    """What Istio's installation leaves in a cluster, as far as we read it."""
    client = api.client()
    _post(client, "/api/v1/namespaces", "Namespace", "istio-system")
    configs = "/api/v1/namespaces/istio-system/configmaps"
    mesh_text = yaml.safe_dump({"trustDomain": "cluster.local", "defaultConfig": {"a": 1}})
    values = {"global": {"meshID": "m1", "network": "n1", "multiCluster": {"clusterName": "c1"}}}
    for suffix in ("", "-canary"):
        _post(client, configs, "ConfigMap", f"istio{suffix}", data={"mesh": mesh_text})
        injector = f"istio-sidecar-injector{suffix}"
        _post(client, configs, "ConfigMap", injector, data={"values": json.dumps(values)})
    _post(client, configs, "ConfigMap", "istio-ca-root-cert", data={"root-cert.pem": PEM})
    services = "/api/v1/namespaces/istio-system/services"
    spec = {"ports": [{"port": 15012}]}
    external = {**spec, "externalIPs": ["192.0.2.10"]}
    _post(client, services, "Service", "istio-eastwestgateway", spec=external)
    for name, ingress in (("by-ip", {"ip": "192.0.2.11"}), ("by-name", {"hostname": "lb.example"})):
        _post(client, services, "Service", name, spec={**spec, "type": "LoadBalancer"})
        client.request(
            "PATCH",
            f"{services}/{name}/status",
            {"status": {"loadBalancer": {"ingress": [ingress]}}},
            content_type="application/merge-patch+json",
        )
    _post(client, services, "Service", "pending", spec=spec)
    yield Mesh(cluster=api.cluster())
    client.request("DELETE", "/api/v1/namespaces/istio-system")


def test_facts(istio: Mesh) -> None:
    facts = cluster_facts.read(istio)
    assert facts.mesh_config["defaultConfig"] == {"a": 1}
    assert facts.root_certificate == PEM
    assert (facts.cluster_id, facts.mesh_id, facts.network) == ("c1", "m1", "n1")
    assert facts.istiod_host == "istiod.istio-system.svc"
    assert facts.istiod_address == "192.0.2.10"


def test_facts_of_a_revision_and_a_load_balancer(istio: Mesh) -> None:
    facts = cluster_facts.read(
        replace(istio, revision="canary", gateway=Gateway(service="by-ip")),
    )
    assert facts.istiod_host == "istiod-canary.istio-system.svc"
    assert facts.istiod_address == "192.0.2.11"


def test_an_address_given_by_the_user_needs_no_gateway(istio: Mesh) -> None:
    mesh = replace(istio, istiod=Istiod(address="192.0.2.99"), gateway=Gateway(service="none"))
    assert cluster_facts.read(mesh).istiod_address == "192.0.2.99"


def test_a_managed_istio_lives_elsewhere(api: ApiServer, istio: Mesh) -> None:
    """As the add-on of AKS: a namespace and a revision of its own."""
    client, namespace = api.client(), "aks-istio-system"
    _post(client, "/api/v1/namespaces", "Namespace", namespace)
    configs = f"/api/v1/namespaces/{namespace}/configmaps"
    _post(client, configs, "ConfigMap", "istio-asm-1-27", data={"mesh": "{accessLogFile: a}"})
    managed = replace(istio, namespace=namespace, revision="asm-1-27")
    with pytest.raises(ClusterError, match=r"set mesh\.istiod\.address"):
        cluster_facts.read(replace(managed, gateway=Gateway(service="pending")))
    facts = cluster_facts.read(replace(managed, gateway=Gateway(address="192.0.2.77")))
    assert facts.mesh_config == {"accessLogFile": "a"}
    assert facts.root_certificate == PEM
    assert facts.istiod_host == "istiod-asm-1-27.aks-istio-system.svc"
    assert (facts.gateway_address, facts.istiod_address) == ("192.0.2.77", "192.0.2.77")
    with pytest.raises(ClusterError, match="revisions: asm-1-27"):
        cluster_facts.read(replace(managed, revision="asm-1-26"))


def test_bridges_alone_need_no_way_to_istiod_but_one_to_their_gateway(istio: Mesh) -> None:
    ingress = IngressGateway(service="by-ip", namespace="istio-system")
    closed = replace(istio, gateway=Gateway(service="absent"))
    with pytest.raises(ClusterError, match=r"correct mesh\.gateway, or set mesh\.gateway\.address"):
        cluster_facts.read(closed, {"bridge"})
    mesh = replace(closed, bridge=Bridge(gateway=ingress))
    facts = cluster_facts.read(mesh, {"bridge"})
    assert (facts.gateway_address, facts.istiod_address) == ("192.0.2.11", "")
    with pytest.raises(ClusterError, match=r"set mesh\.istiod\.address"):
        cluster_facts.read(mesh, {"bridge", "sidecar"})
    direct = replace(closed, istiod=Istiod(address="192.0.2.1"))
    assert cluster_facts.read(direct, {"sidecar"}).gateway_address == ""
    with pytest.raises(ClusterError, match=r"set mesh\.gateway\.address"):
        cluster_facts.read(direct, {"bridge", "sidecar"})
    given = replace(ingress, service="absent", address="192.0.2.88")
    mesh = replace(closed, bridge=Bridge(gateway=given))
    assert cluster_facts.read(mesh, {"bridge"}).gateway_address == "192.0.2.88"


def test_the_egress_gateway_is_asked_for_where_bridges_call_through_it(istio: Mesh) -> None:
    def address(gateway: EgressGateway, asked: bool = True) -> str:
        mesh = replace(istio, egress=Egress(gateway=gateway))
        return cluster_facts.read(mesh, {"bridge"}, asked).egress_address

    assert address(EgressGateway("by-ip", "istio-system")) == "192.0.2.11"
    assert address(EgressGateway("absent", address="192.0.2.89")) == "192.0.2.89"
    assert address(EgressGateway("absent"), asked=False) == ""
    with pytest.raises(ClusterError, match=r"correct mesh\.egress\.gateway, or set mesh\.egress"):
        address(EgressGateway("absent"))


@pytest.mark.parametrize(
    ("differs", "message"),
    [
        (
            {"namespace": "elsewhere"},
            "no Istio was found in namespace elsewhere; write .*namespace",
        ),
        ({"revision": "prod"}, "ConfigMap istio-prod does not exist.* revisions: canary, default"),
        ({"trust_domain": "corp"}, "write trust_domain: cluster.local"),
        ({"gateway": Gateway(service="by-name")}, "lb.example, no address: set mesh.istiod.addr"),
        ({"gateway": Gateway(service="pending")}, "no external address yet"),
        ({"gateway": Gateway(service="absent")}, "does not exist: correct mesh.gateway"),
        (
            {"bridge": Bridge(gateway=IngressGateway(service="absent"))},
            r"istio-ingress/absent does not exist: correct mesh\.bridge\.gateway, or set",
        ),
    ],
)
def test_facts_that_are_missing_are_named(
    istio: Mesh, differs: dict[str, Any], message: str
) -> None:
    with pytest.raises(ClusterError, match=message):
        cluster_facts.read(replace(istio, **differs))


def _claims(jwt: str) -> dict[str, Any]:
    part = jwt.split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return claims


def _grant(api: ApiServer, workload: Workload) -> None:
    _post(api.client(), "/api/v1/namespaces", "Namespace", workload.namespace)
    for role in controller_roles([workload]):
        api.grant(role)


def test_the_documented_roles_suffice(api: ApiServer, istio: Mesh, namespace: str) -> None:
    workload = replace(PAYMENTS_DB, namespace=namespace)
    _grant(api, workload)
    client, cluster = api.client("controller"), api.cluster("controller")
    assert cluster_facts.read(replace(istio, cluster=cluster)).cluster_id == "c1"
    end = time.monotonic() + 10
    while True:  # rights take a moment to reach the authoriser
        try:
            apply(client, render(MESH, [workload], FACTS), [workload], check=False)
            break
        except ClusterError:
            if time.monotonic() > end:
                raise
            time.sleep(0.2)
    undecided = Fleet(replace(istio, cluster=cluster), (workload,), ())
    assert mode_facts.decide(undecided, FACTS)[workload.key].mode == "sidecar"
    claims = _claims(token.request(cluster, namespace, "payments-db"))
    assert claims["aud"] == ["istio-ca"]
    assert claims["sub"] == f"system:serviceaccount:{namespace}:payments-db"
    assert claims["exp"] - claims["iat"] == 600
    assert registration.workload_entries(cluster, [namespace]) == []
    path = collection_path("WorkloadEntry", namespace)
    annotations = {registration.GROUP_ANNOTATION: workload.name}
    body = {
        "metadata": {"name": "db-1", "annotations": annotations},
        "spec": {"address": "1.2.3.4"},
    }
    api.client().request("POST", path, {**ENTRY, **body})
    assert drain(client, [(Machine("db-1", workload.key, "1.2.3.4"), workload)], check=False)
    with pytest.raises(ClusterError, match='cannot create resource "serviceaccounts/token"'):
        token.request(cluster, namespace, "default")
    removal = remove(client, [workload], check=False)
    assert {change.ref.kind for change in removal.changes} >= {"WorkloadGroup", "ServiceAccount"}


def test_a_missing_service_account_is_named(api: ApiServer) -> None:
    with pytest.raises(ClusterError, match="ServiceAccount default/nobody is not in the cluster"):
        token.request(api.cluster(), "default", "nobody")


def test_refused_credentials_are_named(api: ApiServer) -> None:
    client = api.client()
    stale = replace(client.access, headers={"Authorization": "Bearer expired"})
    with pytest.raises(ClusterError, match=r"context 'admin': they are missing or expired") as err:
        Client(stale).get("/api/v1/namespaces")
    assert "Bearer" not in str(err.value)


def test_an_authority_that_is_not_the_servers_is_named(api: ApiServer) -> None:
    other = replace(api.client().access, tls=ssl.create_default_context())
    with pytest.raises(ClusterError, match="does not prove its name"):
        Client(other).get("/version")


def test_registrations(api: ApiServer, namespace: str) -> None:
    client = api.client()
    _post(client, "/api/v1/namespaces", "Namespace", namespace)
    path = f"/apis/networking.istio.io/v1/namespaces/{namespace}/workloadentries"
    for name, address in (("b-1", "192.0.2.2"), ("a-1", "192.0.2.1")):
        annotations = {
            "istio.io/autoRegistrationGroup": name[0],
            "istio.io/workloadController": "istiod-1",
            "istio.io/connectedAt": "2026-01-01T00:00:00Z",
        }
        body = {
            "apiVersion": "networking.istio.io/v1",
            "kind": "WorkloadEntry",
            "metadata": {"name": name, "annotations": annotations, "labels": {"app": name[0]}},
            "spec": {"address": address, "serviceAccount": "sa", "network": "n1"},
        }
        client.request("POST", path, body)
    status = {"status": {"conditions": [{"type": "Healthy", "status": "False"}]}}
    client.request(
        "PATCH", f"{path}/a-1/status", status, content_type="application/merge-patch+json"
    )
    first, second = registration.workload_entries(api.cluster(), [namespace, namespace])
    assert (first.name, first.address, first.group) == ("a-1", "192.0.2.1", "a")
    assert (first.healthy, second.healthy) == (False, None)
    assert first.connected and first.controller == "istiod-1" and first.network == "n1"
    assert first.labels == {"app": "a"} and first.service_account == "sa"


class _Proxy(BaseHTTPRequestHandler):
    """A proxy that knows CONNECT and wants a password."""

    seen: ClassVar[list[tuple[str, str | None]]] = []

    def do_CONNECT(self) -> None:
        self.seen.append((self.path, self.headers["Proxy-Authorization"]))
        host, port = self.path.split(":")
        with socket.create_connection((host, int(port)), 5) as upstream:
            self.send_response(200)
            self.end_headers()
            ends = {self.connection: upstream, upstream: self.connection}
            while True:
                readable, _, _ = select.select(list(ends), [], [], 5)
                data = [(end, end.recv(65536)) for end in readable]
                if not data or not all(part for _, part in data):
                    return
                for end, part in data:
                    ends[end].sendall(part)

    def log_message(self, format: str, *args: Any) -> None:
        pass


def test_through_a_proxy(api: ApiServer) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Proxy) as proxy:
        proxy.daemon_threads = True
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        url = f"http://me:secr%40t@127.0.0.1:{proxy.server_port}"
        answer = Client(replace(api.client().access, proxy=url)).get("/version")
        proxy.shutdown()
    assert answer["major"] == "1"
    password = base64.b64encode(b"me:secr@t").decode()
    assert _Proxy.seen == [(f"127.0.0.1:{api.port}", f"Basic {password}")]
