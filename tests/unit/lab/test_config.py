"""Names, addresses and settings of a lab."""

from __future__ import annotations

import dataclasses
import ipaddress
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab import config
from lab.config import Lab, LabError

NAMES = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,18}[a-z0-9])?", fullmatch=True)


@pytest.fixture(autouse=True)
def _state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "STATE", tmp_path)
    monkeypatch.delenv("LAB_NAME", raising=False)
    monkeypatch.delenv("LAB_RANGE", raising=False)


def everything(lab: Lab) -> list[config.Machine]:
    return list(lab.everything)


def test_machines_have_addresses_of_their_own_within_the_range() -> None:
    lab = Lab(extra=config.MAX_EXTRA)
    addresses = [lab.address(machine) for machine in everything(lab)]
    assert len({*addresses, lab.host_address}) == len(addresses) + 1
    assert all(ipaddress.ip_address(address) in lab.network for address in addresses)
    assert str(lab.network.broadcast_address) not in addresses


@given(NAMES)
def test_interface_names_fit_the_kernel(name: str) -> None:
    lab = Lab(name, extra=config.MAX_EXTRA)
    assert all(len(lab.link(machine)) <= 15 for machine in everything(lab))


def test_hardware_addresses_are_local_unicast_and_one_per_machine() -> None:
    lab = Lab(extra=config.MAX_EXTRA)
    addresses = [lab.mac(machine) for machine in everything(lab)]
    assert len(set(addresses)) == len(addresses)
    assert all(re.fullmatch(r"02(:[0-9a-f]{2}){5}", address) for address in addresses)


@given(st.lists(NAMES, min_size=2, max_size=2, unique=True))
def test_two_labs_share_no_name(names: list[str]) -> None:
    one, other = (Lab(name, extra=2) for name in names)
    for kind in (Lab.netns, Lab.link, Lab.root):
        assert not {kind(one, m) for m in everything(one)} & {
            kind(other, m) for m in everything(other)
        }
    assert one.bridge != other.bridge


def test_an_unknown_machine_is_named_with_those_there_are() -> None:
    with pytest.raises(LabError, match=r"'shop-1'.*shop-api-1"):
        Lab().machine("shop-1")


def test_settings_come_from_arguments_then_environment_then_defaults(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert config.load() == Lab("lab", config.DEFAULT_RANGE)
    monkeypatch.setenv("LAB_NAME", "two")
    monkeypatch.setenv("LAB_RANGE", "198.18.1.0/24")
    assert config.load() == Lab("two", ipaddress.IPv4Network("198.18.1.0/24"))
    assert config.load("three", "198.18.2.0/24").name == "three"


def test_a_started_lab_remembers_its_settings() -> None:
    lab = Lab("two", ipaddress.IPv4Network("198.18.1.0/24"), 3)
    config.save(lab)
    assert config.load("two") == lab
    assert config.load("two", "198.18.1.0/24") == lab
    with pytest.raises(LabError, match="take it down"):
        config.load("two", "198.18.9.0/24")


def test_overlapping_ranges_are_refused() -> None:
    config.save(Lab("one"))
    with pytest.raises(LabError, match=r"lab 'one' has the range 198\.18\.0\.0/24"):
        config.save(Lab("two", ipaddress.IPv4Network("198.18.0.0/23")))
    config.save(Lab("one", extra=4))  # itself again


@pytest.mark.parametrize("name", ["a.b", "x" * 21, "-a", "a-", "../etc", "Ab", "a b"])
def test_bad_names_are_refused(name: str) -> None:
    with pytest.raises(LabError, match="LAB_NAME"):
        config.load(name)


@pytest.mark.parametrize("text", ["198.18.0.1/24", "198.18.0.0/25", "fd00::/64", "lab"])
def test_bad_ranges_are_refused_with_an_example(text: str) -> None:
    with pytest.raises(LabError, match=r"LAB_RANGE.*198\.18\.0\.0/24"):
        config.load("", text)


def added(lab: Lab, name: str, tag: str = "") -> Lab:
    """The lab after this machine was added to it."""
    machine = lab.to_add(name, "bookworm", "shop-api", tag)
    lab.record(machine).parent.mkdir(parents=True, exist_ok=True)
    config.record(lab, machine)
    return config.load(lab.name)


@given(st.lists(NAMES, max_size=40, unique=True))
def test_added_machines_have_addresses_that_nobody_else_has(names: list[str]) -> None:
    lab = Lab(extra=config.MAX_EXTRA)
    for name in names:
        machine = lab.to_add(name, "bookworm", "", "")
        lab = dataclasses.replace(lab, added=(*lab.added, machine))
    addresses = [lab.address(machine) for machine in everything(lab)]
    assert len({*addresses, lab.host_address}) == len(addresses) + 1
    assert all(ipaddress.ip_address(address) in lab.network for address in addresses)


def test_an_added_machine_is_known_from_its_record_and_no_part_of_the_inventory() -> None:
    config.save(Lab())
    lab = added(Lab(), "cart-1", "first")
    machine = lab.machine("cart-1")
    assert (machine.app, machine.tag) == ("shop-api", "first")
    assert machine not in lab.machines
    assert lab.record(machine).with_name("address").read_text() == lab.address(machine)
    assert lab.to_add("cart-1", "bookworm", "shop-api", "first") == machine


def test_a_machine_that_comes_again_has_its_address_again() -> None:
    lab = added(added(Lab(), "cart-1"), "cart-2")
    before = lab.machine("cart-1")
    lab.record(before).unlink()
    again = config.load().to_add("cart-1", "trixie", "", "second")
    assert again.number == before.number


def test_another_machine_of_the_same_name_is_refused() -> None:
    lab = added(Lab(), "cart-1", "first")
    with pytest.raises(LabError, match=r"there as another one.*tag first.*remove it first"):
        lab.to_add("cart-1", "bookworm", "shop-api", "second")
    with pytest.raises(LabError, match=r"there as another one.*log not given.*remove it first"):
        lab.to_add("cart-1", "bookworm", "shop-api", "first", kernel_log=True)


@pytest.mark.parametrize("name", ["control", "shop-api-1", "bench-07", "a.b", "-a", "a" * 41, ""])
def test_names_of_the_lab_and_impossible_ones_cannot_be_added(name: str) -> None:
    with pytest.raises(LabError, match=r"the lab has this name|up to 40"):
        Lab().to_add(name, "bookworm", "", "")


def test_a_full_lab_says_so() -> None:
    lab = Lab()
    for number in range(len(config.ADDED_NUMBERS)):
        machine = lab.to_add(f"m-{number}", "bookworm", "", "")
        lab = dataclasses.replace(lab, added=(*lab.added, machine))
    with pytest.raises(LabError, match="no address left"):
        lab.to_add("one-more", "bookworm", "", "")
