"""Reading control groups, on plain folders."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab import cgroup
from lab.config import Lab, LabError, Machine


def test_a_group_that_is_not_there_runs_nothing(tmp_path: Path) -> None:
    assert not cgroup.running(tmp_path / "none")
    assert cgroup.init_pid(tmp_path / "none") == 0
    cgroup.kill(tmp_path / "none")
    cgroup.remove(tmp_path / "none")


def test_init_is_the_process_in_init_scope(tmp_path: Path) -> None:
    cgroup.make(tmp_path)
    scope = tmp_path / "machine/payload/init.scope"
    scope.mkdir(parents=True)
    (scope / "cgroup.procs").write_text("")
    assert cgroup.init_pid(tmp_path) == 0  # it is just coming up
    (scope / "cgroup.procs").write_text("4711\n")
    assert cgroup.init_pid(tmp_path) == 4711


@pytest.mark.parametrize(("populated", "expected"), [(0, False), (1, True)])
def test_running_means_populated(tmp_path: Path, populated: int, expected: bool) -> None:
    (tmp_path / "cgroup.events").write_text(f"populated {populated}\nfrozen 0\n")
    assert cgroup.running(tmp_path) is expected


def test_processes_that_do_not_end_are_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cgroup.events").write_text("populated 1\n")
    clock = iter(range(0, 1000, 4))
    monkeypatch.setattr("time.monotonic", lambda: next(clock))
    with pytest.raises(LabError, match="do not end"):
        cgroup.kill(tmp_path)
    assert (tmp_path / "cgroup.kill").read_text() == "1"


def test_groups_go_with_the_last_lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cgroup, "_mountpoint", lambda: tmp_path)
    one, two = Lab("one"), Lab("two")
    for lab in (one, two):
        cgroup.make(cgroup.of_machine(lab, Machine("m", 5)))
        cgroup.remove(cgroup.of_machine(lab, Machine("m", 5)))
    cgroup.remove_unused(one)
    assert not cgroup.of_lab(one).exists()
    assert cgroup.of_lab(two).exists()
    cgroup.remove_unused(two)
    assert not any(tmp_path.iterdir())
