# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""What must hold before anything is touched, all of it in one error."""

from __future__ import annotations

import dataclasses
import os
import shutil
import time
from collections import namedtuple
from collections.abc import Callable

import pytest
from ansible_collections.brownfield.mesh.plugins.module_utils import conditions
from ansible_collections.brownfield.mesh.plugins.module_utils.desired import Host, MachineError
from ansible_collections.brownfield.mesh.plugins.module_utils.sidecar import preflight
from ansible_collections.brownfield.mesh.plugins.module_utils.sidecar.join import (
    Supply,
    confirm,
    join,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.sidecar.state import SidecarState

from tests.support.machine import Machine

Render = Callable[..., SidecarState]
TCP = """\
  sl  local_address rem_address   st
   0: 00000000:3A9E 00000000:0000 0A
   1: 0100007F:3A98 00000000:0000 0A
   2: 0100007F:3AA2 0100007F:1538 01
"""


def problems(box: Machine, state: SidecarState, arch: str = "amd64", clock: float = 0) -> list[str]:
    return preflight.preflight(box.host, state, arch, clock)


def test_a_fit_machine_has_none(box: Machine, state: SidecarState) -> None:
    assert problems(box, state, clock=time.time() - 100) == []


def test_all_problems_come_at_once(
    box: Machine, state: SidecarState, monkeypatch: pytest.MonkeyPatch
) -> None:
    (box.root / "run/systemd/system").rmdir()
    (box.root / "proc/net/tcp").write_text(TCP)
    (box.root / "etc/sssd").mkdir()
    (box.root / "etc/sssd/sssd.conf").write_text("")
    monkeypatch.setattr(preflight, "_ssh_port", lambda: 2222)
    usage = namedtuple("usage", "free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(100 << 20))
    box.outputs["iptables --version"] = (127, "")
    box.outputs["nft --version"] = (127, "")
    bad = dataclasses.replace(
        state,
        address="192.0.2.55",
        artifacts=tuple(dataclasses.replace(a, architecture="amd64") for a in state.artifacts),
    )
    bad = dataclasses.replace(
        bad, artifacts=(*bad.artifacts[:1], dataclasses.replace(bad.artifacts[1], name="x"))
    )
    found = problems(box, bad, "amd64", time.time() - 3600)
    for words in (
        "systemd does not run",
        "set mesh_machine.address",
        "SSH comes in on port 2222 but mesh_machine.ssh_port is 22",
        "15000, 15006",
        "3600 s ahead of the controller's",
        "/etc/sssd/sssd.conf",
        "needs the package nftables",
        "less than 500 MB",
    ):
        assert len([p for p in found if words in p]) == 1, (words, found)
    assert len(found) == 8
    with pytest.raises(MachineError, match=r"SSH comes in.*; .*500 MB"):
        join(box.host, bad, Supply(clock=time.time() - 3600), True)


def test_a_clock_behind(box: Machine, state: SidecarState) -> None:
    (problem,) = problems(box, state, clock=time.time() + 300)
    assert "s behind the controller's" in problem


def test_an_architecture_without_artefact(box: Machine, state: SidecarState) -> None:
    amd64 = tuple(dataclasses.replace(a, architecture="amd64") for a in state.artifacts)
    (problem,) = problems(box, dataclasses.replace(state, artifacts=amd64), "arm64")
    assert "arm64" in problem


@pytest.mark.parametrize(
    "kept", [{"exclude_outbound_ports": (636,)}, {"exclude_outbound_cidrs": ("10.0.0.5/32",)}]
)
def test_a_directory_that_is_kept_from_capture(
    box: Machine, render: Render, kept: dict[str, tuple[str, ...]]
) -> None:
    (box.root / "etc/nslcd.conf").write_text("")
    assert len(problems(box, render())) == 1
    assert problems(box, render(**kept)) == []


def test_a_joined_machine_needs_neither_its_ports_nor_the_disk(
    box: Machine, state: SidecarState, pushed: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    join(box.host, state, Supply("token", pushed), False)
    confirm(box.host, state)
    (box.root / "proc/net/tcp").write_text(TCP)
    usage = namedtuple("usage", "free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(0))
    assert problems(box, state) == []


def test_without_root_it_says_so(state: SidecarState, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(MachineError, match="become: true"):
        preflight.preflight(Host("/", lambda argv: (0, "", "")), state, "amd64", 0)


def test_listening_reads_both_families(box: Machine) -> None:
    (box.root / "proc/net/tcp").write_text(TCP)
    (box.root / "proc/net/tcp6").write_text("sl\n 0: " + "0" * 32 + ":0016 x 0A\n")
    assert {port for _, port in conditions.listening(box.host)} == {15006, 15000, 22}


def test_its_own_address_is_found() -> None:
    assert conditions.is_local("127.0.0.1")
    assert not conditions.is_local("192.0.2.1")


@pytest.mark.parametrize(("package", "installer"), [("deb", "dpkg"), ("rpm", "rpm")])
def test_a_package_needs_its_installer_until_it_is_installed(
    box: Machine, state: SidecarState, package: str, installer: str
) -> None:
    other = dataclasses.replace(state, package=package)
    assert problems(box, other) == []
    box.outputs[installer + " --version"] = (127, "")
    (problem,) = problems(box, other)
    assert "package is %s, but this machine has no %s; write" % (package, installer) in problem
    assert problems(box, state) == []
    assert problems(box, dataclasses.replace(other, artifacts=())) == []
