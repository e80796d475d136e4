"""The stand-in's sockets: HTTPS on loopback, tokens, faults, a log of requests."""

from __future__ import annotations

import base64
import json
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from tests.azure import certificate, shapes
from tests.azure.arm import ResourceManager, Response
from tests.azure.blob import SUFFIX, Blobs
from tests.azure.faults import Answer, Fault, Kind
from tests.azure.shapes import TENANT
from tests.azure.store import Store
from tests.azure.tunnel import Tunnel

CLIENT = "22222222-2222-4222-8222-222222222222"
SECRET = "of-no-worth"
MANAGED_IDENTITY = "/msi/token"
OBJECT = "33333333-3333-4333-8333-333333333333"
SUBSCRIPTIONS = (
    "00000000-0000-4000-8000-000000000001",
    "00000000-0000-4000-8000-000000000002",
    "00000000-0000-4000-8000-000000000003",
)
# OpenTofu's backend asks the public cloud's hosts, whatever the environment says.
PUBLIC = ("login.microsoftonline.com", "*.blob.core.windows.net")
TOKEN_SECONDS = 3600
STUCK_POLL_SECONDS = 0.5  # a client that was told to poll without delay does not spin


@dataclass(frozen=True)
class Request:
    """One request, as it was answered."""

    method: str
    path: str
    query: str
    status: int


class StandIn:
    """A running stand-in; a context manager. Nothing it answers has been near Azure."""

    subscription = SUBSCRIPTIONS[0]
    subscriptions = SUBSCRIPTIONS

    def __init__(self, folder: Path, port: int = 0) -> None:
        self.store = Store()
        self.blobs = Blobs()
        self.ca_file, context = certificate.make(folder, f"*.blob.{SUFFIX}", *PUBLIC)
        self._server = _Server(("127.0.0.1", port), context, self)
        self._tunnel = Tunnel(self._server.server_address[1])
        self.host = f"127.0.0.1:{self._server.server_address[1]}"
        self.url = f"https://{self.host}"
        self.manager = ResourceManager(self.store, self.url, SUBSCRIPTIONS)
        self._lock = threading.Lock()
        self._faults: list[Fault] = []
        self._requests: list[Request] = []
        self._threads = [
            threading.Thread(
                target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
            )
            for server in (self._server, self._tunnel)
        ]

    def __enter__(self) -> StandIn:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for server in (self._server, self._tunnel):
            server.shutdown()
            server.server_close()

    def environment(self) -> dict[str, str]:
        """What the azurerm provider and azure-identity need to come here instead of Azure.

        The credential is of no worth. Go's client is told not to wait between polls.
        """
        return {
            "ARM_METADATA_HOSTNAME": self.host,
            "ARM_TENANT_ID": TENANT,
            "ARM_SUBSCRIPTION_ID": self.subscription,
            "ARM_CLIENT_ID": CLIENT,
            "ARM_CLIENT_SECRET": SECRET,
            "ARM_USE_CLI": "false",
            "ARM_RESOURCE_PROVIDER_REGISTRATIONS": "none",
            "AZURE_AUTHORITY_HOST": self.url,
            "AZURE_TENANT_ID": TENANT,
            "AZURE_CLIENT_ID": CLIENT,
            "AZURE_CLIENT_SECRET": SECRET,
            "GO_AZURE_SDK_SKIP_POLLING_DELAY": "true",
            "REQUESTS_CA_BUNDLE": str(self.ca_file),
            "SSL_CERT_FILE": str(self.ca_file),
        }

    def backend_environment(self) -> dict[str, str]:
        """What the azurerm backend needs besides: it makes its account's host name itself."""
        return {
            **self.environment(),
            "HTTPS_PROXY": self._tunnel.url,
            "NO_PROXY": "127.0.0.1",
        }

    def fault(
        self, method: str, pattern: str, answer: Answer, *, times: int = 1, skip: int = 0
    ) -> Fault:
        """Let requests whose path and query match fail: ``times`` times, after ``skip`` of them."""
        fault = Fault(method, re.compile(pattern, re.IGNORECASE), answer, times, skip)
        with self._lock:
            self._faults.append(fault)
        return fault

    def clear_faults(self) -> None:
        """Forget all faults; operations that never ended end well."""
        with self._lock:
            self._faults.clear()
        self.manager.end_operations()

    @property
    def requests(self) -> list[Request]:
        """The requests so far, in the order of their answers."""
        with self._lock:
            return list(self._requests)

    def count(self, method: str, pattern: str = "") -> int:
        """How many requests of that method have a path that matches, without regard to case."""
        found = re.compile(pattern, re.IGNORECASE)
        return sum(r.method == method and bool(found.search(r.path)) for r in self.requests)

    def forget_requests(self) -> None:
        """Start the request log anew."""
        with self._lock:
            self._requests.clear()

    def delete(self, type: str, name: str) -> None:
        """Delete a resource behind everybody's back, as somebody in the portal would."""
        with self.store.lock:
            shapes.delete(self.store, self.store.find(type, name)["id"])

    def reset(self) -> None:
        """An empty subscription without faults and without history."""
        self.clear_faults()
        self.store.clear()
        self.blobs.clear()
        self.forget_requests()

    # Called by the handlers.

    def _fault_for(self, method: str, target: str) -> Answer | None:
        with self._lock:
            for fault in self._faults:
                if fault.strikes(method, target):
                    return fault.answer
        return None

    def _log(self, request: Request) -> None:
        with self._lock:
            self._requests.append(request)

    def _answer(
        self, method: str, target: str, headers: Any, body: bytes
    ) -> tuple[Response, Answer | None]:
        parts = urlsplit(target)
        fault = self._fault_for(method, unquote(target))
        if fault is not None and fault.kind is Kind.REFUSE:
            return Response(fault.status, fault.body, fault.headers), fault
        if (fixed := self._discovery(parts.path, headers["Host"])) is not None:
            return Response(200, fixed), fault
        if parts.path == MANAGED_IDENTITY:
            return self._managed_identity(headers), fault
        if not headers.get("Authorization", "").startswith("Bearer "):
            error = {"code": "AuthenticationFailed", "message": "Authentication failed."}
            return Response(401, {"error": error}), fault
        query = {
            "$skiptoken" if key.lower() == "$skiptoken" else key: value
            for key, value in parse_qsl(parts.query)
        }
        path = unquote(parts.path)
        if ".blob." in headers.get("Host", ""):
            key = headers["Host"] + path
            return self.blobs.answer(method, key, query, headers, body), fault
        document = json.loads(body) if body else {}
        in_operation = fault if fault and fault.kind in {Kind.OPERATION, Kind.STUCK} else None
        response = self.manager.answer(method, path, query, document, in_operation)
        if "/operations/" in path and path.rsplit("/", 1)[1] in self.manager.stuck_operations():
            time.sleep(STUCK_POLL_SECONDS)
        return response, fault

    def _managed_identity(self, headers: Any) -> Response:
        """A token as App Service's endpoint gives it to whoever knows the header."""
        if headers.get("X-IDENTITY-HEADER") != SECRET:
            return Response(401, {"statusCode": 401, "message": "Unauthorized"})
        token = {
            "access_token": _unsigned_token(self.url),
            "client_id": CLIENT,
            "expires_on": str(int(time.time()) + TOKEN_SECONDS),
            "resource": self.url,
            "token_type": "Bearer",
        }
        return Response(200, token)

    def _discovery(self, path: str, host: str) -> dict[str, Any] | None:
        """The documents that a client asks for before it has a token, and the token."""
        if path == "/metadata/endpoints":
            return {
                "name": "StandIn",
                "resourceManager": self.url,
                "microsoftGraphResourceId": self.url,
                "authentication": {
                    "loginEndpoint": self.url,
                    "audiences": [self.url],
                    "tenant": "common",
                    "identityProvider": "AAD",
                },
                "suffixes": {"storage": SUFFIX, "keyVaultDns": "vault.azure.net"},
            }
        if path == "/common/discovery/instance":
            clouds = [{"preferred_network": host, "preferred_cache": host, "aliases": [host]}]
            known = f"https://{host}/{TENANT}/v2.0/.well-known/openid-configuration"
            return {"tenant_discovery_endpoint": known, "metadata": clouds}
        if path.endswith("/.well-known/openid-configuration"):
            login = f"https://{host}/{TENANT}"
            return {
                "issuer": f"{login}/v2.0",
                "authorization_endpoint": f"{login}/oauth2/v2.0/authorize",
                "token_endpoint": f"{login}/oauth2/v2.0/token",
                "device_authorization_endpoint": f"{login}/oauth2/v2.0/devicecode",
            }
        if path.endswith(("/oauth2/v2.0/token", "/oauth2/token")):
            return {
                "token_type": "Bearer",
                "expires_in": TOKEN_SECONDS,
                "ext_expires_in": TOKEN_SECONDS,
                "access_token": _unsigned_token(self.url),
            }
        return None


