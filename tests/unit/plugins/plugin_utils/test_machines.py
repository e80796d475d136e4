# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""The contract of machines: what is right, every refusal, and what Ansible gets."""

from __future__ import annotations

import re
from typing import Any

import pytest
from ansible_collections.brownfield.mesh.plugins.plugin_utils.machines import (
    Machine,
    MachinesError,
    group_name,
    of_sources,
    parse,
)
from hypothesis import given
from hypothesis import strategies as st

FULL = {
    "address": "10.20.1.4",
    "user": "azureuser",
    "ssh_port": 2222,
    "workload": "shop-api",
    "environment": "prod",
    "location": "West Europe",
    "zone": "1",
    "resource_id": "/subscriptions/S/resourceGroups/SHOP/providers/P/virtualMachines/shop-api-1",
    "tags": {"owner": "{{ 1 + 1 }}"},
}
LEAST = {"address": "10.20.1.5", "user": "u", "workload": "cart", "environment": "dev"}


def problems(*sources: tuple[str, Any], allow_empty: bool = False) -> list[str]:
    """Everything that is wrong with the sources."""
    with pytest.raises(MachinesError) as caught:
        of_sources([{"source": name, "machines": value} for name, value in sources], allow_empty)
    return list(caught.value.problems)


def test_all_fields() -> None:
    (machine,) = parse("stack", {"shop-api-1": FULL})
    assert machine.variables() == {
        "ansible_host": "10.20.1.4",
        "ansible_user": "azureuser",
        "ansible_port": 2222,
        "mesh_environment": "prod",
        "mesh_location": "westeurope",
        "mesh_zone": "1",
        "mesh_resource_id": (
            "/subscriptions/s/resourcegroups/shop/providers/p/virtualmachines/shop-api-1"
        ),
        "mesh_tags": {"owner": "{{ 1 + 1 }}"},
    }
    assert machine.groups() == [
        "mesh_machines",
        "shop_api",
        "environment_prod",
        "zone_westeurope_1",
    ]


def test_fields_that_may_be_left_out() -> None:
    nothing = dict.fromkeys(("ssh_port", "location", "zone", "resource_id", "tags"))
    for value in (LEAST, {**LEAST, **nothing}):
        (machine,) = parse("stack", {"cart-1": value})
        assert machine == Machine("cart-1", "10.20.1.5", "u", "cart", "dev")
        assert "ansible_port" not in machine.variables()
        assert "mesh_power_state" not in machine.variables()
        assert machine.groups() == ["mesh_machines", "cart", "environment_dev"]


def test_power_state_where_the_source_knows_it() -> None:
    (machine,) = parse("azure", {"cart-1": {**LEAST, "power_state": "deallocated"}})
    assert machine.variables()["mesh_power_state"] == "deallocated"


@pytest.mark.parametrize(
    ("field", "value", "wanted"),
    [
        ("address", None, "address is missing; write the IPv4 address"),
        ("address", "10.20.1", "address is '10.20.1'; write the IPv4"),
        ("address", "10.20.1.4 -o ProxyCommand=x", "write the IPv4"),
        ("address", 7, "address is 7"),
        ("user", "", "user is ''; write the user"),
        ("user", "a b", "user is 'a b'"),
        ("user", "-oProxyCommand=x", "write the user"),
        ("workload", "Shop", "write the mesh workload"),
        ("workload", "all", "workload is 'all'"),
        ("workload", "mesh-machines", "workload is 'mesh-machines'"),
        ("workload", "shop_api", "inner dashes"),
        ("environment", "prod\n", "environment is 'prod\\n'"),
        ("ssh_port", 0, "ssh_port is 0; write a port"),
        ("ssh_port", True, "ssh_port is True"),
        ("ssh_port", "22", "ssh_port is '22'"),
        ("zone", 1, "zone is 1; write a text, or null"),
        ("tags", {"a": 1}, "tags is {'a': 1}; write a map of texts"),
    ],
)
def test_refusal_names_machine_field_and_what_to_write(field: str, value: Any, wanted: str) -> None:
    (problem,) = problems(("stack", {"cart-1": {**LEAST, field: value}}))
    assert problem.startswith("stack: machine cart-1: ")
    assert wanted in problem


