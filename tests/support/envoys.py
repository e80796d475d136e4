# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Bridges that run: a real Envoy each, with the files that a join leaves, below a folder."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ansible_collections.brownfield.mesh.plugins.module_utils.bridge import credentials
from ansible_collections.brownfield.mesh.plugins.module_utils.bridge.state import (
    ADMIN_SOCKET,
    CONFIG,
    IDENTITIES,
    RUNTIME,
    STATE,
    WantedIdentity,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.bridge.supervisor import (
    UnixConnection,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.spec import (
    AllowRule,
    Bridge,
    Call,
    Gateway,
    Machine,
    Mesh,
    Port,
    Workload,
)
from ansible_collections.brownfield.mesh.plugins.plugin_utils import bridge_envoy, bridge_tls

from lab import tools
from tests.support.bridge import Box, Pair, pem

SECONDS = 20
CALLER = "spiffe://cluster.local/ns/shop/sa/shop-api"
CALLED = "spiffe://cluster.local/ns/finance/sa/billing-app"


def free_port() -> int:
    """A port of 127.0.0.1 that nobody has."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def until(holds: Callable[[], Any], what: str) -> None:
    """Wait until it ``holds``. Raises AssertionError."""
    end = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < end, what
        time.sleep(0.01)


@dataclass
class Proxy:
    """One machine's Envoy. ``folder`` must have a short name: a socket lies in it."""

    folder: Path
    machine: Machine
    workload: Workload
    identity: WantedIdentity
    process: subprocess.Popen[bytes] | None = None
    box: Box = field(init=False)

    def __post_init__(self) -> None:
        os.umask(0o022)
        self.folder.mkdir()
        self.box = Box(self.folder)
        for path in (CONFIG, RUNTIME, IDENTITIES):
            self.box.path(path).mkdir(parents=True, exist_ok=True)

    def give(self, pair: Pair | None = None, *above: Pair, **wanted: Any) -> None:
        """Another certificate, other roots: what is ``wanted`` differs from then on."""
        self.identity = replace(self.identity, **wanted)
        chain = "".join(pem(one.certificate) for one in ((pair, *above) if pair else ()))
        credentials.install(self.box.host, self.identity, chain, pem(pair.key) if pair else "")

    def start(self, gateway: str, stack: ExitStack) -> None:
        """Returns when it serves. ``gateway`` is the egress gateway's address, too."""
        config = bridge_envoy.bootstrap(self.machine, self.workload, gateway, egress=gateway)
        for path, content in bridge_tls.secrets().items():
            self.box.path(path).write_text(self._here(content))
        file = self.box.path(CONFIG + "/envoy.json")
        file.write_text(self._here(config))
        log = stack.enter_context((self.folder / "log").open("wb"))
        command = [str(tools.envoy()), "--config-path", str(file), "--log-level", "warning"]
        self.process = subprocess.Popen(
            [*command, "--disable-hot-restart", "--concurrency", "1"], stdout=log, stderr=log
        )
        stack.callback(self.stop)
        until(lambda: '"LIVE"' in self.ask("/server_info"), self.log)

    def stop(self) -> None:
        """End it."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(SECONDS)
            self.process = None

    @property
    def log(self) -> str:
        """What it wrote, access log included."""
        return (self.folder / "log").read_text()

    def ask(self, path: str) -> str:
        """What its administration answers, or ''."""
        connection = UnixConnection(str(self.box.path(ADMIN_SOCKET)))
        with suppress(OSError, http.client.HTTPException):
            connection.request("GET", path)
            return connection.getresponse().read().decode()
        return ""

    def stats(self, words: str) -> dict[str, int]:
        """Counters whose names hold ``words`` (a regular expression)."""
        found = json.loads(self.ask("/stats?format=json&filter=" + words))["stats"]
        return {item["name"]: item["value"] for item in found if "value" in item}

    def _here(self, content: Any) -> str:
        text = json.dumps(content)
        for path in (CONFIG, STATE, RUNTIME):
            text = text.replace('"' + path, '"%s' % self.box.path(path))
        return text


class Application:
    """A server that sends back what it gets, and counts who came."""

    def __init__(self, stack: ExitStack) -> None:
        self.server = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=1024))
        self.port = int(self.server.getsockname()[1])
        self.came = 0
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self.server.accept()
                self.came += 1
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=self._answer, args=[connection], daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            while content := connection.recv(4096):
                connection.sendall(content)


@dataclass
class Two:
    """A bridge that calls (``client``) and one that is called (``server``), neither running yet.

    ``entry`` is where an application calls, ``address`` the server's inward listener.
    """

    client: Proxy
    server: Proxy
    application: Application
    entry: tuple[str, int]
    address: tuple[str, int]

    def call(self) -> bool:
        """One call over a connection of its own: whether the application answered."""
        with suppress(OSError), socket.create_connection(self.entry, SECONDS) as connection:
            connection.sendall(b"hello")
            return connection.recv(64) == b"hello"
        return False

    def start(self, stack: ExitStack) -> None:
        """Both serve when it returns."""
        self.server.start("", stack)
        self.client.start("127.0.0.1", stack)


def two(
    folder: Path,
    stack: ExitStack,
    bridge: Bridge | None = None,
    protocol: str = "tcp",
    serving: int = 0,
) -> Two:
    """A client that may call the server's only port; with plain TCP each call is a handshake.

    ``serving`` is the port of an application that is there already, instead of one that echoes.
    """
    application = Application(stack)
    port = serving or application.port
    inward = replace(bridge or Bridge(), port=free_port())
    called = Workload(
        name="billing",
        namespace="finance",
        service_account="billing-app",
        mode="bridge",
        ports=(Port(protocol, port),),
        callers=(AllowRule("shop", "shop-api"),),
    )
    call = Call(port, host="billing.finance", service_account="billing-app", protocol=protocol)
    caller = Workload(
        name="shop-api", namespace="shop", service_account="shop-api", mode="bridge", calls=(call,)
    )
    server = Machine("billing-1", called.key, "127.0.0.1", mode="bridge", mesh=Mesh(bridge=inward))
    client = Machine(
        "shop-1",
        caller.key,
        "127.0.0.1",
        mode="bridge",
        mesh=Mesh(bridge=inward, gateway=Gateway(port=inward.port)),
    )
    entry = bridge_envoy.loopback_addresses([call.fqdn])[call.fqdn]
    return Two(
        Proxy(folder / "c", client, caller, WantedIdentity(CALLER, "")),
        Proxy(folder / "s", server, called, WantedIdentity(CALLED, "")),
        application,
        (entry, port),
        ("127.0.0.1", inward.port),
    )
