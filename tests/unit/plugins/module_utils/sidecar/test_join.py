# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Joining: what is asked for, what is done, and that it ends well however it was interrupted."""

from __future__ import annotations

import dataclasses
import os
import shutil
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.brownfield.mesh.plugins.module_utils.desired import MachineError
from ansible_collections.brownfield.mesh.plugins.module_utils.sidecar.join import (
    Supply,
    confirm,
    join,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.sidecar.state import (
    CAPTURE_APPLIED,
    CAPTURE_ENABLED,
    CAPTURE_ENV,
    CAPTURE_UNIT,
    CERTIFICATE,
    CONFIG,
    PROXY_UNIT,
    STATE,
    TOKEN,
    UNITS,
    WRITABLE,
    SidecarState,
)

from tests.support.fleet import PAYMENTS_DB
from tests.support.machine import Machine, certificate

SPIFFE_ID = "spiffe://cluster.local/ns/payments/sa/payments-db"
SECRET = "eyJcanary.canary.canary"
Render = Callable[..., SidecarState]


def joined(box: Machine, state: SidecarState, pushed: dict[str, str]) -> dict[str, Any]:
    """All of a join, as the action plugin does it: ask, supply, confirm."""
    result = join(box.host, state, Supply(), False)
    if result["needs"]:
        token = SECRET if "token" in result["needs"] else ""
        result = join(box.host, state, Supply(token, pushed), False)
    return {**result, **confirm(box.host, state)} if result["confirm"] else result


def test_it_asks_before_it_touches_anything(box: Machine, state: SidecarState) -> None:
    before = box.tree()
    result = join(box.host, state, Supply(), False)
    assert result["needs"] == [
        "token",
        "artifact pilot-agent any",
        "artifact envoy any",
        "artifact envoy_bootstrap_tmpl.json any",
    ]
    assert result["changed"] is False
    assert box.tree() == before


def test_a_join_brings_everything(
    box: Machine, state: SidecarState, pushed: dict[str, str]
) -> None:
    result = joined(box, state, pushed)
    assert result["changed"] is True
    assert result["spiffe_id"] == SPIFFE_ID
    assert result["checks"] == {
        "identity_valid": True,
        "proxy_ready": True,
        "capture_on": True,
    }
    assert result["versions"] == {"agent": "1.31", "envoy": "1.40.0"}
    assert box.now["active"] == [PROXY_UNIT, CAPTURE_UNIT]
    assert box.path("/opt/mesh-proxy/bin/envoy").read_text() == "this is envoy"
    assert stat.S_IMODE(box.path("/opt/mesh-proxy/bin/envoy").stat().st_mode) == 0o755
    assert "192.0.2.1 istiod.istio-system.svc # brownfield.mesh" in (
        box.path("/etc/hosts").read_text()
    )
    assert box.path(UNITS + "/istio.service").readlink() == Path("/dev/null")
    assert not box.path(TOKEN).exists()
    assert not box.now["guard"]


def test_a_second_run_changes_nothing(
    box: Machine, state: SidecarState, pushed: dict[str, str]
) -> None:
    joined(box, state, pushed)
    before = box.tree()
    result = join(box.host, state, Supply(), False)
    assert (result["changed"], result["needs"], result["diff"]) == (False, [], [])
    assert result["confirm"] is False
    assert box.tree() == before


def test_check_mode_says_the_same_and_does_nothing(
    box: Machine, state: SidecarState, pushed: dict[str, str]
) -> None:
    before = box.tree()
    checked = join(box.host, state, Supply(), True)
    assert box.tree() == before
    assert not box.ran("useradd") + box.ran("systemd-run") + box.ran("systemctl start")
    done = join(box.host, state, Supply(SECRET, pushed), False)
    assert checked["changed"] is True
    assert checked["diff"] == done["diff"]


def test_no_secret_is_shown(box: Machine, state: SidecarState, pushed: dict[str, str]) -> None:
    result = join(box.host, state, Supply(SECRET, pushed), False)
    assert SECRET not in repr(result)
    assert not [command for command in box.commands if SECRET in command]


def test_the_token_is_there_only_while_it_is_needed(
    box: Machine, state: SidecarState, pushed: dict[str, str]
) -> None:
    box.issues = "spiffe://elsewhere/ns/a/sa/b"
    with pytest.raises(MachineError, match=r"mesh\.trust_domain"):
        join(box.host, state, Supply(SECRET, pushed), False)
    assert not box.path(TOKEN).exists()


def test_a_token_that_a_killed_run_left_goes(
    box: Machine, state: SidecarState, pushed: dict[str, str]
) -> None:
    joined(box, state, pushed)
    box.path(TOKEN).write_text(SECRET)
    result = joined(box, state, pushed)
    assert result["changed"] is True
    assert SECRET not in repr(result)
    assert not box.path(TOKEN).exists()


def test_units_that_a_killed_run_wrote_are_read_before_the_start(
    box: Machine, state: SidecarState, pushed: dict[str, str]
) -> None:
    box.outputs["systemctl daemon-reload"] = (1, "")
    with pytest.raises(MachineError, match="daemon-reload"):
        joined(box, state, pushed)
    del box.outputs["systemctl daemon-reload"]
    box.commands.clear()
    joined(box, state, pushed)
    steps = [
        box.commands.index("systemctl daemon-reload"),
        box.commands.index(box.ran("systemctl start")[0]),
    ]
    assert steps == sorted(steps)


@pytest.mark.parametrize(
    "old",
    [
        certificate("spiffe://cluster.local/ns/payments/sa/another"),
        certificate(SPIFFE_ID, begins=-90000, lives=-1),
        certificate(SPIFFE_ID, lives=200),
        certificate(SPIFFE_ID, begins=3600),
        "no certificate",
    ],
    ids=["other identity", "expired", "about to expire", "not yet valid", "unreadable"],
)
def test_a_worthless_identity_makes_room_for_the_new_one(
    box: Machine, state: SidecarState, pushed: dict[str, str], old: str
) -> None:
    joined(box, state, pushed)
    box.path(CERTIFICATE).write_text(old)
    assert join(box.host, state, Supply(), False)["needs"] == ["token"]
    result = joined(box, state, pushed)
    assert result["spiffe_id"] == SPIFFE_ID
    assert result["not_after"] > time.time() + 3600


def test_a_valid_identity_is_kept_over_a_restart(
    box: Machine, render: Render, pushed: dict[str, str]
) -> None:
    joined(box, render(), pushed)
    before = box.path(CERTIFICATE).read_text()
    other = dataclasses.replace(PAYMENTS_DB, labels={"tier": "gold"})
    result = join(box.host, render(other), Supply(), False)
    assert (result["needs"], result["changed"]) == ([], True)
    assert (
        box.ran("systemctl start mesh-proxy.service") == ["systemctl start mesh-proxy.service"] * 2
    )
    assert box.path(CERTIFICATE).read_text() == before


def test_a_proxy_that_was_stopped_is_started(
    box: Machine, state: SidecarState, pushed: dict[str, str]
) -> None:
    joined(box, state, pushed)
    box.stop(PROXY_UNIT)
    result = joined(box, state, pushed)
    assert result["changed"] is True
    assert [entry["before_header"] for entry in result["diff"]] == [PROXY_UNIT]


def test_an_agent_that_is_not_ready_is_quoted_without_secrets(
    box: Machine, state: SidecarState, pushed: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    box.outputs["journalctl -u mesh-proxy.service -n 15 -o cat --no-pager"] = (
        0,
        "token %s: cannot find WorkloadGroup payments/payments-db\n" % SECRET,
    )
    monkeypatch.setattr(Machine, "reads", lambda self, url: "")
    box.issues = ""
    with pytest.raises(MachineError) as caught:
        join(box.host, state, Supply(SECRET, pushed), False)
    assert "bring the cluster objects first" in str(caught.value)
    assert SECRET not in str(caught.value)


def test_capture_waits_for_the_fresh_connection(
    box: Machine, state: SidecarState, pushed: dict[str, str]
) -> None:
    result = join(box.host, state, Supply(SECRET, pushed), False)
    assert result["confirm"] is True
    assert box.now["guard"]
    assert not box.path(CAPTURE_ENABLED).is_symlink()
    box.guard_fires()
    assert box.now["rules"] == ""
    with pytest.raises(MachineError, match="the guard took capture off"):
        confirm(box.host, state)
    box.reboot()
    assert box.now["rules"] == ""
    assert joined(box, state, pushed)["capture"]["on"]
    box.reboot()
    assert box.now["rules"] == "iptables"
    assert not join(box.host, state, Supply(), False)["changed"]


def test_changed_capture_is_guarded_again_and_goes_off_with_its_old_settings(
    box: Machine, render: Render, pushed: dict[str, str]
) -> None:
    joined(box, render(), pushed)
    state = render(exclude_outbound_ports=(25,))
    begin = len(box.commands)
    result = join(box.host, state, Supply(), False)
    assert result["confirm"] is True
    assert 'PORTS_EXCLUDE="25"' in box.path(CAPTURE_APPLIED).read_text()
    assert not box.path(CAPTURE_ENABLED).is_symlink()
    done = [c for c in box.commands[begin:] if CAPTURE_UNIT in c or "mesh-guard" in c]
    assert done[1].startswith("systemd-run ")
    assert done[2:4] == ["systemctl stop " + CAPTURE_UNIT, "systemctl start " + CAPTURE_UNIT]
    confirm(box.host, state)
    assert box.path(CAPTURE_ENABLED).is_symlink()


def test_settings_that_somebody_edited_are_set_right(
    box: Machine, state: SidecarState, pushed: dict[str, str]
) -> None:
    joined(box, state, pushed)
    before = box.path(CAPTURE_ENV).read_text()
    box.path(CAPTURE_ENV).write_text(before.replace("22", "22,5432"))
    result = joined(box, state, pushed)
    assert result["changed"] is True
    assert box.path(CAPTURE_ENV).read_text() == before


@pytest.mark.parametrize("name", ["cluster.env", "mesh.yaml", "root-cert.pem"])
def test_a_proxy_that_was_started_with_an_edited_file_is_started_anew(
    box: Machine, state: SidecarState, pushed: dict[str, str], name: str
) -> None:
    joined(box, state, pushed)
    file = box.path("%s/%s" % (CONFIG, name))
    before = file.read_text()
    file.write_text("edited\n")
    box.commands.clear()
    result = joined(box, state, pushed)
    assert [entry["before_header"] for entry in result["diff"]] == [CONFIG + "/" + name, PROXY_UNIT]
    assert file.read_text() == before
    assert [c for c in box.commands if c.endswith(" %s" % PROXY_UNIT) and "start" in c]
    assert joined(box, state, pushed)["changed"] is False


def test_an_edited_file_is_mended_while_the_proxy_is_down(
    box: Machine, state: SidecarState, pushed: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    joined(box, state, pushed)
    box.path(CONFIG + "/cluster.env").write_text("edited\n")
    active = []
    replace = os.replace

    def watched(source: Any, target: Any) -> None:
        if str(target).endswith("cluster.env"):
            active.append(PROXY_UNIT in box.now["active"])
        replace(source, target)

    monkeypatch.setattr(os, "replace", watched)
    joined(box, state, pushed)
    # Killed in between, the next run finds no file to mend, but no proxy either.
    assert active == [False]
    assert PROXY_UNIT in box.now["active"]


def test_a_run_that_cannot_write_leaves_no_proxy_down(
    box: Machine, state: SidecarState, pushed: dict[str, str]
) -> None:
    joined(box, state, pushed)
    path = box.path(CONFIG + "/mesh.yaml")
    path.unlink()
    (path / "in-the-way").mkdir(parents=True)
    with pytest.raises((MachineError, OSError)):
        joined(box, state, pushed)
    assert PROXY_UNIT in box.now["active"]
    shutil.rmtree(path)
    assert joined(box, state, pushed)["changed"] is True
    assert path.is_file()


def test_root_follows_no_link_of_the_proxy(
    box: Machine, state: SidecarState, pushed: dict[str, str], tmp_path: Path
) -> None:
    """What the proxy's user can put in place of its folders is not given to it."""
    joined(box, state, pushed)
    treasure = tmp_path / "treasure"
    treasure.mkdir(mode=0o711)
    certs = box.path(WRITABLE[0])
    certs.rename(tmp_path / "away")
    certs.symlink_to(treasure)
    joined(box, state, pushed)
    assert stat.S_IMODE(treasure.stat().st_mode) == 0o711
    assert list(treasure.iterdir()) == []
    assert not certs.is_symlink()


def test_the_proxy_owns_no_folder_that_root_works_below(state: SidecarState) -> None:
    owned = {d.path for d in state.files.directories if d.owner != "root"}
    assert owned == set(WRITABLE)
    places = [*state.files.directories, *state.files.files, *state.files.links]
    assert not [p.path for p in places for o in owned if p.path.startswith(o + "/")]
    assert all(path.startswith(STATE) for path in owned)


class _Steps:
    """Ends the process, as SIGKILL would, before a chosen step of its work."""

    def __init__(self, last: int) -> None:
        self.left = last

    def before(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any, **options: Any) -> Any:
            if self.left == 0:
                os._exit(9)
            self.left -= 1
            return function(*arguments, **options)

        return counted


def _killed(
    box: Machine, state: SidecarState, pushed: dict[str, str], step: int, act: Callable[..., Any]
) -> bool:
    """Whether ``act`` was ended before its ``step``-th change to the machine."""
    child = os.fork()
    if child == 0:
        steps = _Steps(step)
        for name in ("replace", "symlink", "unlink", "makedirs", "fchown"):
            setattr(os, name, steps.before(getattr(os, name)))
        box.host._runner = steps.before(box.run)
        act(box, state, pushed)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9


@pytest.mark.parametrize("start", range(4))
def test_killed_anywhere_the_next_run_ends_as_if_nothing_had_been(
    tmp_path: Path, box: Machine, state: SidecarState, pushed: dict[str, str], start: int
) -> None:
    joined(box, state, pushed)
    whole = box.tree()
    step, killed = start, True
    while killed:  # every fourth step, so that four tests share the work
        one = Machine(tmp_path / str(step), issues=SPIFFE_ID)
        box.root, box.state, box.host = one.root, one.state, one.host
        box.host._runner = box.run
        killed = _killed(box, state, pushed, step, joined)
        joined(box, state, pushed)
        assert _timeless(box.tree()) == _timeless(whole), step
        assert set(box.now["active"]) == {PROXY_UNIT, CAPTURE_UNIT}
        assert not box.now["guard"]
        step += 4
    assert step > 40


def _timeless(tree: dict[str, str]) -> dict[str, str]:
    return {k: "" if k.endswith("artifacts.json") else v for k, v in tree.items()}
