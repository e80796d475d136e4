# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""A small client of the Kubernetes API: JSON over kept connections, several at a time."""

from __future__ import annotations

import base64
import http.client
import json
import socket
import ssl
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from ansible_collections.brownfield.mesh.plugins.module_utils.spec import Cluster
from ansible_collections.brownfield.mesh.plugins.plugin_utils.errors import ApiError, ClusterError
from ansible_collections.brownfield.mesh.plugins.plugin_utils.kubeconfig import Access, load

T = TypeVar("T")
R = TypeVar("R")

CONNECTIONS = 8
CONNECT_SECONDS = 10
ANSWER_SECONDS = 30
# The API server says 429 when it is busy; it means what it says about when to come back.
BUSY_ATTEMPTS = 5


class Client:
    """Speaks to one API server. Safe to use from several threads."""

    def __init__(self, access: Access) -> None:
        self.access = access
        self._url = urllib.parse.urlsplit(access.server)
        self._local = threading.local()
        self._pool = ThreadPoolExecutor(CONNECTIONS)

    @classmethod
    def of(cls, cluster: Cluster) -> Client:
        """The client for what the inventory says. Raises ClusterError."""
        return cls(load(cluster))

    def get(self, path: str, query: Mapping[str, str] | None = None) -> dict[str, Any]:
        """The object or list at ``path``. Raises ApiError (404: it is not there)."""
        return self.request("GET", path, query=query)

    def find(self, path: str, query: Mapping[str, str] | None = None) -> dict[str, Any] | None:
        """The object at ``path``, or None, also when its kind is unknown. Raises ApiError."""
        try:
            return self.get(path, query)
        except ApiError as error:
            if error.unknown_kind or (error.status == 404 and error.details):
                return None
            raise

    def items(self, path: str, query: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
        """What the list at ``path`` holds: nothing when its kind is unknown. Raises ApiError."""
        return list((self.find(path, query) or {}).get("items") or ())

    def request(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, str] | None = None,
        content_type: str = "application/json",
        accept: str = "application/json",
    ) -> dict[str, Any]:
        """Sends one request and returns the JSON object it answers. Raises ClusterError."""
        target = self._url.path + path + ("?" + urllib.parse.urlencode(query) if query else "")
        headers = {**self.access.headers, "Accept": accept, "User-Agent": "brownfield.mesh"}
        payload = None
        if body is not None:
            payload = json.dumps(body).encode()
            headers["Content-Type"] = content_type
        for attempt in range(1, BUSY_ATTEMPTS + 1):
            status, answer, wait = self._exchange(method, target, payload, headers)
            if status != 429 or attempt == BUSY_ATTEMPTS:
                break
            time.sleep(wait)
        return self._understand(status, answer)

    def each(self, function: Callable[[T], R], items: Iterable[T]) -> list[R]:
        """``function`` of every item, several at a time, in the order of the items."""
        return list(self._pool.map(function, items))

    def _exchange(
        self, method: str, target: str, payload: bytes | None, headers: Mapping[str, str]
    ) -> tuple[int, bytes, float]:
        """Status, body and the seconds to wait if the server was busy."""
        while True:
            connection: http.client.HTTPConnection | None = getattr(self._local, "kept", None)
            fresh = connection is None
            try:
                if connection is None:
                    connection = self._local.kept = self._connect()
                connection.request(method, target, payload, dict(headers))
                response = connection.getresponse()
                body = response.read()
                wait = response.headers.get("Retry-After", "")
                return response.status, body, min(float(wait) if wait.isdigit() else 1.0, 10.0)
            except (OSError, http.client.HTTPException) as error:
                self._local.kept = None
                if connection is not None:
                    connection.close()
                # A kept connection may have been closed meanwhile: once more, on a new one.
                if fresh:
                    raise ClusterError(self._unreachable(error)) from None

    def _connect(self) -> http.client.HTTPConnection:
        host = self._url.hostname or ""
        port = self._url.port or (443 if self.access.tls else 80)
        proxy = self._proxy(host)
        first = (proxy.hostname or "", proxy.port or 3128) if proxy else (host, port)
        connection: http.client.HTTPConnection
        if self.access.tls:
            name = self.access.server_name or host
            connection = _TlsConnection(*first, self.access.tls, name)
        else:
            connection = http.client.HTTPConnection(*first, timeout=CONNECT_SECONDS)
        if proxy:
            connection.set_tunnel(host, port, _proxy_headers(proxy))
        connection.connect()
        connection.sock.settimeout(ANSWER_SECONDS)
        return connection

    def _proxy(self, host: str) -> urllib.parse.SplitResult | None:
        configured = self.access.proxy
        if not configured and not urllib.request.proxy_bypass(host):
            configured = urllib.request.getproxies().get(self._url.scheme, "")
        if not configured:
            return None
        proxy = urllib.parse.urlsplit(configured)
        if proxy.scheme != "http":
            raise ClusterError(
                f"the proxy for the API server is not an http:// address but {proxy.scheme}://"
            )
        return proxy

    def _unreachable(self, error: Exception) -> str:
        where = f"the API server {self.access.server} (context {self.access.context!r})"
        if isinstance(error, ssl.SSLCertVerificationError):
            return (
                f"{where} does not prove its name: {error.verify_message};"
                " correct certificate-authority or tls-server-name in the kubeconfig"
            )
        if isinstance(error, socket.gaierror):
            return f"{where} is unknown: its name does not resolve; check server in the kubeconfig"
        if isinstance(error, ssl.SSLError):
            return f"{where} breaks the TLS handshake: {error.reason}; log in again"
        return (
            f"{where} cannot be reached: {error or type(error).__name__};"
            " check mesh.cluster, the network and the proxy settings"
        )

    def _understand(self, status: int, answer: bytes) -> dict[str, Any]:
        if status == 401:
            raise ClusterError(
                f"the API server {self.access.server} does not accept the credentials of context"
                f" {self.access.context!r}: they are missing or expired; log in again"
            )
        try:
            content = json.loads(answer)
        except ValueError:
            content = {}
        if not isinstance(content, dict):
            content = {}
        if 200 <= status < 300:
            return content
        text = str(content.get("message") or answer[:200].decode("utf-8", "replace")).strip()
        raise ApiError(status, text, content.get("details") or {})


class _TlsConnection(http.client.HTTPConnection):
    """TLS to the server by the name its certificate has, also through a proxy's tunnel."""

    def __init__(self, host: str, port: int, tls: ssl.SSLContext, name: str) -> None:
        super().__init__(host, port, timeout=CONNECT_SECONDS)
        self._tls = tls
        self._name = name

    def connect(self) -> None:
        super().connect()
        self.sock = self._tls.wrap_socket(self.sock, server_hostname=self._name)


def _proxy_headers(proxy: urllib.parse.SplitResult) -> dict[str, str]:
    if not proxy.username:
        return {}
    user = f"{urllib.parse.unquote(proxy.username)}:{urllib.parse.unquote(proxy.password or '')}"
    return {"Proxy-Authorization": "Basic " + base64.b64encode(user.encode()).decode()}
