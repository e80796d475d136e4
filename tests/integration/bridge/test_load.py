# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Bridges change, are upgraded and get new certificates while traffic goes through them.

Both ends are machines as ``join`` makes them, with the real supervisor and real Envoys of three
versions. `make soak` does much of it and prints what it saw; `make test` does a little.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from ansible_collections.brownfield.mesh.plugins.module_utils.spec import (
    AllowRule,
    Call,
    Machine,
    Port,
    Workload,
)
from ansible_collections.brownfield.mesh.plugins.plugin_utils import bridge_envoy

from tests.support.bridge import issue
from tests.support.envoys import CALLED, CALLER, Two
from tests.support.live import Live
from tests.support.load import Fresh, Kept, WebServer, repeated
from tests.support.versions import envoys

SECONDS = 1800  # a limit, when all changes are done and calls are still missing
ROOT = issue(authority=True)


@dataclass(frozen=True)
class Amount:
    """How much is done: rounds of one configuration change, one upgrade and some rotations; and
    how many calls there are to be at least."""

    rounds: int
    rotations: int
    http: int
    tcp: int


SHORT = Amount(rounds=3, rotations=2, http=500, tcp=100)
LONG = Amount(rounds=20, rotations=5, http=100_000, tcp=5_000)
SOAK = bool(os.environ.get("MESH_SOAK"))
AMOUNT = LONG if SOAK else SHORT
GROWTH = 1.05  # of an Envoy's memory, after its first tenth of the calls


@dataclass
class End:
    """One of the two machines, and what it is to be now."""

    live: Live
    machine: Machine
    workload: Workload
    name: str
    envoy: Path
    times: int = 0

    def join(self) -> None:
        """As it is to be now, with a new certificate each time."""
        rendered = self.live.render(self.machine, self.workload, issue(ROOT, self.name), self.envoy)
        result = self.live.join(*rendered)
        assert set(result["checks"].values()) == {True}
        assert result["versions"]["envoy"] == self.envoy.parent.name
        self.times += 1

    def change(self) -> None:
        """Another caller, or another call: Envoy gets another configuration."""
        extra = "other-%d" % self.times
        rule, call = (
            AllowRule("shop", extra),
            Call(9999, host=extra + ".shop", service_account=extra),
        )
        if self.workload.ports:
            self.workload = replace(self.workload, callers=(*self.workload.callers[:1], rule))
        else:
            self.workload = replace(self.workload, calls=(*self.workload.calls[:2], call))


@pytest.fixture
def ends(stack: ExitStack, pair: Two) -> tuple[End, End]:
    """The one that is called, and the one that calls."""
    web, echo = WebServer(stack), pair.application
    called = replace(pair.server.workload, ports=(Port("http", web.port), Port("tcp", echo.port)))
    calls = tuple(
        Call(port, host="billing.finance", service_account="billing-app", protocol=protocol)
        for port, protocol in ((web.port, "http"), (echo.port, "tcp"))
    )
    caller = replace(pair.client.workload, calls=calls)
    folder, oldest = pair.server.folder.parent, envoys()[0]
    return (
        End(Live(folder / "1", ROOT, stack), pair.server.machine, called, CALLED, oldest),
        End(Live(folder / "2", ROOT, stack), pair.client.machine, caller, CALLER, oldest),
    )


def clients(caller: End, stack: ExitStack) -> tuple[Callable[[], object], ...]:
    """HTTP on a kept connection, HTTP and TCP on one for each call."""
    calls = caller.workload.calls
    name = calls[0].fqdn
    address = bridge_envoy.loopback_addresses([name])[name]
    web, echo = ((address, call.port) for call in calls)
    return Kept(web, stack).get, Fresh(web).get, Fresh(echo).echo


@pytest.mark.skipif(not SOAK, reason="takes minutes: `make soak` runs it")
def test_memory_does_not_grow(
    ends: tuple[End, End], stack: ExitStack, capsys: pytest.CaptureFixture[str]
) -> None:
    for end in ends:
        end.join()
    memory = []
    with repeated(*clients(ends[1], stack)) as every:
        limit = time.monotonic() + SECONDS
        for number in (LONG.http // 10, LONG.http):
            while sum(one.calls for one in every) < number:
                assert time.monotonic() < limit
                time.sleep(0.1)
            memory.append([round(end.live.resident_mb(), 1) for end in ends])
    with capsys.disabled():
        print("\n" + json.dumps({"calls": LONG.http, "memory_mb": memory}))
    first, last = memory
    assert [one <= GROWTH * other for one, other in zip(last, first)] == [True, True]
    assert [one.failed + one.refused for one in every] == [[], [], []]


def test_nothing_is_lost(
    ends: tuple[End, End], stack: ExitStack, capsys: pytest.CaptureFixture[str]
) -> None:
    versions = envoys()
    versions += versions[1:-1]  # and back
    began, rotations = time.monotonic(), 0
    for end in ends:
        end.join()
    with repeated(*clients(ends[1], stack)) as every:
        kept, fresh, tcp = every
        for number in range(AMOUNT.rounds):
            for end in ends:
                end.change()
                end.join()
                end.envoy = versions[(number + 1) % len(versions)]
                end.join()
            for _ in range(AMOUNT.rotations):
                for end in ends:
                    end.join()
                rotations += 1
        limit = time.monotonic() + SECONDS
        while kept.calls + fresh.calls < AMOUNT.http or tcp.calls < AMOUNT.tcp:
            assert time.monotonic() < limit
            time.sleep(0.1)
    seen = {
        "requests": kept.calls + fresh.calls,
        "tcp_connections": tcp.calls,
        "failed": sum(len(one.failed) for one in every),
        "refused": sum(len(one.refused) for one in every),
        "changes": 2 * AMOUNT.rounds,
        "upgrades": 2 * AMOUNT.rounds,
        "rotations": rotations,
        "seconds": round(time.monotonic() - began),
        "http_kept": kept.result(),
        "http_fresh": fresh.result(),
        "tcp": tcp.result(),
    }
    with capsys.disabled():
        print("\n" + json.dumps(seen))
    assert [one.failed + one.refused for one in every] == [[], [], []]
    assert [end.live.epochs()[-1] for end in ends] == [2 * AMOUNT.rounds] * 2
