# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""A bridge's calls to what lies outside of the mesh: what the egress gateway sees of them, and whom
the bridge takes for the gateway.

The gateway is played by a server that ends mutual TLS. The real one is in the scenario ``egress``.
"""

from __future__ import annotations

import socket
import ssl
import tempfile
import threading
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from ansible_collections.brownfield.mesh.plugins.module_utils.bridge.state import WantedIdentity
from ansible_collections.brownfield.mesh.plugins.module_utils.egress import (
    Egress,
    EgressGateway,
    ExternalService,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.spec import Call
from ansible_collections.brownfield.mesh.plugins.plugin_utils import bridge_envoy

from tests.support.bridge import Pair, issue, pem
from tests.support.egress import BRIDGE, BRIDGED, GATEWAY_ID, LEDGER, PARTNER, WEB
from tests.support.envoys import SECONDS, Proxy, free_port, until

ROOT = issue(authority=True)
OWN_ID = BRIDGED.spiffe_id("cluster.local")
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@dataclass(frozen=True)
class Seen:
    """What the gateway saw of one connection."""

    server_name: str
    protocol: str | None
    caller: str
    serial: str
    content: bytes


class Gateway:
    """It ends mutual TLS, and answers HTTP to whatever comes; ``pair`` is its certificate."""

    def __init__(self, folder: Path, stack: ExitStack, pair: Pair) -> None:
        self.seen: list[Seen] = []
        self._names: dict[int, str] = {}
        self._server = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        self.port = int(self._server.getsockname()[1])
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(*pair.write(folder, "gateway"))
        self._context.load_verify_locations(cadata=pem(ROOT.certificate))
        self._context.verify_mode = ssl.CERT_REQUIRED
        self._context.set_alpn_protocols(["h2", "http/1.1"])
        self._context.sni_callback = self._remember
        threading.Thread(target=self._serve, daemon=True).start()

    def _remember(self, connection: ssl.SSLObject, name: str | None, _: object) -> None:
        self._names[id(connection)] = name or ""

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._server.accept()
                threading.Thread(target=self._answer, args=[connection], daemon=True).start()

    def _answer(self, plain: socket.socket) -> None:
        # A handshake that the other side breaks off is an OSError, too.
        with suppress(OSError), self._context.wrap_socket(plain, server_side=True) as connection:
            connection.settimeout(SECONDS)
            content = connection.recv(4096)
            certificate = connection.getpeercert() or {}
            names = dict(certificate["subjectAltName"])  # type: ignore[arg-type]
            self.seen.append(
                Seen(
                    self._names[id(connection)],
                    connection.selected_alpn_protocol(),
                    names["URI"],
                    str(certificate["serialNumber"]).lstrip("0").lower(),
                    content,
                )
            )
            connection.sendall(ANSWER)


@dataclass
class Way:
    """A bridge that runs, and the gateway; the services are those of ``EGRESS``, by host."""

    bridge: Proxy
    gateway: Gateway
    services: dict[str, ExternalService]

    def call(self, host: str, content: bytes) -> bytes:
        """What comes back for ``content``, sent to the service as an application would."""
        address = bridge_envoy.loopback_addresses([host])[host]
        with socket.create_connection((address, self.services[host].port), SECONDS) as connection:
            connection.sendall(content)
            with suppress(ConnectionResetError):
                return connection.recv(4096)
        return b""


def opened(stack: ExitStack, gateway_id: str = GATEWAY_ID, root: Pair = ROOT) -> Way:
    """A bridge that calls an external service of each kind, at ports that are free."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mesh")))
    gateway = Gateway(folder, stack, issue(root, gateway_id))
    services = tuple(replace(one, port=free_port()) for one in (PARTNER, LEDGER, WEB))
    egress = Egress(gateway=EgressGateway(port=gateway.port), services=services)
    machine = replace(BRIDGE, mesh=replace(BRIDGE.mesh, egress=egress))
    calls = tuple(Call(one.port, external=one.host) for one in services)
    wanted = WantedIdentity(OWN_ID, pem(ROOT.certificate))
    bridge = Proxy(folder / "b", machine, replace(BRIDGED, calls=calls), wanted)
    bridge.give(issue(ROOT, OWN_ID))
    bridge.start("127.0.0.1", stack)
    return Way(bridge, gateway, {one.host: one for one in services})


def client_hello(name: str) -> bytes:
    """The first bytes of an application that speaks TLS itself."""
    outgoing = ssl.MemoryBIO()
    talk = ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=name)
    with suppress(ssl.SSLWantReadError):
        talk.do_handshake()
    return outgoing.read()


@pytest.mark.parametrize(
    ("host", "content", "protocol"),
    [
        (PARTNER.host, b"GET /a HTTP/1.1\r\nHost: api.partner.example\r\n\r\n", "http/1.1"),
        (LEDGER.host, b"\x00\x01 whatever", None),
        (WEB.host, client_hello(WEB.host), None),
    ],
)
def test_the_gateway_is_told_the_service_and_the_machines_identity(
    stack: ExitStack, host: str, content: bytes, protocol: str | None
) -> None:
    way = opened(stack)
    assert way.call(host, content).startswith(b"HTTP/1.1 200 OK")
    (seen,) = way.gateway.seen
    assert (seen.server_name, seen.caller, seen.protocol) == (host, OWN_ID, protocol)
    if protocol is None:
        assert seen.content == content
    else:
        first, *headers = seen.content.split(b"\r\n")
        assert first == b"GET /a HTTP/1.1"
        assert b"host: api.partner.example" in headers


@pytest.mark.parametrize(
    ("gateway_id", "root", "counter"),
    [
        (GATEWAY_ID + "s", ROOT, "fail_verify_san"),
        ("spiffe://other.example/ns/istio-egress/sa/istio-egressgateway", ROOT, "fail_verify_san"),
        (GATEWAY_ID, issue(authority=True), "fail_verify_error"),
    ],
)
def test_nobody_else_is_taken_for_the_gateway(
    stack: ExitStack, gateway_id: str, root: Pair, counter: str
) -> None:
    way = opened(stack, gateway_id, root)
    assert way.call(LEDGER.host, b"secret") == b""
    answer = way.call(PARTNER.host, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert way.gateway.seen == []
    (failed,) = way.bridge.stats("outward.*ledger.*ssl[.]%s$" % counter).values()
    assert failed == 1


def test_a_new_certificate_is_shown_without_a_restart(stack: ExitStack) -> None:
    way = opened(stack)
    new = issue(ROOT, OWN_ID)
    way.call(LEDGER.host, b"before")
    way.bridge.give(new)

    def shown() -> bool:
        way.call(LEDGER.host, b"after")
        return way.gateway.seen[-1].serial == "%x" % new.certificate.serial_number

    until(shown, way.bridge.log)
    assert way.gateway.seen[0].serial != way.gateway.seen[-1].serial
