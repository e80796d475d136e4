# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""What serves is kept until what is to replace it serves."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.brownfield.mesh.plugins.module_utils import artifacts
from ansible_collections.brownfield.mesh.plugins.module_utils.bridge import kept
from ansible_collections.brownfield.mesh.plugins.module_utils.bridge.join import Supply, join
from ansible_collections.brownfield.mesh.plugins.module_utils.bridge.state import (
    CURRENT,
    ENVOY_CONFIG,
    IDENTITIES,
    UNIT,
    BridgeState,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.desired import MachineError

from tests.support.bridge import BILLING, SPIFFE_ID, Box, Pair, issue, pem
from tests.unit.plugins.module_utils.bridge.conftest import ROOT

Render = Callable[..., BridgeState]
OTHER = replace(BILLING, callers=BILLING.callers[:1])
SERVES_ON = "What served before goes on serving, and is what lies on disk"


@pytest.fixture
def member(box: Box, render: Render, pair: Pair, pushed: dict[str, str]) -> Box:
    """A machine that has joined."""
    join(box.host, render(pair), Supply(pem(pair.certificate), pem(pair.key), pushed), False)
    box.commands.clear()
    return box


def test_all_of_it_is_put_back(
    member: Box, render: Render, pushed: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another configuration, another Envoy and another certificate, and the new Envoy hangs."""
    before = member.tree()
    Path(pushed["envoy"]).write_text("another envoy")
    new = issue(ROOT, SPIFFE_ID)
    member.hangs = True
    with pytest.raises(MachineError, match=SERVES_ON):
        supply = Supply(pem(new.certificate), pem(new.key), pushed)
        join(member.host, render(new, OTHER), supply, False)
    assert member.tree() == before
    assert len(member.ran("systemctl reload " + UNIT)) == 2
    member.hangs = False
    Path(pushed["envoy"]).write_text("this is envoy")
    assert join(member.host, render(new, OTHER), supply, False)["changed"] is True


def test_a_configuration_that_is_refused_restarts_nothing(
    member: Box, render: Render, pair: Pair
) -> None:
    before = member.tree()
    member.valid = False
    with pytest.raises(MachineError, match=r"no such field.*\n" + SERVES_ON):
        join(member.host, render(pair, OTHER), Supply(), False)
    assert member.tree() == before
    assert not member.ran("systemctl re")


def test_what_does_not_serve_either_is_said(member: Box, render: Render, pair: Pair) -> None:
    member.hangs = True
    member._save({**member.now, "active": [], "envoy": {}})
    with pytest.raises(MachineError, match="was put back, but does not serve either"):
        join(member.host, render(pair, OTHER), Supply(), False)
    assert member.path(ENVOY_CONFIG).read_text() == render(pair).envoy.content


def test_what_a_killed_run_left_is_not_what_is_kept(
    member: Box, render: Render, pair: Pair
) -> None:
    kept.keep(member.host)  # and then it wrote a configuration, and was killed
    member.host.write(render(pair, OTHER).envoy)
    member.hangs = True
    third = replace(BILLING, callers=BILLING.callers[1:])
    with pytest.raises(MachineError, match=SERVES_ON):
        join(member.host, render(pair, third), Supply(), False)
    assert member.path(ENVOY_CONFIG).read_text() == render(pair).envoy.content


def test_what_a_killed_run_has_kept_is_forgotten_by_the_next(
    member: Box, render: Render, pair: Pair
) -> None:
    before = member.tree()
    kept.keep(member.host)
    assert member.tree() != before
    checked = join(member.host, render(pair), Supply(), True)
    assert [item["before_header"] for item in checked["diff"]] == ["kept files"]
    assert join(member.host, render(pair), Supply(), False)["changed"] is True
    assert member.tree() == before
    assert join(member.host, render(pair), Supply(), False)["changed"] is False


def test_an_identity_that_was_tidied_away_is_not_put_back(member: Box) -> None:
    kept.keep(member.host)
    now = member.path(CURRENT).readlink()
    link = member.path(CURRENT + kept.SECOND_NAME)
    link.unlink()
    link.symlink_to("gone")
    assert kept.put_back(member.host) is True
    assert member.path(CURRENT).readlink() == now
    assert not os.path.lexists(link)


def test_a_fresh_machine_has_nothing_to_put_back(box: Box) -> None:
    kept.keep(box.host)
    assert kept.put_back(box.host) is False
    assert kept.compare(box.host) == []


def test_keeping_copies_nothing(member: Box) -> None:
    kept.keep(member.host)
    place = artifacts.place("envoy")
    names = [member.path(place), member.path(place + kept.SECOND_NAME)]
    assert names[0].stat().st_ino == names[1].stat().st_ino
    every = list(member.path(IDENTITIES).iterdir())
    assert sorted(path.name for path in every if path.is_symlink()) == ["current", "current.kept"]
    assert len([path for path in every if not path.is_symlink()]) == 1  # one folder for both
