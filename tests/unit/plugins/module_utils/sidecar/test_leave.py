# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Leaving: nothing of ours stays, everything else does, from wherever a join had got to."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest
from ansible_collections.brownfield.mesh.plugins.module_utils import artifacts
from ansible_collections.brownfield.mesh.plugins.module_utils.desired import (
    Host,
    MachineError,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.sidecar import capture
from ansible_collections.brownfield.mesh.plugins.module_utils.sidecar.join import (
    Supply,
    confirm,
    join,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.sidecar.leave import leave
from ansible_collections.brownfield.mesh.plugins.module_utils.sidecar.state import (
    UNITS,
    SidecarState,
)

from tests.support.machine import Machine

STUB = "../run/systemd/resolve/stub-resolv.conf"


def joined(box: Machine, state: SidecarState, pushed: dict[str, str]) -> None:
    join(box.host, state, Supply("token", pushed), False)
    confirm(box.host, state)


def left(box: Machine) -> dict[str, str]:
    """The machine's files, but for the folder that systemd would have had from the beginning."""
    return {k: v for k, v in box.tree().items() if not k.endswith("multi-user.target.wants")}


def test_leave_takes_everything_along(
    box: Machine, state: SidecarState, pushed: dict[str, str]
) -> None:
    before = box.tree()
    joined(box, state, pushed)
    assert box.tree() != before
    assert leave(box.host, False)["changed"] is True
    assert left(box) == before
    assert box.now == {"active": [], "guard": False, "rules": ""}


def test_capture_goes_before_the_proxy(
    box: Machine, state: SidecarState, pushed: dict[str, str]
) -> None:
    joined(box, state, pushed)
    begin = len(box.commands)
    leave(box.host, False)
    stops = [c for c in box.commands[begin:] if c.startswith("systemctl stop mesh-")]
    assert stops == [
        "systemctl stop mesh-guard.timer",
        "systemctl stop mesh-capture.service",
        "systemctl stop mesh-proxy.service",
    ]


def test_the_user_goes_last_so_that_the_next_run_finishes_a_killed_one(
    box: Machine, state: SidecarState, pushed: dict[str, str]
) -> None:
    joined(box, state, pushed)
    begin = len(box.commands)
    leave(box.host, False)
    commands = box.commands[begin:]
    assert commands[-1].startswith("userdel")
    assert "systemctl daemon-reload" in commands


def test_a_machine_that_never_joined_is_left_alone(box: Machine) -> None:
    box.path("/etc/hosts").write_bytes(b"127.0.0.1 localhost\r\n::1 a\x0cb \xff")
    before = box.tree()
    assert leave(box.host, False) == {"changed": False, "diff": []}
    assert box.tree() == before


def test_a_second_time_there_is_nothing_to_do(
    box: Machine, state: SidecarState, pushed: dict[str, str]
) -> None:
    joined(box, state, pushed)
    leave(box.host, False)
    assert leave(box.host, False) == {"changed": False, "diff": []}


def test_check_mode_names_what_would_go_and_takes_nothing(
    box: Machine, state: SidecarState, pushed: dict[str, str]
) -> None:
    joined(box, state, pushed)
    before, running = box.tree(), box.now
    checked = leave(box.host, True)
    assert (box.tree(), box.now) == (before, running)
    assert leave(box.host, False) == checked


@pytest.mark.parametrize("done", range(1, 21, 2))
def test_a_half_joined_machine_can_leave(
    box: Machine, state: SidecarState, pushed: dict[str, str], done: int
) -> None:
    before = box.tree()
    failures = iter([False] * done)

    def failing(argv: Any) -> tuple[int, str, str]:
        if next(failures, True):
            raise MachineError("no further")
        return box.run(argv)

    box.host._runner = failing
    with pytest.raises(MachineError, match="no further"):
        joined(box, state, pushed)
    box.host._runner = box.run
    leave(box.host, False)
    assert left(box) == before
    assert box.now == {"active": [], "guard": False, "rules": ""}


def test_what_was_there_before_stays(
    box: Machine, state: SidecarState, pushed: dict[str, str]
) -> None:
    box.path("/etc/passwd").write_text("istio-proxy:x:998:998::/var/lib/istio:/bin/false\n")
    box.path("/etc/hosts").write_text("10.0.0.1 istiod.istio-system.svc\n")
    box.path(UNITS + "/mesh-proxy.service.d").mkdir()
    box.path(UNITS + "/mesh-proxy.service.d/local.conf").write_text("[Service]\n")
    before = box.tree()
    joined(box, state, pushed)
    assert box.ran("useradd") == []
    leave(box.host, False)
    assert left(box) == before


@pytest.mark.parametrize("package", ["deb", "rpm"])
def test_a_package_that_we_installed_is_purged_and_others_folders_stay(
    box: Machine, state: SidecarState, package: str, tmp_path: Any
) -> None:
    for folder in ("etc/certs", "var/lib/istio/config", "var/log/istio"):
        (box.root / folder).mkdir(parents=True)
    (box.root / "etc/istio").symlink_to("/var/lib/istio")
    (box.root / "var/lib/istio/config/mesh").write_text("")
    (box.root / "etc/certs/shop.pem").write_text("another's")
    box.path("/etc/mesh-proxy").mkdir()
    box.path(artifacts.RECORD).write_text(json.dumps({"istio-sidecar": {"package": package}}))
    result = leave(box.host, False)
    assert "package istio-sidecar" in [entry["before_header"] for entry in result["diff"]]
    command = "dpkg --purge" if package == "deb" else "rpm --erase"
    assert box.ran(command) == [command + " istio-sidecar"]
    assert (box.root / "etc/certs/shop.pem").read_text() == "another's"
    assert not (box.root / "var/log/istio").exists()
    assert leave(box.host, False)["changed"] is False


def test_a_foreign_package_is_not_purged(
    box: Machine, state: SidecarState, pushed: dict[str, str]
) -> None:
    box.path("/var/lib/istio").mkdir()
    joined(box, state, pushed)
    leave(box.host, False)
    assert not box.ran("dpkg")
    assert box.path("/var/lib/istio").is_dir()


def test_the_resolver_is_as_before(
    box: Machine, state: SidecarState, pushed: dict[str, str]
) -> None:
    box.path("/etc/resolv.conf").symlink_to(STUB)
    before = box.tree()
    joined(box, state, pushed)
    assert box.path("/etc/systemd/resolved.conf.d/mesh-proxy.conf").exists()
    leave(box.host, False)
    assert left(box) == before
    assert len(box.ran("systemctl try-restart systemd-resolved")) == 2


def test_connection_tracking_is_as_before(
    box: Machine, state: SidecarState, pushed: dict[str, str]
) -> None:
    loose = box.path(capture.LOOSE)
    loose.parent.mkdir(parents=True)
    loose.write_text("1\n")
    join(box.host, state, Supply("token", pushed), False)
    assert loose.read_text() == "0\n"
    box.guard_fires()
    leave(box.host, False)
    assert loose.read_text() == "1\n"


def test_without_root_it_says_so(monkeypatch: pytest.MonkeyPatch, box: Machine) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(MachineError, match="become: true"):
        leave(Host("/", box.run), True)
