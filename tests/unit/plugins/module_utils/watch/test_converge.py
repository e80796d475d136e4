# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Bringing programs and units: nothing unverified, finished by the next run, leaving no trace."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import itertools
import json
import os
import socket
import stat
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.brownfield.mesh.plugins.module_utils import observe
from ansible_collections.brownfield.mesh.plugins.module_utils.desired import (
    File,
    Host,
    MachineError,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.spec import Artifact
from ansible_collections.brownfield.mesh.plugins.module_utils.watch import (
    converge,
    pair,
    programs,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.watch.state import (
    TARGETS,
    VANTAGE_CERTIFICATES,
    VANTAGES,
    Archive,
    Installation,
    Pair,
    Program,
    Unit,
)

from tests.support.machine import Machine

PROGRAM = b"\x7fELF the program"
SCRIPT = b"#!/bin/sh\n"
DATA = "/usr/share/prometheus/alertmanager/default.tmpl"
UNIT = "mesh-thing.service"
OUTSIDE = "/etc/grafana/provisioning/dashboards/mesh-thing.yml"


def tar(members: dict[str, bytes], mode: str = "w:xz") -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=mode) as made:  # type: ignore[call-overload]
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            made.addfile(info, io.BytesIO(content))
    return file.getvalue()


def package(members: dict[str, bytes], data: str = "data.tar.xz") -> bytes:
    """A Debian package as dpkg-deb makes them (deb(5))."""
    parts = {"debian-binary": b"2.0\n", "control.tar.xz": b"odd", data: tar(members)}
    made = b"!<arch>\n"
    for name, content in parts.items():
        made += b"%-16s%-12d%-6d%-6d%-8s%-10d`\n" % (
            name.encode(), 0, 0, 0, b"100644", len(content),
        )  # fmt: skip
        made += content + b"\n" * (len(content) % 2)
    return made


DEB = package(
    {
        "./etc/init.d/prometheus-thing": SCRIPT,
        "./usr/bin/prometheus-thing": PROGRAM,
        "." + DATA: b"template",
    }
)
Wanted = Callable[..., Installation]


@pytest.fixture
def box(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A machine on which what is started answers."""
    monkeypatch.setattr(programs, "architecture", lambda: "amd64")
    monkeypatch.setattr(converge, "READY_SECONDS", 0.01)
    monkeypatch.setattr(converge, "READY_INTERVAL_SECONDS", 0.001)
    monkeypatch.setattr(observe, "get", lambda port, path: (200, ""))
    made = Machine(tmp_path)
    made.outputs["systemctl is-active " + UNIT] = (0, "active\n")
    os.umask(0o022)
    return made


@pytest.fixture
def wanted(tmp_path: Path) -> Wanted:
    def made(content: bytes = DEB, digest: str = "one", outside: bool = True) -> Installation:
        file = tmp_path / "archive"
        file.write_bytes(content)
        artifact = Artifact("thing", hashlib.sha256(content).hexdigest(), path=str(file))
        archive = Archive(
            "thing", "my_artifacts", (Program("thing", ("thing", "prometheus-thing")),),
            (artifact,), (DATA,),
        )  # fmt: skip
        return Installation(
            home="mesh-thing",
            archives=(archive,),
            files=(
                File("/etc/mesh-thing/secret", "hush", 0o600, secret=True),
                *([File(OUTSIDE, "a file of ours", 0o644)] if outside else ()),
            ),
            units=(Unit(UNIT, "[Unit]\n", "multi-user.target", digest, 1, "/"),),
            library=True,
            checks=(("check-it",),),
            gone=() if outside else (OUTSIDE,),
        )

    return made


def bring(box: Machine, state: Installation, check: bool = False) -> dict[str, object]:
    pushed = {"thing": state.archives[0].artifacts[0].path}
    return converge.converge(box.host, state, pushed, check)


def test_it_asks_for_what_only_the_controller_has(box: Machine, wanted: Wanted) -> None:
    before = box.tree()
    result = converge.converge(box.host, wanted(), {}, False)
    assert result == {"changed": False, "diff": [], "needs": ["artifact thing any"]}
    assert box.tree() == before


def test_check_mode_shows_all_and_changes_nothing(box: Machine, wanted: Wanted) -> None:
    before = box.tree()
    result = converge.converge(box.host, wanted(), {}, True)
    assert result["changed"] is True
    assert box.tree() == before
    assert "hush" not in str(result)


@pytest.mark.parametrize(
    "content",
    [DEB, tar({"thing-1.0/LICENSE": b"", "thing-1.0/thing": PROGRAM}, "w:gz"), PROGRAM],
    ids=["Debian", "upstream", "program"],
)
def test_the_program_is_taken_out_of(box: Machine, wanted: Wanted, content: bytes) -> None:
    assert bring(box, wanted(content))["changed"] is True
    program = box.path("/opt/mesh-thing/bin/thing")
    assert program.read_bytes() == PROGRAM
    assert stat.S_IMODE(program.stat().st_mode) == 0o755
    assert box.path(DATA).exists() is (content == DEB)
    assert box.ran("systemctl restart") == ["systemctl restart " + UNIT]
    assert box.ran("check-it")
    # Compiled before anything of it is started.
    compiled = next(n for n, one in enumerate(box.commands) if "compileall" in one)
    assert compiled < box.commands.index("systemctl restart " + UNIT)


def test_a_second_run_has_nothing_to_do(box: Machine, wanted: Wanted) -> None:
    bring(box, wanted())
    box.commands.clear()
    assert converge.converge(box.host, wanted(), {}, False) == {
        "changed": False, "diff": [], "needs": [],
    }  # fmt: skip
    assert box.commands == ["systemctl is-active " + UNIT]


def test_the_code_that_runs_here_is_there(box: Machine, wanted: Wanted) -> None:
    bring(box, wanted())
    name = converge.__name__.replace(".", "/") + ".py"
    assert box.path("/opt/mesh-watch/lib/" + name).read_text() == Path(
        str(converge.__file__)
    ).read_text("utf-8")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (tar({"other": PROGRAM}), "there is no program"),
        (tar({"thing": SCRIPT}), "there is no program"),
        (b"no archive", "cannot be unpacked"),
        (package({}, "data.tar.zst"), "zstd"),
        (b"!<arch>\n", "no data.tar"),
    ],
)
def test_what_cannot_be_used_is_said(
    box: Machine, wanted: Wanted, content: bytes, words: str
) -> None:
    with pytest.raises(MachineError, match=words):
        bring(box, wanted(content))
    assert not box.path("/opt/mesh-thing/bin/thing").exists()


def test_nothing_unverified_is_installed(box: Machine, wanted: Wanted) -> None:
    state = wanted()
    Path(state.archives[0].artifacts[0].path).write_bytes(DEB + b"more")
    with pytest.raises(MachineError, match=r"sha256 is .* but my_artifacts says"):
        bring(box, state)
    assert not box.path("/opt/mesh-thing/bin/thing").exists()


def test_another_architecture_is_said(box: Machine, wanted: Wanted) -> None:
    state = wanted()
    artifact = dataclasses.replace(state.archives[0].artifacts[0], architecture="arm64")
    archive = dataclasses.replace(state.archives[0], artifacts=(artifact,))
    with pytest.raises(MachineError, match=r"no artefact for architecture amd64.*my_artifacts"):
        bring(box, dataclasses.replace(state, archives=(archive,)))


def test_a_run_that_was_killed_before_the_restart_is_finished(box: Machine, wanted: Wanted) -> None:
    bring(box, wanted())
    box.path("/etc/mesh-thing/started.json").write_text("{}")
    box.commands.clear()
    assert bring(box, wanted())["changed"] is True
    assert box.ran("systemctl restart") == ["systemctl restart " + UNIT]


def test_a_unit_that_was_stopped_is_started(box: Machine, wanted: Wanted) -> None:
    bring(box, wanted())
    box.outputs["systemctl is-active " + UNIT] = (3, "inactive\n")
    assert bring(box, wanted())["changed"] is True


def test_a_unit_that_does_not_answer_fails_the_run_and_the_next_tries_again(
    box: Machine, wanted: Wanted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(observe, "get", lambda port, path: (0, "refused"))
    with pytest.raises(MachineError, match="does not answer"):
        bring(box, wanted())
    monkeypatch.setattr(observe, "get", lambda port, path: (200, ""))
    assert bring(box, wanted())["changed"] is True


def test_bad_files_are_found_before_a_unit_is_started_with_them(
    box: Machine, wanted: Wanted
) -> None:
    box.outputs["check-it"] = (1, "line 3: no such receiver")
    with pytest.raises(MachineError, match="no such receiver"):
        bring(box, wanted())
    assert not box.ran("systemctl restart")


def test_a_file_outside_goes_and_what_others_have_there_stays(box: Machine, wanted: Wanted) -> None:
    other = box.path(OUTSIDE).parent / "other.yml"
    bring(box, wanted())
    other.write_text("another's")
    shown = bring(box, wanted(outside=False), check=True)
    assert shown["changed"] and box.path(OUTSIDE).exists()
    assert bring(box, wanted(outside=False))["changed"]
    assert not box.path(OUTSIDE).exists()
    assert other.exists()
    assert not bring(box, wanted(outside=False))["changed"]


def test_it_goes_without_a_trace(box: Machine, wanted: Wanted) -> None:
    box.path("/usr/share/other").mkdir(parents=True)
    box.path("/usr/share/other/file").write_text("")
    before = {k: v for k, v in box.tree().items() if "multi-user" not in k}
    bring(box, wanted())
    box.path("/var/lib/private/mesh-thing").mkdir(parents=True)
    box.path("/var/lib/mesh-thing-state").symlink_to("private/mesh-thing")
    states = ("mesh-thing", "mesh-thing-state")
    result = converge.retire(box.host, "mesh-thing", [UNIT], states, False, [OUTSIDE])
    assert result["changed"] is True
    left = {k for k in box.tree() if "multi-user" not in k and "/opt/mesh-watch" not in k}
    assert left - set(before) == {"/var/lib/private"}
    again = converge.retire(box.host, "mesh-thing", [UNIT], states, False, [OUTSIDE])
    assert [d["before_header"] for d in again["diff"] if d["before_header"] != UNIT] == []


OWN = "prometheus.service"
RELOAD = "systemctl reload " + OWN


def test_a_unit_of_the_users_is_reloaded_when_files_change(box: Machine, wanted: Wanted) -> None:
    given = dataclasses.replace(wanted(), archives=(), units=(), checks=(), reloads=OWN)

    def run() -> object:
        return converge.converge(box.host, given, {}, False)["changed"]

    assert run() is True
    assert box.commands.count(RELOAD) == 1
    assert run() is False
    given = dataclasses.replace(given, files=(File("/etc/mesh-thing/rules", "new", 0o644),))
    assert run() is True
    assert box.commands.count(RELOAD) == 2


def test_a_run_that_was_killed_before_the_reload_is_finished(box: Machine, wanted: Wanted) -> None:
    given = dataclasses.replace(wanted(), archives=(), units=(), checks=(), reloads=OWN)
    box.outputs[RELOAD] = (5, "")
    with pytest.raises(MachineError, match=RELOAD):
        converge.converge(box.host, given, {}, False)
    del box.outputs[RELOAD]
    assert converge.converge(box.host, given, {}, False)["changed"] is True
    assert converge.converge(box.host, given, {}, False)["changed"] is False


def test_units_that_an_earlier_run_started_go_and_the_users_stay(
    box: Machine, wanted: Wanted
) -> None:
    bring(box, wanted())
    unit = box.path("/etc/systemd/system/" + UNIT)
    assert unit.exists()
    own = dataclasses.replace(wanted(), archives=(), units=(), checks=(), reloads=OWN)
    box.path("/etc/systemd/system/" + OWN).write_text("theirs")
    assert converge.converge(box.host, own, {}, True)["changed"] is True
    assert unit.exists()
    converge.converge(box.host, own, {}, False)
    assert not unit.exists()
    assert "systemctl stop " + UNIT in box.commands
    bring(box, wanted())
    assert unit.exists()
    assert box.path("/etc/systemd/system/" + OWN).read_text() == "theirs"
    assert "systemctl stop " + OWN not in box.commands


PAIR = Pair("/etc/mesh-thing/own.key", "/etc/mesh-thing/own.crt")


@pytest.fixture
def keyed(box: Machine, wanted: Wanted, monkeypatch: pytest.MonkeyPatch) -> Installation:
    """An installation with a key of its own that its unit is started with; another one each time.

    A key and its certificate are the same text here.
    """
    numbers = itertools.count()

    def make(host: Host, asked: Pair, owner: str) -> None:
        number = str(next(numbers))
        host.write(File(asked.key, number + owner, 0o600))
        host.write(File(asked.certificate, number + owner, 0o644))

    monkeypatch.setattr(pair, "_make", make)
    monkeypatch.setattr(
        pair,
        "_serves",
        lambda host, asked: (
            bool(host.read(asked.key)) and host.read(asked.key) == host.read(asked.certificate)
        ),
    )
    (unit,) = wanted().units
    unit = dataclasses.replace(unit, content="LoadCredential=key:" + PAIR.key)
    return dataclasses.replace(wanted(), units=(unit,), pair=PAIR)


def test_a_unit_is_started_anew_with_a_key_that_was_made_anew(
    box: Machine, keyed: Installation
) -> None:
    assert bring(box, keyed, check=True)["changed"] is True
    assert not box.path(PAIR.key).exists()
    assert bring(box, keyed)["changed"] is True
    assert bring(box, keyed)["changed"] is False
    assert len(box.ran("systemctl restart")) == 1
    box.path(PAIR.key).unlink()
    assert bring(box, keyed)["changed"] is True
    assert bring(box, keyed)["changed"] is False
    assert len(box.ran("systemctl restart")) == 2


def test_a_run_that_was_killed_when_the_key_was_made_is_finished(
    box: Machine, keyed: Installation
) -> None:
    bring(box, keyed)
    # What another run made, which never came to the restart.
    for path in (PAIR.key, PAIR.certificate):
        box.path(path).write_text("new")
    box.path(PAIR.key).chmod(0o600)
    assert bring(box, keyed)["changed"] is True
    assert len(box.ran("systemctl restart")) == 2


def test_the_key_is_its_whose_unit_reads_it(box: Machine, keyed: Installation) -> None:
    own = dataclasses.replace(keyed, archives=(), units=(), checks=(), reloads=OWN)
    box.outputs["systemctl show --property=User --value " + OWN] = (0, "prometheus\n")
    converge.converge(box.host, own, {}, False)
    assert box.path(PAIR.key).read_text() == "0root"  # there is no such user
    box.path(PAIR.key).unlink()
    with box.path("/etc/passwd").open("a") as file:
        file.write("prometheus:x:101:101::/:/bin/false\n")
    converge.converge(box.host, own, {}, False)
    assert box.path(PAIR.key).read_text() == "1prometheus"


def test_a_server_without_a_page_is_ready_when_it_takes_connections(
    box: Machine, wanted: Wanted
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        unit = dataclasses.replace(wanted().units[0], port=port, ready="")
        assert bring(box, dataclasses.replace(wanted(), units=(unit,)))["changed"] is True
    unit = dataclasses.replace(unit, digest="two")
    with pytest.raises(MachineError, match="does not answer"):
        bring(box, dataclasses.replace(wanted(), units=(unit,)))


def test_who_has_read_our_files_forgets_them_when_they_go(box: Machine, wanted: Wanted) -> None:
    own = dataclasses.replace(wanted(), archives=(), units=(), checks=(), reloads=OWN)
    converge.converge(box.host, own, {}, False)
    box.outputs["systemctl is-active " + OWN] = (0, "active\n")
    box.commands.clear()

    def leave(check: bool = False) -> dict[str, Any]:
        return converge.retire(box.host, "mesh-thing", [UNIT], ["mesh-thing"], check, [OUTSIDE])

    def shown(result: dict[str, Any]) -> list[str]:
        return [one["before_header"] for one in result["diff"]]

    said = leave(check=True)
    assert (shown(said)[-2:], box.ran("systemctl reload")) == ([OWN, "/etc/mesh-thing"], [])
    # Read anew while the files are there, or killed before it is, it would go on with them.
    box.outputs[RELOAD] = (1, "")
    with pytest.raises(MachineError, match=RELOAD):
        leave()
    assert [file.name for file in box.path("/etc/mesh-thing").iterdir()] == ["started.json"]
    del box.outputs[RELOAD]
    assert shown(leave())[-2:] == [OWN, "/etc/mesh-thing"]
    assert not box.path("/etc/mesh-thing").exists()
    assert box.commands.count(RELOAD) == 2


def test_who_does_not_run_is_not_reloaded(box: Machine, wanted: Wanted) -> None:
    own = dataclasses.replace(wanted(), archives=(), units=(), checks=(), reloads=OWN)
    converge.converge(box.host, own, {}, False)
    box.commands.clear()
    converge.retire(box.host, "mesh-thing", [UNIT], ["mesh-thing"], False, [OUTSIDE])
    assert not box.ran("systemctl reload")
    assert not box.path("/etc/mesh-thing").exists()


def test_targets_are_told_of_before_there_is_a_folder_and_written_into_none(box: Machine) -> None:
    assert converge.targets(box.host, "[]", [], {}, installed=False) == []
    told = converge.targets(box.host, "[]", [], {}, installed=True)
    assert [one.what for one in told] == [TARGETS, VANTAGES, VANTAGE_CERTIFICATES]
    box.path(TARGETS).parent.mkdir(parents=True)
    for change in converge.targets(box.host, "[]", [], {}, installed=False):
        change.act()
    assert box.path(TARGETS).read_text() == "[]"
    assert converge.targets(box.host, "[]", [], {}, installed=True) == []


def test_a_vantage_is_watched_as_soon_as_it_is_known_and_from_then_on(box: Machine) -> None:
    box.path(VANTAGES).parent.mkdir(parents=True)
    groups = [{"targets": ["192.0.2.8"], "labels": {"machine": "o-1"}}]

    def watched(shown: dict[str, str]) -> Any:
        for change in converge.targets(box.host, "[]", groups, shown, installed=True):
            change.act()
        return json.loads(box.path(VANTAGES).read_text())

    assert watched({"o-1": ""}) == []
    assert watched({"o-1": "its certificate\n"}) == groups
    assert watched({"o-1": ""}) == groups
    assert watched({}) == []