@pytest.mark.parametrize("name", ["", "Cart", "cart_1", "-cart", "a" * 64, "{{ x }}", "localhost"])
def test_names(name: str) -> None:
    (problem,) = problems(("stack", {name: LEAST}))
    assert problem.startswith("stack: machine %s: its name is to be" % name)


@pytest.mark.parametrize("value", [None, [], "text", 3, True])
def test_what_is_no_map(value: Any) -> None:
    assert "write a map of machines by name" in problems(("stack", value))[0]
    assert "write an object" in problems(("stack", {"cart-1": value}))[0]


def test_everything_at_once() -> None:
    found = problems(
        ("one", {"cart-1": {"user": "u"}, "cart-2": {**LEAST, "tags": 3}}),
        ("two", {}),
        ("three", {"cart-3": {**LEAST, "ssh_port": -1}}),
    )
    assert [line.split(";")[0] for line in found] == [
        "one: machine cart-1: address is missing",
        "one: machine cart-1: workload is missing",
        "one: machine cart-1: environment is missing",
        "one: machine cart-2: tags is 3",
        "two: there are no machines",
        "three: machine cart-3: ssh_port is -1",
    ]


def test_one_name_in_two_sources() -> None:
    found = problems(("one", {"cart-1": LEAST}), ("two", {"cart-1": {**LEAST}}))
    assert found == ["two: machine cart-1 is in one, too; give one of them another name"]


def test_one_address_of_two_machines() -> None:
    found = problems(("one", {"cart-1": LEAST, "cart-2": LEAST}))
    assert found == [
        "one: machine cart-2 has the address 10.20.1.5 of machine cart-1; correct one of them"
    ]


def test_machine_that_is_called_as_a_group() -> None:
    other = {**LEAST, "address": "10.20.1.6"}
    (problem,) = problems(("one", {"cart": LEAST, "cart-2": other}))
    assert problem.startswith("one: machine cart is called as a group")


def test_workload_whose_group_is_an_environment() -> None:
    value = {**LEAST, "workload": "environment-dev"}
    (problem,) = problems(("one", {"cart-1": value}))
    assert problem.startswith("workload environment-dev: its group would be that of")


def test_empty_is_right_only_where_it_is_said_so() -> None:
    assert of_sources([{"source": "one", "machines": {}}], allow_empty=True) == []
    assert "allow_empty: true" in problems(("one", {}))[0]
    # Not a way to let what is broken pass.
    assert problems(("one", None), allow_empty=True)


def test_source_has_words_of_its_own() -> None:
    with pytest.raises(MachinesError, match="machine a-1: tag mesh-user is missing"):
        parse("azure", {"a-1": {**LEAST, "user": None}}, {"user": "tag mesh-user"})


LABELS = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", fullmatch=True)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(LABELS, LABELS, st.text())
def test_groups_are_names_that_ansible_takes(workload: str, environment: str, zone: str) -> None:
    machine = Machine("m", "10.0.0.1", "u", workload, environment, location="x", zone=zone)
    for group in machine.groups():
        assert re.fullmatch(r"[a-z0-9_]+", group)
    assert group_name(workload) == workload.replace("-", "_")


@given(st.sampled_from(sorted({*FULL, "power_state"})), ANYTHING)
def test_nothing_is_let_through_that_is_not_understood(field: str, value: Any) -> None:
    try:
        (machine,) = parse("stack", {"cart-1": {**FULL, field: value}})
    except MachinesError as error:
        assert field in str(error)
        return
    told = machine.variables()
    assert re.fullmatch(r"[0-9.]{7,15}", told["ansible_host"])
    assert re.fullmatch(r"[A-Za-z0-9_.-]+", told["ansible_user"])
    assert all(isinstance(text, str) for text in told["mesh_tags"].values())


@given(ANYTHING)
def test_hostile_documents_are_refused_in_words(value: Any) -> None:
    try:
        found = of_sources([{"source": "stack", "machines": value}], allow_empty=True)
    except MachinesError as error:
        assert str(error)
    else:
        assert found == []
