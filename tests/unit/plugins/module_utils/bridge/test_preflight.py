# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""A machine that cannot be a bridge is told why, before anything is touched."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import replace

import pytest
from ansible_collections.brownfield.mesh.plugins.module_utils.bridge.preflight import preflight
from ansible_collections.brownfield.mesh.plugins.module_utils.bridge.state import BridgeState

from tests.support.bridge import Box

Render = Callable[..., BridgeState]
# 127.0.0.1:15443 and 0.0.0.0:22 listen.
TCP = "sl\n 0: 0100007F:3C53 00000000:0000 0A\n 1: 00000000:0016 00000000:0000 0A\n"


def test_a_fit_machine_has_no_problem(box: Box, render: Render) -> None:
    (box.root / "proc/net").mkdir(parents=True, exist_ok=True)
    (box.root / "proc/net/tcp").write_text(TCP.replace("3C53", "3C54"))
    assert preflight(box.host, render(), "amd64", time.time()) == []


def test_every_problem_at_once(box: Box, render: Render) -> None:
    shutil.rmtree(box.root / "run/systemd")
    (box.root / "proc/net").mkdir(parents=True, exist_ok=True)
    (box.root / "proc/net/tcp").write_text(TCP)
    unit = box.root / "etc/systemd/system/mesh-proxy.service"
    unit.parent.mkdir(parents=True, exist_ok=True)
    unit.touch()
    box.outputs["nft --version"] = (127, "not installed")
    state = replace(render(), address="192.0.2.1")
    found = preflight(box.host, state, "amd64", time.time() - 3600)
    for words in (
        "systemd does not run",
        "set mesh_machine.address",
        "3600 s ahead of the controller's",
        "nft is not installed; install the package nftables",
        "has joined in mode sidecar",
        "listen where the bridge is to: 127.0.0.1:15443",
    ):
        assert len([problem for problem in found if words in problem]) == 1, (words, found)
    assert len(found) == 6


@pytest.mark.parametrize("taken", ["00000000", "0100007F"])
def test_a_taken_port_is_named(box: Box, render: Render, taken: str) -> None:
    (box.root / "proc/net").mkdir(parents=True, exist_ok=True)
    (box.root / "proc/net/tcp").write_text("sl\n 0: %s:3C53 0:0 0A\n" % taken)
    (problem,) = preflight(box.host, render(), "amd64", 0)
    assert "127.0.0.1:15443" in problem


def test_what_the_bridge_itself_listens_at_is_not_taken(box: Box, render: Render) -> None:
    row = "sl\n 0: 0100007F:3C53 0:0 0A 0:0 0:0 0 %d 0 1\n"
    (box.root / "etc/passwd").write_text("mesh-bridge:x:999:999:brownfield.mesh:/:/bin/false\n")
    for owner, problems in ((box.host.uid("mesh-bridge"), 0), (12345, 1)):
        (box.root / "proc/net/tcp").write_text(row % owner)
        assert len(preflight(box.host, render(), "amd64", 0)) == problems


def test_a_bridge_that_runs_is_told_of_a_taken_port_too(box: Box, render: Render) -> None:
    box.outputs["systemctl is-active --quiet mesh-bridge.service"] = (0, "")
    (box.root / "proc/net/tcp").write_text(TCP)
    (problem,) = preflight(box.host, render(), "amd64", 0)
    assert "127.0.0.1:15443" in problem
    assert "mesh.bridge.port" in problem


@pytest.mark.parametrize(
    ("address", "taken"),
    [
        ("0" * 32, True),  # [::]
        ("0" * 24 + "01000000", False),  # [::1], beside us
        ("0" * 16 + "FFFF00000100007F", True),  # 127.0.0.1, written as IPv6
    ],
)
def test_what_listens_by_ipv6(box: Box, render: Render, address: str, taken: bool) -> None:
    (box.root / "proc/net/tcp6").write_text("sl\n 0: %s:3C53 0:0 0A\n" % address)
    assert bool(preflight(box.host, render(), "amd64", 0)) is taken


def test_a_line_of_others_for_a_name_of_ours_is_named(box: Box, render: Render) -> None:
    state = render()
    lines = "".join(line.render() + "\n" for line in state.files.hosts)
    file = box.root / "etc/hosts"
    file.write_text("127.0.0.1 localhost\n# 192.0.2.1 shop-api.shop\n" + lines)
    assert preflight(box.host, state, "amd64", 0) == []
    file.write_text("192.0.2.1 legacy Shop-API.shop # since 2009\n" + lines)
    (problem,) = preflight(box.host, state, "amd64", 0)
    assert "lead to the bridge: shop-api.shop;" in problem
