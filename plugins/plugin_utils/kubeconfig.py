# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Reads kubeconfig files the way kubectl does, into what an HTTPS client needs.

The official client takes most of a second to import, which is more than all of our requests
together; the format (https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/) is small.
"""

from __future__ import annotations

import base64
import binascii
import os
import ssl
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.brownfield.mesh.plugins.module_utils.spec import Cluster
from ansible_collections.brownfield.mesh.plugins.plugin_utils.errors import ClusterError
from ansible_collections.brownfield.mesh.plugins.plugin_utils.exec_credential import (
    exec_credential,
)

IN_CLUSTER = Path("/var/run/secrets/kubernetes.io/serviceaccount")


@dataclass(frozen=True)
class Access:
    """How to speak to one API server. Its repr shows no credential."""

    server: str
    context: str
    headers: Mapping[str, str] = field(repr=False)
    tls: ssl.SSLContext | None = field(repr=False)
    server_name: str = ""
    proxy: str = field(default="", repr=False)


@dataclass(frozen=True)
class _Entry:
    """A named block of a kubeconfig file and the folder its relative paths start from."""

    content: Mapping[str, Any] = field(repr=False)
    folder: Path

    def text(self, key: str) -> str:
        return str(self.content.get(key) or "")

    def data(self, key: str) -> bytes:
        """The value of ``KEY-data`` (base64), else of the file that ``KEY`` names, else empty."""
        inline = self.text(f"{key}-data")
        if inline:
            try:
                return base64.b64decode(inline, validate=True)
            except (binascii.Error, ValueError):
                raise ClusterError(f"kubeconfig: {key}-data is not valid base64") from None
        path = self.text(key)
        return _read(self.folder / path, key) if path else b""


def load(cluster: Cluster) -> Access:
    """The access that ``cluster`` describes. Runs an exec plugin if the kubeconfig names one.

    An empty ``kubeconfig`` means, in this order: ``KUBECONFIG``, ``~/.kube/config``, the service
    account of the pod the controller runs in. Raises ClusterError.
    """
    paths = _paths(cluster)
    if not paths and not cluster.context and (IN_CLUSTER / "token").exists():
        return _in_cluster()
    if not paths:
        raise ClusterError(
            "no kubeconfig found: set mesh.cluster.kubeconfig to the path of one"
            " (or the environment variable KUBECONFIG)"
        )
    source = " and ".join(str(path) for path in paths)
    blocks, current = _merge(paths)
    name = cluster.context or current
    if not name:
        raise ClusterError(f"{source} has no current-context: set mesh.cluster.context")
    context = _find(blocks["contexts"], "context", name, source)
    server = _find(blocks["clusters"], "cluster", context.text("cluster"), source)
    user = context.text("user")
    return _access(name, server, _find(blocks["users"], "user", user, source) if user else None)


def _paths(cluster: Cluster) -> list[Path]:
    if cluster.kubeconfig:
        return [Path(cluster.kubeconfig).expanduser()]
    listed = [Path(part) for part in os.environ.get("KUBECONFIG", "").split(os.pathsep) if part]
    return [path for path in listed or [Path.home() / ".kube/config"] if path.exists()]


def _read(path: Path, what: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ClusterError(f"cannot read {what} {path}: {error.strerror}") from None


def _merge(paths: list[Path]) -> tuple[dict[str, dict[str, _Entry]], str]:
    """The blocks of all files by name, and the current context; the first file wins."""
    blocks: dict[str, dict[str, _Entry]] = {"clusters": {}, "contexts": {}, "users": {}}
    current = ""
    for path in paths:
        try:
            content = yaml.safe_load(_read(path, "the kubeconfig"))
        except (yaml.YAMLError, UnicodeDecodeError):
            content = None
        if not isinstance(content, dict) or not isinstance(content.get("clusters"), list):
            raise ClusterError(f"{path} is not a kubeconfig (YAML with clusters, contexts, users)")
        current = current or str(content.get("current-context") or "")
        for plural, found in blocks.items():
            for item in content.get(plural) or ():
                entry = _Entry(item.get(plural[:-1]) or {}, path.absolute().parent)
                found.setdefault(str(item.get("name")), entry)
    return blocks, current


def _find(entries: Mapping[str, _Entry], what: str, name: str, source: str) -> _Entry:
    if name not in entries:
        known = ", ".join(sorted(entries)) or "none"
        raise ClusterError(f"{source} has no {what} {name!r}; there are: {known}")
    return entries[name]


def _access(context: str, server: _Entry, user: _Entry | None) -> Access:
    url = server.text("server").rstrip("/")
    if not url.startswith(("https://", "http://")):
        raise ClusterError(f"context {context!r}: server {url!r} is not an https:// address")
    headers: dict[str, str] = {}
    certificate = key = b""
    if user:
        certificate, key = user.data("client-certificate"), user.data("client-key")
        token = user.text("token")
        if user.text("tokenFile"):
            token = _read(user.folder / user.text("tokenFile"), "tokenFile").decode().strip()
        plugin = user.content.get("exec")
        if plugin and not token:
            given = exec_credential(plugin, dict(server.content), user.folder)
            token = given.token
            certificate = given.certificate.encode() or certificate
            key = given.key.encode() or key
        if token:
            headers["Authorization"] = f"Bearer {token}"
        if user.text("as"):
            headers["Impersonate-User"] = user.text("as")
    return Access(
        server=url,
        context=context,
        headers=headers,
        tls=_tls(server, certificate, key) if url.startswith("https://") else None,
        server_name=server.text("tls-server-name"),
        proxy=server.text("proxy-url"),
    )


def _tls(server: _Entry, certificate: bytes, key: bytes) -> ssl.SSLContext:
    authority = server.data("certificate-authority").decode("ascii", "replace")
    try:
        tls = ssl.create_default_context(cadata=authority or None)
        # What Python 3.13 adds refuses authorities that kubectl accepts.
        tls.verify_flags &= ~ssl.VERIFY_X509_STRICT
        if server.content.get("insecure-skip-tls-verify"):
            tls.check_hostname = False
            tls.verify_mode = ssl.CERT_NONE
        if certificate:
            # OpenSSL reads keys from files only: one that nobody else can read, for a moment.
            with tempfile.NamedTemporaryFile() as file:
                file.write(certificate + b"\n" + key)
                file.flush()
                tls.load_cert_chain(file.name, password=lambda: "")
    except (ssl.SSLError, ValueError) as error:
        raise ClusterError(f"kubeconfig: a certificate or key is not usable: {error}") from None
    return tls


def _in_cluster() -> Access:
    host, port = (os.environ.get(f"KUBERNETES_SERVICE_{part}", "") for part in ("HOST", "PORT"))
    token = _read(IN_CLUSTER / "token", "the service account's token").decode().strip()
    server = _Entry({"certificate-authority": str(IN_CLUSTER / "ca.crt")}, IN_CLUSTER)
    return Access(
        server=f"https://{host}:{port or 443}",
        context="in-cluster",
        headers={"Authorization": f"Bearer {token}"},
        tls=_tls(server, b"", b""),
    )
