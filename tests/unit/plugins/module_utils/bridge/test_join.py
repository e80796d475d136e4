# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Joining as a bridge: asks for what it lacks, does only what is needed, survives being killed."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.brownfield.mesh.plugins.module_utils.bridge.join import Supply, join
from ansible_collections.brownfield.mesh.plugins.module_utils.bridge.leave import joined, leave
from ansible_collections.brownfield.mesh.plugins.module_utils.bridge.state import (
    CERTIFICATE,
    ENVOY_CONFIG,
    FIREWALL_UNIT,
    IDENTITIES,
    KEY,
    ROOTS,
    SUPERVISOR,
    UNIT,
    UNITS,
    BridgeState,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.desired import Host, MachineError
from ansible_collections.brownfield.mesh.plugins.plugin_utils import identity_providers

from tests.support.bridge import (
    BILLING,
    SPIFFE_ID,
    Box,
    Pair,
    identity_of,
    issue,
    pem,
)
from tests.unit.plugins.module_utils.bridge.conftest import ROOT

Render = Callable[..., BridgeState]


def supply(pair: Pair, pushed: dict[str, str]) -> Supply:
    return Supply(pem(pair.certificate), pem(pair.key), pushed)


@pytest.fixture
def state(render: Render, pair: Pair) -> BridgeState:
    return render(pair)


@pytest.fixture
def member(box: Box, state: BridgeState, pair: Pair, pushed: dict[str, str]) -> Box:
    """A machine that has joined."""
    join(box.host, state, supply(pair, pushed), False)
    box.commands.clear()
    return box


def test_a_fresh_machine_asks_for_identity_and_envoy_and_changes_nothing(
    box: Box, state: BridgeState
) -> None:
    before = box.tree()
    result = join(box.host, state, Supply(), False)
    assert result["needs"] == ["identity", "artifact envoy any"]
    assert result["changed"] is False
    assert "csr" not in result
    assert box.tree() == before


def test_joining_brings_everything_and_then_nothing(
    box: Box, state: BridgeState, pair: Pair, pushed: dict[str, str]
) -> None:
    result = join(box.host, state, supply(pair, pushed), False)
    assert result["changed"] is True
    assert set(result["checks"].values()) == {True}
    assert result["spiffe_id"] == SPIFFE_ID
    assert result["versions"]["envoy"] == "1.40.0"
    assert set(box.now["active"]) == {UNIT, FIREWALL_UNIT}
    assert box.path(KEY).stat().st_mode & 0o777 == 0o600
    assert box.path(ROOTS).read_text() == state.identity.roots
    tree = box.tree()
    again = join(box.host, state, Supply(), False)
    assert (again["changed"], again["needs"], again["diff"]) == (False, [], [])
    assert box.tree() == tree


def test_the_order_validated_running_closed(
    box: Box, state: BridgeState, pair: Pair, pushed: dict[str, str]
) -> None:
    join(box.host, state, supply(pair, pushed), False)
    steps = [
        next(i for i, command in enumerate(box.commands) if words in command)
        for words in ("--mode validate", "restart " + UNIT, "reload-or-restart " + FIREWALL_UNIT)
    ]
    assert steps == sorted(steps)


def test_check_mode_tells_the_same_and_touches_nothing(
    box: Box, render: Render, pair: Pair, pushed: dict[str, str]
) -> None:
    before = box.tree()
    result = join(box.host, render(pair), Supply(), True)
    assert result["changed"] is True
    assert box.tree() == before
    assert "csr" not in join(box.host, render(), Supply(), True)
    assert box.tree() == before
    real = join(box.host, render(pair), supply(pair, pushed), False)
    assert [item["before_header"] for item in real["diff"]] == [
        item["before_header"] for item in result["diff"]
    ]


def test_no_key_is_ever_shown(
    box: Box, state: BridgeState, pair: Pair, pushed: dict[str, str]
) -> None:
    result = join(box.host, state, supply(pair, pushed), False)
    secret = pem(pair.key).splitlines()[1]
    assert secret not in json.dumps(result)
    assert all(secret not in command for command in box.commands)


def test_an_allow_list_that_changes_is_a_hot_restart(
    member: Box, render: Render, pair: Pair
) -> None:
    other = render(pair, replace(BILLING, callers=BILLING.callers[:1]))
    result = join(member.host, other, Supply(), False)
    assert [item["before_header"] for item in result["diff"]] == [ENVOY_CONFIG, UNIT]
    assert member.ran("systemctl reload " + UNIT)
    assert not member.ran("systemctl restart")
    assert join(member.host, other, Supply(), False)["changed"] is False


def test_a_configuration_that_somebody_edited_is_no_longer_served(
    member: Box, state: BridgeState
) -> None:
    member.path(ENVOY_CONFIG).write_text("{}\n")
    result = join(member.host, state, Supply(), False)
    assert [item["before_header"] for item in result["diff"]] == [ENVOY_CONFIG, UNIT]
    assert member.ran("systemctl reload " + UNIT)
    assert join(member.host, state, Supply(), False)["changed"] is False


@pytest.mark.parametrize("path", [SUPERVISOR, "%s/%s" % (UNITS, UNIT)])
def test_a_bridge_that_was_started_with_an_edited_file_is_started_anew(
    member: Box, state: BridgeState, path: str
) -> None:
    member.path(path).write_text("edited\n")
    join(member.host, state, Supply(), False)
    assert member.ran("systemctl stop " + UNIT)
    assert member.ran("systemctl restart " + UNIT)
    assert join(member.host, state, Supply(), False)["changed"] is False


def test_a_new_certificate_is_swapped_in_without_any_restart(
    member: Box, render: Render, pushed: dict[str, str]
) -> None:
    new = issue(ROOT, SPIFFE_ID)
    state = render(new)
    assert join(member.host, state, Supply(), False)["needs"] == ["identity"]
    result = join(member.host, state, supply(new, pushed), False)
    assert [item["before_header"] for item in result["diff"]] == ["identity"]
    assert member.path(CERTIFICATE).read_text() == pem(new.certificate)
    assert not member.ran("systemctl restart") + member.ran("systemctl reload")
    assert len(list(member.path(IDENTITIES).iterdir())) == 2  # the folder and the link to it


def test_other_roots_need_nothing_from_the_controller(member: Box, state: BridgeState) -> None:
    wanted = replace(state.identity, roots=state.identity.roots * 2)
    result = join(member.host, replace(state, identity=wanted), Supply(), False)
    assert (result["changed"], result["needs"]) == (True, [])
    assert member.path(ROOTS).read_text() == wanted.roots
    assert set(result["checks"].values()) == {True}


def test_envoy_must_accept_a_configuration_before_it_replaces_another(
    member: Box, render: Render, pair: Pair
) -> None:
    before = member.tree()
    member.valid = False
    other = render(pair, replace(BILLING, callers=BILLING.callers[:1]))
    with pytest.raises(MachineError, match="no such field"):
        join(member.host, other, Supply(), False)
    assert member.tree() == before


@pytest.mark.parametrize(
    ("certificate", "key", "words"),
    [
        (SPIFFE_ID, None, "do not belong together"),
        ("spiffe://cluster.local/ns/x/sa/y", None, "SPIFFE ID is spiffe://cluster.local/ns/x/sa/y"),
        (SPIFFE_ID, "no key", "do not belong together"),
    ],
)
def test_a_bad_identity_never_replaces_a_good_one(
    member: Box, render: Render, certificate: str, key: str | None, words: str
) -> None:
    bad = issue(ROOT, certificate)
    before = member.tree()
    given = Supply(pem(bad.certificate), key or pem(issue().key))
    with pytest.raises(MachineError, match=words):
        join(member.host, render(bad), given, False)
    assert member.tree() == before


def test_what_does_not_serve_fails_with_its_last_words(
    box: Box, state: BridgeState, pair: Pair, pushed: dict[str, str]
) -> None:
    box.hangs = True
    box.outputs["journalctl -u mesh-bridge.service -n 15 -o cat --no-pager"] = (0, "bind: in use")
    with pytest.raises(MachineError, match=r"(?s)does not serve.*bind: in use"):
        join(box.host, state, supply(pair, pushed), False)
    assert FIREWALL_UNIT not in box.now["active"]


def test_a_firewall_that_somebody_flushed_comes_back(member: Box, state: BridgeState) -> None:
    member._save({**member.now, "table": ""})
    result = join(member.host, state, Supply(), False)
    assert [item["before_header"] for item in result["diff"]] == ["firewall"]
    assert set(result["checks"].values()) == {True}


def test_a_key_made_here_stays_here(
    box: Box, render: Render, pushed: dict[str, str], tmp_path: Path
) -> None:
    state = render()
    asked = join(box.host, state, Supply(pushed=pushed), False)
    assert asked["needs"] == ["identity"]
    assert join(box.host, state, Supply(pushed=pushed), False)["csr"].startswith("-----BEGIN CERT")
    authority = identity_providers.of(
        identity_of("local_ca"), SPIFFE_ID, state.identity.roots, ROOT.write(tmp_path, "ca")
    )
    issued = authority.issue(asked["csr"])
    result = join(box.host, state, Supply(issued.certificate, "", pushed), False)
    assert set(result["checks"].values()) == {True}
    assert "PRIVATE" not in json.dumps([asked, result])
    assert join(box.host, state, Supply(), False)["changed"] is False


def test_a_signed_certificate_is_renewed_in_time(
    box: Box, render: Render, pair: Pair, pushed: dict[str, str]
) -> None:
    # Sooner than the alarm tells that it ends: at half of its life.
    young = issue(ROOT, SPIFFE_ID, begins=-4900, lives=5100)
    join(box.host, render(young), supply(young, pushed), False)
    assert join(box.host, render(), Supply(), False)["needs"] == []
    old = issue(ROOT, SPIFFE_ID, begins=-5100, lives=4900)
    join(box.host, render(old), supply(old, pushed), False)
    assert join(box.host, render(old), Supply(), False)["changed"] is False
    assert join(box.host, render(), Supply(), False)["needs"] == ["identity"]
    join(box.host, render(), supply(pair, pushed), False)
    assert join(box.host, render(), Supply(), False)["changed"] is False


def test_another_authority_signs_anew_while_both_roots_are_trusted(
    box: Box, render: Render, pushed: dict[str, str]
) -> None:
    new = issue(authority=True)

    def wanted(issuer: Pair, *roots: Pair) -> BridgeState:
        state, pems = render(), [pem(root.certificate) for root in roots]
        identity = replace(state.identity, issuer=pem(issuer.certificate), roots="".join(pems))
        return replace(state, identity=identity)

    def given(state: BridgeState, issuer: Pair) -> dict[str, Any]:
        assert join(box.host, state, Supply(pushed=pushed), False)["needs"] == ["identity"]
        pair = issue(issuer, SPIFFE_ID)
        return join(box.host, state, supply(pair, pushed), False)

    given(wanted(ROOT, ROOT), ROOT)
    before = box.path(CERTIFICATE).read_text()
    both = join(box.host, wanted(ROOT, ROOT, new), Supply(), False)
    assert (both["changed"], both["needs"]) == (True, [])
    assert box.path(CERTIFICATE).read_text() == before
    moved = given(wanted(new, ROOT, new), new)
    assert set(moved["checks"].values()) == {True}
    assert join(box.host, wanted(new, ROOT, new), Supply(), False)["changed"] is False
    last = join(box.host, wanted(new, new), Supply(), False)
    assert (last["changed"], last["needs"]) == (True, [])
    assert join(box.host, wanted(new, new), Supply(), False)["changed"] is False


class Killed(BaseException):
    """The run ends here."""


def test_killed_anywhere_the_next_run_converges(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, state: BridgeState, pair: Pair,
    pushed: dict[str, str], box: Box,
) -> None:  # fmt: skip
    wanted: dict[str, str] = {}
    run, write = Host.run, Host.write
    for step in range(200):
        left = [step]

        def count(left: list[int] = left) -> None:
            left[0] -= 1
            if left[0] < 0:
                raise Killed

        def killed_run(self: Host, *given: Any, **more: Any) -> str:
            count()
            return run(self, *given, **more)

        def killed_write(self: Host, *given: Any) -> None:
            count()
            write(self, *given)

        one = Box(tmp_path / str(step))
        monkeypatch.setattr("ansible_collections.brownfield.mesh.plugins.module_utils.bridge.proxy.ask", one.asks)  # fmt: skip  # noqa: E501
        with monkeypatch.context() as patch:
            patch.setattr(Host, "run", killed_run)
            patch.setattr(Host, "write", killed_write)
            try:
                join(one.host, state, supply(pair, pushed), False)
                done = True
            except Killed:
                done = False
        result = join(one.host, state, supply(pair, pushed), False)
        assert set(result["checks"].values()) == {True}
        assert join(one.host, state, Supply(), False)["changed"] is False
        tree = {path: text for path, text in one.tree().items() if "artifacts.json" not in path}
        wanted = wanted or tree
        assert tree == wanted
        if done:
            break
    assert done
    assert step > 10


def test_units_that_a_killed_run_wrote_are_read_before_the_start(
    box: Box, state: BridgeState, pair: Pair, pushed: dict[str, str]
) -> None:
    box.outputs["systemctl daemon-reload"] = (1, "")
    with pytest.raises(MachineError, match="daemon-reload"):
        join(box.host, state, supply(pair, pushed), False)
    del box.outputs["systemctl daemon-reload"]
    box.commands.clear()
    join(box.host, state, supply(pair, pushed), False)
    steps = [box.commands.index("systemctl " + s) for s in ("daemon-reload", "restart " + UNIT)]
    assert steps == sorted(steps)


def test_leaving_leaves_nothing(
    box: Box, state: BridgeState, pair: Pair, pushed: dict[str, str]
) -> None:
    before = box.tree()
    assert not joined(box.host)
    join(box.host, state, supply(pair, pushed), False)
    assert joined(box.host)
    checked = leave(box.host, True)
    assert box.now["active"]
    left = leave(box.host, False)
    assert checked["diff"] == left["diff"]
    assert left["changed"] is True
    tree = box.tree()
    for folder in ("/proc", "/etc/systemd", "/etc/systemd/system", "/opt"):
        for path in [path for path in tree if path.startswith(folder)]:
            assert path in before or tree.pop(path).startswith("folder")
    assert tree == {path: text for path, text in before.items() if path in tree}
    assert box.now["active"] == []
    assert leave(box.host, False)["changed"] is False


def test_leaving_half_way_is_finished_by_the_next(
    box: Box, state: BridgeState, pair: Pair, pushed: dict[str, str]
) -> None:
    join(box.host, state, supply(pair, pushed), False)
    box.outputs["userdel mesh-bridge"] = (1, "user is in use")
    with pytest.raises(MachineError):
        leave(box.host, False)
    assert joined(box.host)
    # Nothing is left to do behind that by which the next run sees that there is.
    assert box.commands[-1] == "userdel mesh-bridge"
    assert "systemctl daemon-reload" in box.commands
    box.outputs.clear()
    leave(box.host, False)
    assert not joined(box.host)
