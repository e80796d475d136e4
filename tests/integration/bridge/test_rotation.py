# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""The mesh's root changes from A over both to B, under load, and no handshake fails."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest
from ansible_collections.brownfield.mesh.plugins.module_utils import identity
from ansible_collections.brownfield.mesh.plugins.module_utils.bridge.state import CERTIFICATE

from tests.support.bridge import Pair, issue, pem
from tests.support.envoys import CALLED, CALLER, Proxy, Two, until

# Of the same name, as two authorities of one mesh often are.
A, B = issue(authority=True), issue(authority=True)
MIDDLE = issue(B, authority=True)
OLD, BOTH, NEW = (
    "".join(pem(root.certificate) for root in roots) for roots in ((A,), (A, B), (B,))
)
WORKERS = 2


@contextmanager
def load(pair: Two) -> Iterator[list[bool]]:
    """Calls without a pause, each with a handshake of its own; how each ended."""
    ended, over = [], threading.Event()

    def calls() -> None:
        while not over.is_set():
            ended.append(pair.call())

    workers = [threading.Thread(target=calls) for _ in range(WORKERS)]
    for worker in workers:
        worker.start()
    try:
        yield ended
    finally:
        over.set()
        for worker in workers:
            worker.join(60)


def serials(proxy: Proxy) -> tuple[set[str], set[str]]:
    """The serial numbers of the roots and of the certificates that Envoy uses now."""
    found = json.loads(proxy.ask("/certs"))["certificates"]
    numbers = [
        {one["serial_number"].lstrip("0") for entry in found for one in entry.get(kind, [])}
        for kind in ("ca_cert", "cert_chain")
    ]
    return numbers[0], numbers[1]


def until_in_use(proxy: Proxy, *roots: Pair) -> None:
    """Until Envoy has just these roots, and the certificate that the link leads to."""
    wanted = {"%x" % root.certificate.serial_number for root in roots}

    def holds() -> bool:
        trusted, own = serials(proxy)
        return trusted == wanted and identity.serial(str(proxy.box.path(CERTIFICATE))) in own

    until(holds, proxy.log)


def more(ended: list[bool], calls: int = 20) -> None:
    """Until so many more calls have ended."""
    wanted = len(ended) + calls
    until(lambda: len(ended) >= wanted, "the calls have stopped")


def failed(pair: Two) -> dict[str, int]:
    """What either side counted as failed."""
    words = r"(fail_verify|connection_error|connect_fail|update_rejected|update_failure)"
    counted = {**pair.client.stats(words), **pair.server.stats(words)}
    return {name: value for name, value in counted.items() if value}


def test_a_then_both_then_b_without_a_failed_handshake(pair: Two, stack: ExitStack) -> None:
    for proxy, name in ((pair.client, CALLER), (pair.server, CALLED)):
        proxy.give(issue(A, name), roots=OLD)
    pair.start(stack)
    processes = [proxy.process for proxy in (pair.client, pair.server)]
    with load(pair) as ended:
        for proxy in (pair.server, pair.client):
            proxy.give(roots=BOTH)
            until_in_use(proxy, A, B)
            more(ended)
        for proxy, name in ((pair.client, CALLER), (pair.server, CALLED)):
            proxy.give(issue(MIDDLE, name), MIDDLE)
            until_in_use(proxy, A, B)
            more(ended)
        for proxy in (pair.server, pair.client):
            proxy.give(roots=NEW)
            until_in_use(proxy, B)
            more(ended)
    assert len(ended) >= 120
    assert all(ended)
    assert failed(pair) == {}
    handshakes = pair.server.stats("listener.inward.ssl.handshake")
    assert sum(handshakes.values()) >= len(ended)
    assert [proxy.process for proxy in (pair.client, pair.server)] == processes
    assert all(process and process.poll() is None for process in processes)


def test_many_rotations(pair: Two, stack: ExitStack) -> None:
    """Certificates change all the time, within one root."""
    for proxy, name in ((pair.client, CALLER), (pair.server, CALLED)):
        proxy.give(issue(A, name), roots=OLD)
    pair.start(stack)
    with load(pair) as ended:
        for _ in range(10):
            for proxy, name in ((pair.client, CALLER), (pair.server, CALLED)):
                proxy.give(issue(A, name))
                until_in_use(proxy, A)
    assert ended
    assert all(ended)
    assert failed(pair) == {}


@pytest.mark.parametrize("early", ["client", "server"])
def test_trust_in_b_alone_is_too_early_while_a_peer_is_from_a(
    pair: Two, stack: ExitStack, early: str
) -> None:
    for proxy, name in ((pair.client, CALLER), (pair.server, CALLED)):
        proxy.give(issue(A, name), roots=BOTH)
    pair.start(stack)
    assert pair.call()
    hasty: Proxy = getattr(pair, early)
    hasty.give(roots=NEW)
    until_in_use(hasty, B)
    assert not pair.call()
    assert any("fail_verify_error" in name for name in failed(pair))
    hasty.give(roots=BOTH)
    until_in_use(hasty, A, B)
    assert pair.call()
