# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Certificates by a real cert-manager on a real API server, with the documented rights."""

from __future__ import annotations

import hashlib
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Thread

import pytest
from ansible_collections.brownfield.mesh.plugins.module_utils.spec import (
    CertManager,
    Identity,
    Machine,
    Mesh,
)
from ansible_collections.brownfield.mesh.plugins.plugin_utils import cert_manager
from ansible_collections.brownfield.mesh.plugins.plugin_utils.errors import (
    ClusterError,
    IdentityError,
)
from ansible_collections.brownfield.mesh.plugins.plugin_utils.kinds import Ref
from ansible_collections.brownfield.mesh.plugins.plugin_utils.rbac import controller_roles
from cryptography import x509

from lab.run import wait_for
from tests.integration.api_server import ApiServer
from tests.support import cert_manager as server
from tests.support.bridge import BILLING, SPIFFE_ID, issue, pem, request

ROOT = issue(authority=True)
MIDDLE = issue(ROOT, authority=True)
LIFETIME_SECONDS = 600
MACHINE = "Billing_1/../x"  # no name for Kubernetes, and no path
SPIFFE = SPIFFE_ID.rsplit("/ns/", 1)[0]


@pytest.fixture(scope="module")
def controller(api: ApiServer) -> Iterator[subprocess.Popen[bytes]]:
    """cert-manager's process, with an issuer below the mesh's root and one below another."""
    with ExitStack() as stack:
        client = api.client()
        yield server.start(client, api.folder / "kubeconfig", stack)


@pytest.fixture(scope="module")
def issuers(api: ApiServer, controller: subprocess.Popen[bytes]) -> None:
    server.issuer(api.client(), "machines", MIDDLE)
    server.issuer(api.client(), "stranger", issue(authority=True))


@pytest.fixture
def tenant(api: ApiServer, issuers: None, namespace: str) -> str:
    """A namespace with the workload's service account, in which the controller has its rights."""
    client = api.client()
    for path, kind, name in (
        ("namespaces", "Namespace", namespace),
        (f"namespaces/{namespace}/serviceaccounts", "ServiceAccount", "billing-app"),
    ):
        made = {"apiVersion": "v1", "kind": kind, "metadata": {"name": name}}
        client.request("POST", f"/api/v1/{path}", made)
    roles = controller_roles([], certificates=[namespace])
    for role in roles:
        role["metadata"]["name"] += f"-{namespace}"
        api.grant(role)
    one = Ref("CertificateRequest", namespace, "any")

    def permitted() -> bool:
        try:
            return api.client("controller").find(one.path) is None
        except ClusterError:
            return False

    wait_for("the rights", permitted, 10)
    return namespace


def authority(
    api: ApiServer, tenant: str, issuer: str = "machines", user: str = "controller"
) -> cert_manager.Authority:
    wanted = CertManager(issuer)
    identity = Identity("cert_manager", lifetime=f"{LIFETIME_SECONDS}s", cert_manager=wanted)
    mesh = Mesh(cluster=api.cluster(user), identity=identity)
    machine = Machine(MACHINE, BILLING.key, "192.0.2.77", mode="bridge", mesh=mesh)
    workload = replace(BILLING, namespace=tenant)
    return cert_manager.Authority(machine, workload, wanted, pem(ROOT.certificate))


def asked(tenant: str) -> str:
    return request(f"{SPIFFE}/ns/{tenant}/sa/billing-app")[0]


def ref_of(tenant: str) -> Ref:
    """Where the request of the machine of these tests lies while it lives."""
    digest = hashlib.sha256(MACHINE.encode()).hexdigest()[:16]
    return Ref("CertificateRequest", tenant, f"brownfield.mesh-{digest}")


def left(api: ApiServer, tenant: str) -> list[str]:
    path = f"{server.GROUP}/namespaces/{tenant}/certificaterequests"
    return [item["metadata"]["name"] for item in api.client().items(path)]


def test_it_signs_for_the_machine_and_leaves_nothing(api: ApiServer, tenant: str) -> None:
    signing, key = request(f"{SPIFFE}/ns/{tenant}/sa/billing-app")
    one = authority(api, tenant)
    issued = one.issue(signing)
    leaf, *above = x509.load_pem_x509_certificates(issued.certificate.encode())
    assert leaf.public_key() == key.public_key() and not issued.key
    assert above == [MIDDLE.certificate]
    lives = leaf.not_valid_after_utc - leaf.not_valid_before_utc
    assert abs(lives.total_seconds() - LIFETIME_SECONDS) < 60
    assert one.known() == ""
    assert one.issuer() != authority(api, tenant, "stranger").issuer()
    assert left(api, tenant) == []
    assert one.issue(signing).certificate != issued.certificate


