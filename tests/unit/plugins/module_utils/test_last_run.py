# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""What a machine remembers of its last run: begun, finished, and what has changed since."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.brownfield.mesh.plugins.module_utils import artifacts, desired, last_run
from ansible_collections.brownfield.mesh.plugins.module_utils.desired import (
    DesiredState,
    Directory,
    File,
    HostsLine,
    Link,
    MachineError,
    User,
)

from tests.support.machine import Machine

FOLDER = artifacts.RECORD_FOLDER
STATE = DesiredState(
    user=User("istio-proxy", "/var/lib/mesh-proxy"),
    directories=(Directory(FOLDER), Directory("/opt/mesh-proxy/bin")),
    files=(File(FOLDER + "/mesh.yaml", "a: 1\n", 0o644), File("/opt/token", "t", secret=True)),
    links=(Link("/etc/systemd/system/x.wants/y", "/etc/systemd/system/y"),),
    hosts=(HostsLine("127.0.0.1", "istiod"),),
)
ENVOY = "/etc/envoy.json"


@pytest.fixture
def box(tmp_path: Path) -> Machine:
    """A machine that looks as STATE says."""
    made = Machine(tmp_path)
    for change in desired.compare(made.host, STATE):
        if not change.what.startswith("user "):
            change.act()
    made.host.write(File(ENVOY, "{}", 0o644))
    return made


def run(
    box: Machine, result: dict[str, Any] | None = None, at: float = 100.9
) -> last_run.LastRun | None:
    last_run.recorded(box.host, STATE, [ENVOY], lambda: result or {"changed": True}, lambda: at)
    return last_run.read(box.host)


def test_a_run_that_finished_has_left_no_drift(box: Machine) -> None:
    record = run(box)
    assert record is not None
    assert (record.began, record.finished) == (100, True)
    assert last_run.drift(box.host, record) == []
    assert {ENVOY, "/etc/hosts", FOLDER, "/opt/mesh-proxy/bin/envoy"} <= set(record.left)
    assert box.path(last_run.RECORD).stat().st_mode & 0o777 == 0o644
    # A file's content is there as a digest only.
    assert "a: 1" not in box.path(last_run.RECORD).read_text()


def _append(path: str) -> Callable[[Machine], None]:
    def act(box: Machine) -> None:
        with box.path(path).open("a") as file:
            file.write("more\n")

    return act


def _our_line(box: Machine) -> None:
    hosts = box.path("/etc/hosts")
    hosts.write_text(hosts.read_text().replace("istiod", "elsewhere"))


def _link(box: Machine) -> None:
    link = box.path(STATE.links[0].path)
    link.unlink()
    link.symlink_to("/dev/null")


BINARY = "/opt/mesh-proxy/bin/envoy"
CHANGES: dict[str, tuple[str, Callable[[Machine], None]]] = {
    "content": (FOLDER + "/mesh.yaml", _append(FOLDER + "/mesh.yaml")),
    "rights": ("/opt/token", lambda box: box.path("/opt/token").chmod(0o644)),
    "gone": (ENVOY, lambda box: box.path(ENVOY).unlink()),
    "folder": (FOLDER, lambda box: box.path(FOLDER).chmod(0o700)),
    "link": (STATE.links[0].path, _link),
    "our line": ("/etc/hosts", _our_line),
    "new": (BINARY, lambda box: box.host.write(File(BINARY, "x", 0o755))),
}


@pytest.mark.parametrize(("path", "act"), CHANGES.values(), ids=CHANGES)
def test_what_changed_since_is_named(
    box: Machine, path: str, act: Callable[[Machine], None]
) -> None:
    record = run(box)
    assert record is not None
    act(box)
    assert last_run.drift(box.host, record) == [path]


def test_a_large_program_is_told_by_size_and_time(box: Machine) -> None:
    box.host.write(File(BINARY, "x" * (last_run.READ_BYTES + 1), 0o755))
    record = run(box)
    assert record is not None
    assert last_run.drift(box.host, record) == []
    os.utime(box.path(BINARY), (1, 1))
    assert last_run.drift(box.host, record) == [BINARY]


def test_lines_of_others_in_hosts_are_theirs(box: Machine) -> None:
    record = run(box)
    assert record is not None
    _append("/etc/hosts")(box)
    assert last_run.drift(box.host, record) == []


@pytest.mark.parametrize("result", [{"needs": ["token"]}, {"needs": [], "confirm": True}])
def test_until_the_controller_has_answered_it_is_not_finished(
    box: Machine, result: dict[str, Any]
) -> None:
    record = run(box, result)
    assert record is not None
    assert not record.finished
    finished = run(box)
    assert finished is not None
    assert finished.finished


def test_a_run_that_fails_is_not_finished_and_keeps_what_the_last_one_left(box: Machine) -> None:
    run(box)
    _append(ENVOY)(box)

    def fail() -> dict[str, Any]:
        raise MachineError("no")

    with pytest.raises(MachineError, match="no"):
        last_run.recorded(box.host, STATE, [ENVOY], fail, lambda: 200.0)
    record = last_run.read(box.host)
    assert record is not None
    assert (record.began, record.finished) == (200, False)
    assert last_run.drift(box.host, record) == [ENVOY]


def test_a_machine_that_was_never_joined_gets_no_folder(tmp_path: Path) -> None:
    box = Machine(tmp_path)
    assert run(box) is None
    assert not box.path(FOLDER).exists()


@pytest.mark.parametrize("text", ["", "half", "[]", '{"began": 1}', '{"x": 1}'])
def test_a_record_that_cannot_be_read_is_none(box: Machine, text: str) -> None:
    box.path(last_run.RECORD).write_text(text)
    assert last_run.read(box.host) is None
    record = run(box)
    assert record is not None
    assert record.finished
