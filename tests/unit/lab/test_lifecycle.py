"""The lab's commands wait for each other, and leave no lock behind."""

from __future__ import annotations

import fcntl
import os
import shutil
from pathlib import Path

import pytest

from lab import __main__, config, lifecycle, machine, pki
from lab.config import Lab, LabError


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(lifecycle, "STATE", tmp_path / "labs")
    monkeypatch.setattr(config, "STATE", tmp_path / "labs")
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


@pytest.fixture
def machines(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Makes machines of nothing but their folder; says what happened to them."""
    done: list[str] = []

    def remove(lab: Lab, item: config.Machine) -> None:
        done.append(f"remove {item.name}")
        shutil.rmtree(lab.root(item).parent, ignore_errors=True)

    def prepare(lab: Lab, item: config.Machine) -> None:
        lab.root(item).mkdir(parents=True)

    def boot(_: Lab, item: config.Machine) -> None:
        done.append(f"boot {item.name}")

    def running(_: Lab, item: config.Machine) -> bool:
        return item == config.GATEWAY or f"boot {item.name}" in done

    def nothing(*_: object) -> None: ...

    for function in (remove, prepare, boot, running):
        monkeypatch.setattr(machine, function.__name__, function)
    monkeypatch.setattr(machine, "connect", nothing)
    monkeypatch.setattr(machine, "wait_reachable", nothing)
    monkeypatch.setattr(machine, "of_lab", lambda lab: [
        config.Machine(folder.name, 0) for folder in (lab.dir / "machines").glob("*")
    ])  # fmt: skip
    monkeypatch.setattr(pki, "host_keys", nothing)
    return done


def test_adding_twice_makes_one_machine(machines: list[str]) -> None:
    address = lifecycle.add(Lab(), "cart-1", "bookworm", "shop-api", "first")
    assert [item.name for item in config.added(Lab())] == ["cart-1"]
    assert lifecycle.add(Lab(), "cart-1", "bookworm", "shop-api", "first") == address
    assert machines == ["remove cart-1", "boot cart-1"]


def test_what_a_killed_add_left_is_neither_a_machine_nor_in_the_way(machines: list[str]) -> None:
    half = Lab().to_add("cart-1", "bookworm", "", "")
    machine.prepare(Lab(), half)
    assert config.added(Lab()) == ()
    lifecycle.add(Lab(), "cart-2", "bookworm", "", "")
    assert machines == ["remove cart-1", "remove cart-2", "boot cart-2"]


def test_a_machine_that_does_not_come_up_has_no_record(
    machines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object) -> None:
        raise LabError("machine cart-1: not after 30 s")

    monkeypatch.setattr(machine, "wait_reachable", never)
    with pytest.raises(LabError, match="not after"):
        lifecycle.add(Lab(), "cart-1", "bookworm", "", "")
    assert config.added(Lab()) == ()


def test_a_removed_machine_leaves_no_record_and_can_be_removed_again(machines: list[str]) -> None:
    lifecycle.add(Lab(), "cart-1", "bookworm", "", "")
    lifecycle.remove(Lab(), "cart-1")
    lifecycle.remove(Lab(), "cart-1")
    assert config.added(Lab()) == ()


def test_a_machine_whose_removal_was_killed_counts_as_gone(
    machines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lifecycle.add(Lab(), "cart-1", "bookworm", "", "")

    def killed(*_: object) -> None:
        raise LabError("killed")

    monkeypatch.setattr(machine, "remove", killed)
    with pytest.raises(LabError, match="killed"):
        lifecycle.remove(Lab(), "cart-1")
    assert config.added(Lab()) == ()


def test_the_labs_own_machines_cannot_be_removed(machines: list[str]) -> None:
    with pytest.raises(LabError, match="belongs to the lab"):
        lifecycle.remove(Lab(), "control")
    assert machines == []
