"""The kernel limit is raised once, and given back."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab import network
from lab.config import Lab, LabError


@pytest.fixture
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """A host with one foreign interface; what would be run on it."""
    ran: list[list[str]] = []
    for name in ("LINKS", "NETNS", "INOTIFY_LIMIT", "INOTIFY_BEFORE"):
        monkeypatch.setattr(network, name, tmp_path / name)
    (tmp_path / "LINKS/eth0").mkdir(parents=True)
    (tmp_path / "INOTIFY_LIMIT").write_text("128\n")
    monkeypatch.setattr(network, "run", ran.append)
    monkeypatch.setattr("shutil.which", lambda _: None)
    return ran


def test_the_limit_comes_back_as_it_was(tmp_path: Path, commands: list[list[str]]) -> None:
    limit = tmp_path / "INOTIFY_LIMIT"
    network.up(Lab("one"))
    assert limit.read_text() == "1024\n"
    network.up(Lab("two"))  # must not take 1024 for what was there before
    network.restore_limit()
    assert limit.read_text() == "128\n"
    limit.write_text("4096\n")
    network.restore_limit()  # nothing to give back any more
    assert limit.read_text() == "4096\n"


def test_a_sufficient_limit_is_left_alone(tmp_path: Path, commands: list[list[str]]) -> None:
    (tmp_path / "INOTIFY_LIMIT").write_text("8192\n")
    network.up(Lab())
    assert (tmp_path / "INOTIFY_LIMIT").read_text() == "8192\n"
    assert not (tmp_path / "INOTIFY_BEFORE").exists()


def test_down_deletes_the_labs_own_interfaces_only(
    tmp_path: Path, commands: list[list[str]]
) -> None:
    lab, other = Lab("one"), Lab("two")
    for link in (lab.bridge, f"{lab.bridge}-11", other.bridge, f"{other.bridge}-11"):
        (tmp_path / "LINKS" / link).mkdir()
    network.down(lab)
    assert sorted(argv[-1] for argv in commands) == [lab.bridge, f"{lab.bridge}-11"]
    assert all(argv[:3] == ["ip", "link", "delete"] for argv in commands)


def test_the_bridge_has_an_address_that_no_cable_changes(commands: list[list[str]]) -> None:
    lab = Lab()
    network.up(lab)
    made = next(argv for argv in commands if argv[:3] == ["ip", "link", "add"])
    assert made[made.index("address") + 1] == lab.bridge_mac
    assert lab.bridge_mac not in {lab.mac(machine) for machine in lab.everything}


def test_a_cable_that_the_kernel_has_taken_away_meanwhile_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(network, "LINKS", tmp_path)
    network.cut("bm-1")

    def taken(argv: list[str]) -> str:
        (tmp_path / "bm-1").unlink()
        raise LabError("Cannot find device")

    (tmp_path / "bm-1").touch()
    monkeypatch.setattr(network, "run", taken)
    network.cut("bm-1")


def test_a_cable_that_stays_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "LINKS", tmp_path)
    (tmp_path / "bm-1").touch()

    def refuse(argv: list[str]) -> str:
        raise LabError("Operation not permitted")

    monkeypatch.setattr(network, "run", refuse)
    with pytest.raises(LabError, match="not permitted"):
        network.cut("bm-1")
