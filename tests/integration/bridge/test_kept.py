# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Nothing bad takes the place of something good: a bridge that serves is given what cannot serve.

The machine says so in one error, goes on serving, and has on disk what serves; the next good
change is a hot restart as ever.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.brownfield.mesh.plugins.module_utils.bridge import join as joining
from ansible_collections.brownfield.mesh.plugins.module_utils.bridge.join import Supply
from ansible_collections.brownfield.mesh.plugins.module_utils.bridge.state import BridgeState
from ansible_collections.brownfield.mesh.plugins.module_utils.desired import MachineError
from ansible_collections.brownfield.mesh.plugins.module_utils.spec import AllowRule
from cryptography.hazmat.primitives.asymmetric import ec

from tests.support.bridge import issue, pem
from tests.support.envoys import CALLED, Two, until
from tests.support.live import Live
from tests.support.load import repeated
from tests.support.tls import Client

ROOT = issue(authority=True)
CALLER = issue(ROOT, "spiffe://cluster.local/ns/shop/sa/shop-api")
GOOD = issue(ROOT, CALLED)
SERVES_ON = "What served before goes on serving, and is what lies on disk"
# It says yes to each configuration, and then does not serve.
FAILS = "#!/bin/sh\ncase $* in *validate*) exit 0;; esac\n"


class Bad:
    """What a machine is given that has joined: each method is one thing gone wrong."""

    def __init__(self, pair: Two, live: Live, folder: Path, stack: ExitStack) -> None:
        self.two, self.live, self.folder, self.stack = pair, live, folder, stack

    def good(self, number: int = 0) -> tuple[BridgeState, Supply]:
        """Nothing is wrong with this one; another ``number`` is another configuration."""
        workload = self.two.server.workload
        more = (AllowRule("shop", "other-%d" % number),) if number else ()
        workload = replace(workload, callers=(*workload.callers, *more))
        return self.live.render(self.two.server.machine, workload, GOOD)

    def configuration(self, content: str) -> tuple[BridgeState, Supply]:
        state, supply = self.good(1)
        return replace(state, envoy=replace(state.envoy, content=content)), supply

    def no_json(self) -> tuple[BridgeState, Supply]:
        return self.configuration("{\n")

    def unknown_field(self) -> tuple[BridgeState, Supply]:
        content = json.loads(self.good(1)[0].envoy.content)
        return self.configuration(json.dumps({**content, "no_such_field": 1}))

    def port_taken(self) -> tuple[BridgeState, Supply]:
        """Since the preflight, that is: Envoy validates it, and cannot listen."""
        other = self.stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        content = self.good(1)[0].envoy.content
        listens = self.two.server.machine.mesh.bridge.port
        return self.configuration(
            content.replace(
                '"port_value": %d' % listens, '"port_value": %d' % other.getsockname()[1]
            )
        )

    def program(self, text: str) -> tuple[BridgeState, Supply]:
        file = self.folder / "envoy"
        file.write_text(text)
        server = self.two.server
        return self.live.render(server.machine, server.workload, GOOD, file)

    def no_program(self) -> tuple[BridgeState, Supply]:
        return self.program("not a program")

    def program_ends(self) -> tuple[BridgeState, Supply]:
        return self.program(FAILS + "exit 3\n")

    def program_hangs(self) -> tuple[BridgeState, Supply]:
        return self.program(FAILS + "exec sleep 60\n")

    def identity(self, certificate: str, key: str) -> tuple[BridgeState, Supply]:
        state, supply = self.good()
        identity = replace(state.identity, certificate=certificate)
        given = replace(supply, certificate=certificate, key=key)
        return replace(state, identity=identity), given

    def other_key(self) -> tuple[BridgeState, Supply]:
        return self.identity(pem(issue(ROOT, CALLED).certificate), pem(issue().key))

    def half_a_certificate(self) -> tuple[BridgeState, Supply]:
        new = issue(ROOT, CALLED)
        text = pem(new.certificate)
        return self.identity(text[: len(text) // 2], pem(new.key))

    def half_a_key(self) -> tuple[BridgeState, Supply]:
        new = issue(ROOT, CALLED)
        text = pem(new.key)
        return self.identity(pem(new.certificate), text[: len(text) // 2])

    def no_key(self) -> tuple[BridgeState, Supply]:
        return self.identity(pem(issue(ROOT, CALLED).certificate), "")

    def other_name(self) -> tuple[BridgeState, Supply]:
        new = issue(ROOT, "spiffe://cluster.local/ns/evil/sa/evil")
        return self.identity(pem(new.certificate), pem(new.key))

    def weak_key(self) -> tuple[BridgeState, Supply]:
        new = issue(ROOT, CALLED, bits=1024)
        return self.identity(pem(new.certificate), pem(new.key))

    def unknown_curve(self) -> tuple[BridgeState, Supply]:
        """OpenSSL takes it, and so does what looks at it before it comes into use; not so Envoy."""
        new = issue(ROOT, CALLED, key=ec.generate_private_key(ec.SECP224R1()))
        return self.identity(pem(new.certificate), pem(new.key))


CASES: list[tuple[Callable[[Bad], tuple[BridgeState, Supply]], str]] = [
    (Bad.no_json, "mode validate .*failed"),
    (Bad.unknown_field, "no_such_field"),
    (Bad.port_taken, "Address already in use"),
    (Bad.no_program, "mode validate .*failed"),
    (Bad.program_ends, r"Envoy did not come up \(3\)"),
    (Bad.program_hangs, "does not serve what it was given"),
    (Bad.other_key, "do not belong together"),
    (Bad.half_a_certificate, "SPIFFE ID is none"),
    (Bad.half_a_key, "do not belong together"),
    (Bad.no_key, "do not belong together"),
    (Bad.other_name, "SPIFFE ID is spiffe://cluster.local/ns/evil/sa/evil"),
    (Bad.weak_key, "nothing was replaced"),
    (Bad.unknown_curve, "does not serve what it was given"),
]


@pytest.fixture
def bad(pair: Two, stack: ExitStack, monkeypatch: pytest.MonkeyPatch) -> Bad:
    """A machine that serves."""
    monkeypatch.setattr(joining, "READY_SECONDS", 4)
    folder = pair.server.folder.parent
    live = Live(folder / "1", ROOT, stack, start_seconds=2)
    made = Bad(pair, live, folder, stack)
    live.join(*made.good())
    return made


@pytest.mark.parametrize(("given", "words"), CASES, ids=[case[0].__name__ for case in CASES])
def test_what_serves_goes_on_serving(
    bad: Bad, given: Callable[[Bad], tuple[BridgeState, Supply]], words: str
) -> None:
    live, before = bad.live, bad.live.lies()
    with repeated(Client(bad.two, CALLER).echo) as (ended,):
        with pytest.raises(MachineError, match=r"(?s)%s.*%s" % (words, SERVES_ON)):
            live.join(*given(bad))
        assert live.lies() == before
        result = live.join(*bad.good(2))
        assert set(result["checks"].values()) == {True}
        wanted = ended.calls + 20
        until(lambda: ended.calls >= wanted, "the calls have stopped")
    assert ended.failed + ended.refused == []
