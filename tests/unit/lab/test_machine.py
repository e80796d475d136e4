"""What a machine's file system is given."""

from __future__ import annotations

import shlex
import stat
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab import cgroup, config, machine
from lab.config import Lab, Machine

TEXT = st.text(st.characters(min_codepoint=32, exclude_characters="\x7f", codec="utf-8"))


@given(st.dictionaries(st.from_regex(r"[A-Z_]{1,9}", fullmatch=True), TEXT))
def test_environment_files_keep_every_value(values: dict[str, str]) -> None:
    read = {}
    for line in machine.environment_file(values).split("\n")[:-1]:
        name, _, quoted = line.partition("=")
        # systemd and POSIX sh read these double quotes alike; shlex knows \\ and \" only.
        plain = quoted.replace(r"\$", "$").replace(r"\`", "`")
        (read[name],) = shlex.split(plain)
    assert read == values


def test_files_replace_links_and_have_their_mode(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("kept")
    root = tmp_path / "root"
    (root / "etc").mkdir(parents=True)
    (root / "etc/resolv.conf").symlink_to(outside)
    machine.write(root, "/etc/resolv.conf", "new", 0o600)
    assert outside.read_text() == "kept"
    assert (root / "etc/resolv.conf").read_text() == "new"
    assert stat.S_IMODE((root / "etc/resolv.conf").stat().st_mode) == 0o600


def test_down_finds_every_trace_of_its_own_lab_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(config, "STATE", tmp_path / "state")
    monkeypatch.setattr(machine, "NETNS", tmp_path / "netns")
    monkeypatch.setattr(cgroup, "_mountpoint", lambda: tmp_path / "cgroup")
    for trace in (
        f"netns/{Lab('two').netns(Machine('only-a-namespace', 5))}",
        f"netns/{Lab('two-b').netns(Machine('other', 5))}",
        "state/two/machines/only-files",
        "state/two-b/machines/other",
        "cgroup/brownfield-lab/two/only-a-group",
        "cgroup/brownfield-lab/two-b/other",
    ):
        (tmp_path / trace).mkdir(parents=True)
    found = [item.name for item in machine.of_lab(Lab("two"))]
    assert found == ["only-a-group", "only-a-namespace", "only-files"]


@pytest.mark.parametrize("given", [False, True])
def test_only_who_is_given_it_sees_the_kernels_log(
    given: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(config, "STATE", tmp_path)
    monkeypatch.setattr(cgroup, "_mountpoint", lambda: tmp_path / "cgroup")
    started: list[list[str]] = []
    monkeypatch.setattr(subprocess, "Popen", lambda argv, **_: started.append(argv))
    item = Machine("one", 5, kernel_log=given)
    Lab().root(item).mkdir(parents=True)
    machine.boot(Lab(), item)
    assert ("--bind=/dev/kmsg" in started[0]) is given
    assert ("--capability=CAP_SYSLOG" in started[0]) is given
