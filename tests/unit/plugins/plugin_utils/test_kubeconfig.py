# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Kubeconfig files mean what they mean to kubectl, and every mistake in one is said."""

from __future__ import annotations

import base64
import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.brownfield.mesh.plugins.module_utils.spec import Cluster
from ansible_collections.brownfield.mesh.plugins.plugin_utils import kubeconfig
from ansible_collections.brownfield.mesh.plugins.plugin_utils.errors import ClusterError
from ansible_collections.brownfield.mesh.plugins.plugin_utils.kubeconfig import load
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

SECRET = "canary-7f3a"


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


def _content(user: dict[str, Any], **cluster: Any) -> dict[str, Any]:
    return {
        "clusters": [{"name": "c", "cluster": {"server": "https://192.0.2.1:6443", **cluster}}],
        "contexts": [{"name": "main", "context": {"cluster": "c", "user": "u"}}],
        "users": [{"name": "u", "user": user}],
        "current-context": "main",
    }


def _write(path: Path, content: object) -> Cluster:
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    return Cluster(kubeconfig=str(path))


def _certificate() -> tuple[bytes, bytes]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = datetime.datetime.now(datetime.timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    return (
        certificate.public_bytes(serialization.Encoding.PEM),
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
    )


def test_a_token(tmp_path: Path) -> None:
    access = load(_write(tmp_path / "config", _content({"token": SECRET})))
    assert access.server == "https://192.0.2.1:6443"
    assert access.headers == {"Authorization": f"Bearer {SECRET}"}
    assert SECRET not in repr(access)


def test_files_are_found_beside_the_kubeconfig(tmp_path: Path) -> None:
    certificate, key = _certificate()
    for name, content in (("ca.crt", certificate), ("me.crt", certificate), ("me.key", key)):
        (tmp_path / name).write_bytes(content)
    (tmp_path / "token").write_text(SECRET + "\n")
    user = {"client-certificate": "me.crt", "client-key": "me.key", "tokenFile": "token"}
    cluster = {"certificate-authority": "ca.crt", "tls-server-name": "api.example"}
    access = load(_write(tmp_path / "config", _content(user, **cluster)))
    assert access.headers == {"Authorization": f"Bearer {SECRET}"}
    assert access.server_name == "api.example"
    assert access.tls and access.tls.cert_store_stats()["x509"] == 1


def test_inline_certificates(tmp_path: Path) -> None:
    certificate, key = (base64.b64encode(part).decode() for part in _certificate())
    user = {"client-certificate-data": certificate, "client-key-data": key}
    load(_write(tmp_path / "config", _content(user, **{"certificate-authority-data": certificate})))


def _plugin(tmp_path: Path, script: str) -> dict[str, Any]:
    command = tmp_path / "login"
    command.write_text(f"#!/bin/sh\n{script}\n")
    command.chmod(0o755)
    return {
        "exec": {
            "apiVersion": "client.authentication.k8s.io/v1beta1",
            "command": "./login",
            "args": ["get-token", "--server-id"],
            "env": [{"name": "FLAVOUR", "value": "sweet"}],
            "provideClusterInfo": True,
            "installHint": "install kubelogin",
        }
    }


def test_an_exec_plugin_gives_the_token(tmp_path: Path) -> None:
    script = f"""[ "$1 $2 $FLAVOUR" = "get-token --server-id sweet" ] || exit 3
    echo "$KUBERNETES_EXEC_INFO" > {tmp_path}/info
    echo '{{"kind": "ExecCredential", "status": {{"token": "{SECRET}"}}}}'"""
    access = load(_write(tmp_path / "config", _content(_plugin(tmp_path, script))))
    assert access.headers == {"Authorization": f"Bearer {SECRET}"}
    info = yaml.safe_load((tmp_path / "info").read_text())
    assert info["apiVersion"] == "client.authentication.k8s.io/v1beta1"
    assert info["spec"]["cluster"]["server"] == "https://192.0.2.1:6443"


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("echo please log in >&2; exit 1", "failed .exit code 1.: please log in; log in by hand"),
        ("echo nonsense", "printed no ExecCredential"),
        ("echo '{\"status\": {}}'", "printed no ExecCredential"),
        ("echo '[]'", "printed no ExecCredential"),
    ],
)
def test_an_exec_plugin_that_fails_is_named(tmp_path: Path, script: str, message: str) -> None:
    with pytest.raises(ClusterError, match=message):
        load(_write(tmp_path / "config", _content(_plugin(tmp_path, script))))


def test_a_missing_exec_plugin_is_named(tmp_path: Path) -> None:
    user = _plugin(tmp_path, "")
    (tmp_path / "login").unlink()
    with pytest.raises(ClusterError, match=r"cannot be run: No such file.*; install kubelogin"):
        load(_write(tmp_path / "config", _content(user)))


def test_the_first_of_several_files_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _write(tmp_path / "a", {"clusters": [], "current-context": "main"})
    _write(tmp_path / "b", _content({"token": "b"}))
    _write(tmp_path / "c", _content({"token": "c"}))
    paths = [str(tmp_path / name) for name in ("missing", "a", "b", "c")]
    monkeypatch.setenv("KUBECONFIG", ":".join(paths))
    assert load(Cluster()).headers["Authorization"] == "Bearer b"


def test_the_home_folder_and_the_pod_are_the_last_resorts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kubeconfig, "IN_CLUSTER", tmp_path / "pod")
    with pytest.raises(ClusterError, match=r"set mesh\.cluster\.kubeconfig"):
        load(Cluster())
    (tmp_path / "pod").mkdir()
    (tmp_path / "pod/token").write_text("pod")
    (tmp_path / "pod/ca.crt").write_bytes(_certificate()[0])
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.96.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    assert load(Cluster()).server == "https://10.96.0.1:443"
    (tmp_path / ".kube").mkdir()
    _write(tmp_path / ".kube/config", _content({"token": "home"}))
    assert load(Cluster()).headers["Authorization"] == "Bearer home"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is not a kubeconfig"),
        ("[]", "is not a kubeconfig"),
        ({"clusters": []}, "has no current-context: set mesh.cluster.context"),
        ({**_content({}), "current-context": "x"}, "no context 'x'; there are: main"),
        ({**_content({}), "clusters": []}, "no cluster 'c'; there are: none"),
        ({**_content({}), "users": []}, "no user 'u'; there are: none"),
        (_content({"client-key-data": "%"}), "client-key-data is not valid base64"),
        (_content({"client-certificate": "gone"}), "cannot read client-certificate .*gone"),
        (_content({"tokenFile": "gone"}), "cannot read tokenFile .*gone"),
        (_content({}, **{"certificate-authority-data": "YWJj"}), "is not usable"),
        (_content({}, server="ftp://x"), "not an https:// address"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, content: object, message: str) -> None:
    with pytest.raises(ClusterError, match=message):
        load(_write(tmp_path / "config", content))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match=r"cannot read the kubeconfig .*gone: No such file"):
        load(Cluster(kubeconfig=str(tmp_path / "gone")))


def test_nothing_secret_stays_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    certificate, key = (base64.b64encode(part).decode() for part in _certificate())
    user = {"client-certificate-data": certificate, "client-key-data": key}
    load(_write(tmp_path / "config", _content(user)))
    assert list((tmp_path / "tmp").iterdir()) == []
