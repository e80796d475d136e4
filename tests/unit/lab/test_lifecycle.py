"""The lab's commands wait for each other, and leave no lock behind."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from lab import __main__, lifecycle
from lab.config import Lab, LabError


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(lifecycle, "STATE", tmp_path / "labs")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    return tmp_path / "labs"


def test_nothing_is_left_of_a_lock(state: Path) -> None:
    with lifecycle._alone(Lab()):
        assert (state / "lab.lock").exists()
    assert not state.exists()


def test_a_second_command_waits_and_then_gives_up(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state.mkdir()
    clock = iter(range(0, 10000, 50))
    monkeypatch.setattr("time.monotonic", lambda: next(clock))
    monkeypatch.setattr("time.sleep", lambda _: None)
    with (state / "lab.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(LabError, match="another command"), lifecycle._alone(Lab()):
            pass
        with lifecycle._alone(Lab("two")):  # another lab is free
            pass


def test_without_root_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(LabError, match="needs root"), lifecycle._alone(Lab()):
        pass


def test_login_checks_the_host_key() -> None:
    command = lifecycle.ssh(Lab(), "shop-api-1", ["uptime"])
    assert "StrictHostKeyChecking=yes" in command
    assert command[-2:] == ["ops@198.18.0.11", "uptime"]


@pytest.mark.parametrize("extra", ["-1", "61"])
def test_impossible_numbers_of_machines_are_refused(extra: str) -> None:
    options = __main__.parser().parse_args(["up", f"--extra={extra}"])
    with pytest.raises(LabError, match="from 0 to 60"):
        __main__.act(Lab(), options)