def _unsigned_token(issuer: str) -> str:
    now = int(time.time())
    claims = {
        "aud": issuer,
        "iss": issuer,
        "iat": now,
        "nbf": now,
        "exp": now + TOKEN_SECONDS,
        "appid": CLIENT,
        "oid": OBJECT,
        "tid": TENANT,
        "idtyp": "app",
    }
    encoded = [
        base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()
        for part in ({"alg": "none", "typ": "JWT"}, claims)
    ]
    return ".".join([*encoded, "c2lnbmF0dXJl"])


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, where: tuple[str, int], context: ssl.SSLContext, owner: StandIn) -> None:
        super().__init__(where, _Handler)
        self.context = context
        self.owner = owner

    def get_request(self) -> tuple[socket.socket, Any]:
        """The handshake is made by the connection's own thread, so that none holds up the rest."""
        connection, client = super().get_request()
        return (
            self.context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False),
            client,
        )

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that was killed is no error of ours."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def log_message(self, format: str, *args: object) -> None:
        """Requests are in the stand-in's own log."""

    def _handle(self) -> None:
        owner = self.server.owner
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        response, fault = owner._answer(self.command, self.path, self.headers, body)
        parts = urlsplit(self.path)
        owner._log(Request(self.command, unquote(parts.path), parts.query, response.status))
        self._send(response, fault.kind if fault else None)

    def _send(self, response: Response, kind: Kind | None) -> None:
        content = response.content
        if response.body is not None:
            content = json.dumps(response.body).encode()
        sort = "application/json; charset=utf-8"
        if kind is Kind.MALFORMED:
            content, sort = b"<html><body>Service unavailable</body></html>", "text/html"
        half = content[: len(content) // 2]
        if kind is Kind.TRUNCATED:
            content = half
        self.send_response(response.status)
        for name, value in response.headers.items():
            self.send_header(name, value)
        if content and "Content-Type" not in response.headers:
            self.send_header("Content-Type", sort)
        if response.status != 204:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if kind is Kind.CUT:
            self.wfile.write(half)
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
        elif self.command != "HEAD":
            self.wfile.write(content)

    do_GET: Callable[[_Handler], None] = _handle
    do_HEAD = do_PUT = do_PATCH = do_POST = do_DELETE = do_GET
