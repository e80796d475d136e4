# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Who is refused at a bridge's inward listener, and why: each way, port and address family.

A refusal counts only while the caller on the list is served before and after it, and when Envoy
counts it for the reason that is expected; the application must not have seen it.
"""

from __future__ import annotations

import socket
import ssl
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.brownfield.mesh.plugins.module_utils.spec import Port
from ansible_collections.brownfield.mesh.plugins.plugin_utils import bridge_envoy
from cryptography.hazmat.primitives.asymmetric import ec

from tests.support.bridge import Pair, Usage, issue, pem
from tests.support.envoys import CALLED, CALLER, SECONDS, Application, Proxy, two, until
from tests.support.load import REQUEST, WebServer
from tests.support.tls import context

ROOT, OTHER_ROOT = issue(authority=True), issue(authority=True)
ALLOWED = issue(ROOT, CALLER)
FAMILIES = {"IPv4": "127.0.0.1", "IPv6": "::1"}
PORTS = ("http", "tcp")
NO_CHAIN = "listener.inward.no_filter_chain_match"
NO_CERTIFICATE = "listener.inward.ssl.fail_verify_no_cert"
UNTRUSTED = "listener.inward.ssl.fail_verify_error"
OTHER_NAME = "listener.inward.ssl.fail_verify_san"
PROTOCOL = "listener.inward.ssl.connection_error"
BY_POLICY = "http.inward.rbac.denied"


@dataclass(frozen=True)
class Attempt:
    """One way to call, and the counter of Envoy that says why it is refused (at a TCP port
    ``tcp`` when that differs). ``name`` is a server name other than the right one."""

    counter: str
    context: Callable[[], ssl.SSLContext] | None = None
    name: str | None = ""
    tcp: str = ""
    says: bytes = REQUEST


def of(pair: Pair) -> Callable[[], ssl.SSLContext]:
    return lambda: context(pair)


def speaks(version: ssl.TLSVersion) -> Callable[[], ssl.SSLContext]:
    return lambda: context(ALLOWED, version=version)


def named(name: str, **more: object) -> Callable[[], ssl.SSLContext]:
    return lambda: context(issue(ROOT, name, **more))  # type: ignore[arg-type]


MEMBER = "spiffe://cluster.local/ns/batch/sa/legacy-batch"
ATTEMPTS = {
    "plaintext HTTP": Attempt(NO_CHAIN),
    "plaintext TCP": Attempt(NO_CHAIN, says=b"\x00\x00\x00\x08\x04\xd2\x16\x2f"),
    "no certificate": Attempt(NO_CERTIFICATE, context),
    "another authority": Attempt(UNTRUSTED, of(issue(OTHER_ROOT, CALLER))),
    "self-signed": Attempt(UNTRUSTED, of(issue(None, CALLER))),
    "signed by a certificate that is no authority": Attempt(
        UNTRUSTED, lambda: context(issue(ALLOWED, CALLER), ALLOWED)
    ),
    "expired": Attempt(UNTRUSTED, of(issue(ROOT, CALLER, begins=-7200, lives=-60))),
    "not yet valid": Attempt(UNTRUSTED, of(issue(ROOT, CALLER, begins=3600, lives=7200))),
    "for servers only": Attempt(UNTRUSTED, of(issue(ROOT, CALLER, usages=(Usage.SERVER_AUTH,)))),
    "a member that is not on the list": Attempt(BY_POLICY, named(MEMBER), tcp=OTHER_NAME),
    "a name that begins like one on the list": Attempt(
        BY_POLICY, named(CALLER + "-2"), tcp=OTHER_NAME
    ),
    "another trust domain": Attempt(
        OTHER_NAME, named(CALLER.replace("cluster.local", "other.example"))
    ),
    "a trust domain that begins like ours": Attempt(
        OTHER_NAME, named(CALLER.replace("cluster.local", "cluster.local.example"))
    ),
    "no name": Attempt(OTHER_NAME, named("")),
    "a name that is no SPIFFE ID": Attempt(OTHER_NAME, named("https://cluster.local/ns/shop")),
    "TLS 1.0": Attempt(PROTOCOL, speaks(ssl.TLSVersion.TLSv1)),
    "TLS 1.1": Attempt(PROTOCOL, speaks(ssl.TLSVersion.TLSv1_1)),
    "TLS 1.2": Attempt(PROTOCOL, speaks(ssl.TLSVersion.TLSv1_2)),
    # It has nothing to sign with, so it shows none.
    "an RSA key of 1024 bits": Attempt(NO_CERTIFICATE, named(CALLER, bits=1024)),
    "no server name": Attempt(NO_CHAIN, of(ALLOWED), name=None),
    "another server name": Attempt(NO_CHAIN, of(ALLOWED), name="billing.finance.svc.cluster.local"),
    "a port that is not served": Attempt(
        NO_CHAIN, of(ALLOWED), name="outbound_.22_._.billing.finance.svc.cluster.local"
    ),
}
# Nothing in Envoy's configuration refuses these: an authority of the mesh must not sign them.
LEFT_TO_THE_AUTHORITY = {
    "a short RSA key": named(CALLER, bits=1536),
    "a second name": named(CALLER, more=(MEMBER,)),
}


@dataclass
class Bridge:
    """A bridge with two ports, of one family."""

    proxy: Proxy
    where: tuple[str, int]
    applications: dict[str, Application | WebServer]

    def name(self, port: str) -> str:
        """The right server name."""
        number = self.applications[port].port
        return bridge_envoy.server_name(self.proxy.workload.service_host, number)

    def try_it(self, made: ssl.SSLContext | None, name: str | None, says: bytes) -> str:
        """How a call ends: ``allowed``, ``403``, or ``closed``."""
        with socket.create_connection(self.where, SECONDS) as plain, suppress(OSError):
            connection = made.wrap_socket(plain, server_hostname=name) if made else plain
            with connection:
                connection.sendall(says)
                answer = connection.recv(4096)
            if answer.startswith(b"HTTP/1.1 403 "):
                return "403"
            return "allowed" if answer else "closed"
        return "closed"

    def serves(self, port: str) -> bool:
        """Whether the caller on the list is served."""
        return self.try_it(context(ALLOWED), self.name(port), REQUEST) == "allowed"


@pytest.fixture(scope="module")
def bridges() -> Iterator[dict[str, Bridge]]:
    """One for each family."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mesh")))
        made = {}
        for number, (family, address) in enumerate(FAMILIES.items()):
            below = folder / str(number)
            below.mkdir()
            pair = two(below, stack)
            web, echo = WebServer(stack), pair.application
            proxy = pair.server
            ports = (Port("http", web.port), Port("tcp", echo.port))
            proxy.workload = replace(proxy.workload, ports=ports)
            proxy.machine = replace(proxy.machine, address=address)
            proxy.give(issue(ROOT, CALLED), roots=pem(ROOT.certificate))
            proxy.start("", stack)
            where = (address, proxy.machine.mesh.bridge.port)
            made[family] = Bridge(proxy, where, {"http": web, "tcp": echo})
        yield made


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("port", PORTS)
@pytest.mark.parametrize("way", ATTEMPTS)
def test_refused(bridges: dict[str, Bridge], way: str, port: str, family: str) -> None:
    attempt, bridge = ATTEMPTS[way], bridges[family]
    assert bridge.serves(port)
    counter = attempt.tcp if port == "tcp" and attempt.tcp else attempt.counter
    counted = bridge.proxy.stats(counter).get(counter, 0)
    came = {name: one.came for name, one in bridge.applications.items()}
    made = attempt.context() if attempt.context else None
    name = bridge.name(port) if attempt.name == "" else attempt.name
    ended = bridge.try_it(made, name, attempt.says)
    assert ended == ("403" if counter == BY_POLICY else "closed")
    until(lambda: bridge.proxy.stats(counter).get(counter, 0) == counted + 1, "not counted")
    assert {name: one.came for name, one in bridge.applications.items()} == came
    assert bridge.serves(port)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("key", [{"bits": 2048}, {"curve": ec.SECP384R1}, {"curve": ec.SECP521R1}])
def test_usual_keys_are_taken(bridges: dict[str, Bridge], key: dict[str, Any], family: str) -> None:
    curve = key.get("curve")
    made = ec.generate_private_key(curve()) if curve else None
    pair = issue(ROOT, CALLER, key=made, bits=key.get("bits", 0))
    bridge = bridges[family]
    assert bridge.try_it(context(pair), bridge.name("http"), REQUEST) == "allowed"


def test_there_are_enough_of_them() -> None:
    assert len(ATTEMPTS) * len(PORTS) * len(FAMILIES) >= 60


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("port", PORTS)
@pytest.mark.parametrize("way", LEFT_TO_THE_AUTHORITY)
def test_what_is_left_to_the_authority(
    bridges: dict[str, Bridge], way: str, port: str, family: str
) -> None:
    """As docs/security.md says. When Envoy refuses one of these some day, it moves up there."""
    bridge = bridges[family]
    made = LEFT_TO_THE_AUTHORITY[way]()
    assert bridge.try_it(made, bridge.name(port), REQUEST) == "allowed"
