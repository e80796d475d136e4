# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Certificates are revoked while two real Envoys talk, in either direction."""

from __future__ import annotations

import json
import socket
import ssl
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.brownfield.mesh.plugins.module_utils import spec
from ansible_collections.brownfield.mesh.plugins.module_utils.bridge import renew
from ansible_collections.brownfield.mesh.plugins.module_utils.bridge.state import (
    IDENTITY_FILE,
    Revocation,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.desired import File, MachineError
from ansible_collections.brownfield.mesh.plugins.module_utils.spec import to_data
from ansible_collections.brownfield.mesh.plugins.plugin_utils import bridge_envoy, bridge_tls

from tests.support.bridge import Pair, issue, pem, revocation_list
from tests.support.envoys import CALLED, CALLER, SECONDS, Proxy, Two, two, until

ROOT = issue(authority=True)
MACHINES = issue(ROOT, authority=True)  # whose list it is; the root above it has none
ISTIOD = issue(authority=True)  # which has none either
ROOTS = pem(ROOT.certificate) + pem(ISTIOD.certificate)
OF_CALLER, OF_CALLED = issue(MACHINES, CALLER), issue(MACHINES, CALLED)
Start = Callable[..., Two]


@pytest.fixture
def start(stack: ExitStack) -> Start:
    """Two bridges that serve, each with what the other has as a bridge, and without lists yet."""

    def made(peers: str = "bridges", when_stale: str = "refuse", bridges: bool = True) -> Two:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mesh")))
        asked = spec.Revocation(peers=peers, when_stale=when_stale)
        pair = two(folder, stack, spec.Bridge(revocation=asked))
        server, client = pair.server, pair.client
        known = (CALLER, CALLED) if bridges else ()
        for proxy in (server, client):
            proxy.machine = replace(proxy.machine, bridges=known)
        for proxy, own in ((client, OF_CALLER), (server, OF_CALLED)):
            of = own if bridges else issue(ISTIOD, proxy.identity.spiffe_id)
            proxy.give(of, MACHINES, roots=ROOTS, revocation=Revocation("", when_stale))
        pair.start(stack)
        assert pair.call()
        return pair

    return made


def lists(proxy: Proxy, *texts: str) -> None:
    """The machine has these lists from now on."""
    assert proxy.identity.revocation is not None
    proxy.give(revocation=replace(proxy.identity.revocation, lists="".join(texts)))


def until_in_use(pair: Two, works: bool) -> None:
    until(lambda: pair.call() is works, pair.server.log + pair.client.log)


def test_a_revoked_caller_is_refused_and_what_is_open_stays(start: Start) -> None:
    pair = start()
    lists(pair.server, revocation_list(MACHINES))
    with socket.create_connection(pair.entry, SECONDS) as early:
        early.sendall(b"early")
        assert early.recv(64) == b"early"
        lists(pair.server, revocation_list(MACHINES, [OF_CALLER], number=2))
        until_in_use(pair, works=False)
        assert not pair.call()
        # As Envoy does with any change of what it trusts; the page on certificates says so.
        early.sendall(b"still")
        assert early.recv(64) == b"still"
    until(lambda: "certificate_revoked" in pair.server.log, pair.server.log)
    # It gets another certificate, and is let in again with the same list.
    pair.client.give(issue(MACHINES, CALLER), MACHINES)
    until_in_use(pair, works=True)


def test_a_revoked_callee_is_not_called(start: Start) -> None:
    pair = start()
    lists(pair.client, revocation_list(MACHINES, [OF_CALLED]))
    until_in_use(pair, works=False)
    pair.server.give(issue(MACHINES, CALLED), MACHINES)
    until_in_use(pair, works=True)


@pytest.mark.parametrize("side", ["client", "server"])
def test_where_all_are_looked_for_an_authority_without_a_list_is_refused(
    start: Start, side: str
) -> None:
    pair = start(peers="all", bridges=False)
    lists(getattr(pair, side), revocation_list(MACHINES))
    until_in_use(pair, works=False)
    lists(getattr(pair, side), revocation_list(MACHINES), revocation_list(ISTIOD))
    until_in_use(pair, works=True)


@pytest.mark.parametrize("side", ["client", "server"])
def test_others_than_bridges_need_no_list(start: Start, side: str) -> None:
    pair = start(bridges=False)
    proxy: Proxy = getattr(pair, side)
    lists(proxy, revocation_list(MACHINES))
    until(lambda: in_use(proxy), proxy.log)
    assert pair.call()


def in_use(proxy: Proxy) -> bool:
    """Whether Envoy has read the secrets anew."""
    return sum(proxy.stats(r"sds\..*update_success").values()) > 0


def test_a_revoked_bridge_cannot_pass_for_something_else(start: Start) -> None:
    """It does not say that it is a bridge: then its name is not one of those let in there."""
    pair = start()
    lists(pair.server, revocation_list(MACHINES, [OF_CALLER]))
    until_in_use(pair, works=False)
    for says, of_caller, of_another in (([], False, False), (["istio"], False, False),
                                        ([bridge_tls.FROM_BRIDGE], False, True)):  # fmt: skip
        for own, expected in ((OF_CALLER, of_caller), (issue(MACHINES, CALLER), of_another)):
            context = program(pair, own)
            context.set_alpn_protocols(says)
            assert answered(pair, context) is expected, (says, own is OF_CALLER)


def program(pair: Two, own: Pair) -> ssl.SSLContext:
    """A caller of no collection's, with a certificate of the mesh."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.load_cert_chain(*own.write(pair.client.folder, "other", MACHINES))
    return context


def answered(pair: Two, context: ssl.SSLContext) -> bool:
    """Whether the application answers that caller."""
    name = bridge_envoy.server_name(pair.server.workload.service_host, pair.application.port)
    with ExitStack() as stack, suppress(OSError):
        connection = stack.enter_context(socket.create_connection(pair.address, SECONDS))
        tls = stack.enter_context(context.wrap_socket(connection, server_hostname=name))
        tls.sendall(b"hello")
        return tls.recv(64) == b"hello"
    return False


def look(proxy: Proxy, now: float) -> str:
    """What the machine's timer does at that time."""
    content = json.dumps(to_data(proxy.identity))
    proxy.box.host.write(File(IDENTITY_FILE, content, 0o644))
    return renew.update(proxy.box.host, now)


def test_a_list_that_is_over_refuses_everybody_until_there_is_another(start: Start) -> None:
    pair = start()
    lists(pair.server, revocation_list(MACHINES, lives=2))
    until_in_use(pair, works=False)
    with pytest.raises(MachineError, match=r"was over 20.*all peers of its authority are refused"):
        look(pair.server, time.time())
    lists(pair.server, revocation_list(MACHINES, number=2))
    until_in_use(pair, works=True)
    assert look(pair.server, time.time()) == ""


def test_a_list_that_is_over_is_ignored_by_choice(start: Start) -> None:
    pair = start(when_stale="ignore")
    over = time.time() + 3
    lists(pair.server, revocation_list(MACHINES, [OF_CALLER], lives=3))
    until_in_use(pair, works=False)
    until(lambda: time.time() > over, "the clock stands still")
    with pytest.raises(MachineError, match=r"other .* in use now; .*no list is looked at"):
        look(pair.server, time.time())
    until_in_use(pair, works=True)
    lists(pair.server, revocation_list(MACHINES, [OF_CALLER], number=2))
    until_in_use(pair, works=False)


def test_a_list_of_another_authority_of_that_name_is_none(start: Start) -> None:
    pair = start()
    namesake = issue(authority=True)
    lists(pair.server, revocation_list(namesake, [OF_CALLER]), revocation_list(MACHINES))
    until(lambda: in_use(pair.server), pair.server.log)
    assert pair.call()


def test_nothing_older_comes_into_use(start: Start) -> None:
    pair = start()
    lists(pair.server, revocation_list(MACHINES, [OF_CALLER], number=2))
    until_in_use(pair, works=False)
    with pytest.raises(MachineError, match=r"the list 2 of authority .*older one, the list 1 "):
        lists(pair.server, revocation_list(MACHINES, number=1))
    assert not pair.call()