def test_what_a_killed_run_left_is_replaced_and_goes_with_the_workload(
    api: ApiServer, tenant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as killed:
        killed.setattr(cert_manager.Authority, "_remove", lambda *_: None)
        authority(api, tenant).issue(asked(tenant))
    assert left(api, tenant) == [ref_of(tenant).name]
    authority(api, tenant).issue(asked(tenant))
    assert left(api, tenant) == []
    with monkeypatch.context() as killed:
        killed.setattr(cert_manager.Authority, "_remove", lambda *_: None)
        authority(api, tenant).issue(asked(tenant))
    api.client().request("DELETE", Ref("ServiceAccount", tenant, "billing-app").path)
    wait_for("nothing to be left", lambda: left(api, tenant) == [], 60)


@pytest.mark.parametrize("name", ["another", "too many"])
def test_no_machine_is_signed_as_another(api: ApiServer, tenant: str, name: str) -> None:
    own = f"{SPIFFE}/ns/{tenant}/sa/billing-app"
    made = request(own + "x")[0] if name == "another" else request(own, own + "x")[0]
    with pytest.raises(IdentityError, match="nobody was asked to sign it"):
        authority(api, tenant).issue(made)
    assert left(api, tenant) == []


def test_what_another_authority_signed_is_refused(api: ApiServer, tenant: str) -> None:
    with pytest.raises(IdentityError, match="does not lead to a root of the mesh"):
        authority(api, tenant, "stranger").issue(asked(tenant))
    assert left(api, tenant) == []


def test_an_issuer_that_is_not_there_is_named(
    api: ApiServer, tenant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cert_manager, "SIGNED_SECONDS", 3)
    with pytest.raises(IdentityError, match=r'Pending: Referenced .*"nowhere" not found'):
        authority(api, tenant, "nowhere").issue(asked(tenant))
    assert left(api, tenant) == []


def test_a_denied_request_is_told(
    api: ApiServer, tenant: str, controller: subprocess.Popen[bytes]
) -> None:
    path = ref_of(tenant).path
    condition = {"type": "Denied", "status": "True", "reason": "Policy", "message": "not here"}

    def deny() -> None:
        client = api.client()
        wait_for("the request", lambda: client.find(path) is not None, 20)
        body = {"status": {"conditions": [condition]}}
        client.request("PATCH", path + "/status", body, content_type="application/merge-patch+json")

    denier = Thread(target=deny)
    with _asleep(controller):
        denier.start()
        with pytest.raises(IdentityError, match=r"machines of .* does not sign: Policy: not here"):
            authority(api, tenant).issue(asked(tenant))
        denier.join(30)
    assert left(api, tenant) == []


def test_nobody_answers(
    api: ApiServer,
    tenant: str,
    controller: subprocess.Popen[bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cert_manager, "SIGNED_SECONDS", 1)
    with _asleep(controller), pytest.raises(IdentityError, match="see whether cert-manager runs"):
        authority(api, tenant).issue(asked(tenant))
    assert left(api, tenant) == []


def test_without_rights_or_objects_the_fix_is_named(
    api: ApiServer, tenant: str, tmp_path: Path
) -> None:
    with pytest.raises(ClusterError, match=r"docs/controller-roles\.yaml"):
        authority(api, tenant, user="nobody").issue(asked(tenant))
    api.client().request("DELETE", Ref("ServiceAccount", tenant, "billing-app").path)
    with pytest.raises(ClusterError, match="run the tag cluster_objects first"):
        authority(api, tenant, user="admin").issue(asked(tenant))


def test_a_cluster_without_it_is_told(bare_api: ApiServer) -> None:
    with pytest.raises(ClusterError, match="Install cert-manager"):
        authority(bare_api, "default", user="admin").issue(asked("default"))


@contextmanager
def _asleep(process: subprocess.Popen[bytes]) -> Iterator[None]:
    process.send_signal(signal.SIGSTOP)
    time.sleep(0.1)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)
