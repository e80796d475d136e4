# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""From Azure's JSON to the contract."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.brownfield.mesh.plugins.plugin_utils import azure_client, machines
from ansible_collections.brownfield.mesh.plugins.plugin_utils.azure_machines import (
    WORDS,
    Filter,
    Lists,
    by_name,
    described,
    part,
)
from ansible_collections.brownfield.mesh.plugins.plugin_utils.machines import MachinesError
from azure.core.exceptions import ClientAuthenticationError, DecodeError, HttpResponseError

GROUP = "/subscriptions/s/resourceGroups/shop/providers"
TAGS = {"mesh-workload": "cart", "mesh-environment": "prod", "mesh-user": "azureuser"}


def machine(name: str = "cart-1", tags: dict[str, str] | None = None, **more: Any) -> Any:
    """A machine with two interfaces, of which the second is primary."""
    cards = [
        {"id": f"{GROUP}/Microsoft.Network/networkInterfaces/{name}-a"},
        {
            "id": f"{GROUP}/Microsoft.Network/networkInterfaces/{name}-b".upper(),
            "properties": {"primary": True},
        },
    ]
    return {
        "id": f"{GROUP}/Microsoft.Compute/virtualMachines/{name}",
        "name": name,
        "location": "westeurope",
        "zones": ["2"],
        "tags": TAGS if tags is None else tags,
        "properties": {"networkProfile": {"networkInterfaces": cards}},
        **more,
    }


def interface(name: str, *addresses: str) -> Any:
    """An interface whose last configuration is the primary one."""
    return {
        "id": f"{GROUP}/Microsoft.Network/networkInterfaces/{name}",
        "properties": {
            "ipConfigurations": [
                {"properties": {"privateIPAddress": a, "primary": a == addresses[-1]}}
                for a in addresses
            ]
        },
    }


CARDS = (interface("cart-1-a", "10.0.0.1"), interface("cart-1-b", "10.0.0.2", "10.0.0.3"))


def one(item: Any, wanted: Filter = Filter(), statuses: Any = ()) -> dict[str, Any]:  # noqa: B008
    """The one machine of these lists."""
    ((_name, found),) = described(Lists([item], statuses, CARDS), wanted)
    return found


def none(item: Any, wanted: Filter) -> bool:
    return described(Lists([item], [], CARDS), wanted) == []


def test_primary_configuration_of_the_primary_interface() -> None:
    assert one(machine())["address"] == "10.0.0.3"


def test_all_fields() -> None:
    status = {
        "id": machine()["id"].upper(),
        "properties": {
            "instanceView": {
                "statuses": [
                    {"code": "ProvisioningState/succeeded"},
                    {"code": "PowerState/deallocated"},
                ]
            }
        },
    }
    found = one(machine(tags={**TAGS, "mesh-ssh-port": "2222", "owner": "shop"}), statuses=[status])
    assert found == {
        "address": "10.0.0.3",
        "user": "azureuser",
        "ssh_port": 2222,
        "workload": "cart",
        "environment": "prod",
        "location": "westeurope",
        "zone": "2",
        "resource_id": f"{GROUP}/Microsoft.Compute/virtualMachines/cart-1",
        "power_state": "deallocated",
        "tags": {"owner": "shop"},
    }


def test_power_state_that_azure_does_not_say() -> None:
    assert one(machine())["power_state"] == "unknown"


def test_names_of_tags_have_no_case_and_values_have() -> None:
    tags = {"Mesh-Workload": "cart", "MESH-ENVIRONMENT": "prod", "mesh-User": "u", "Owner": "Shop"}
    found = one(machine(tags=tags), Filter(tags={"owner": "Shop"}))
    assert (found["workload"], found["user"], found["tags"]) == ("cart", "u", {"Owner": "Shop"})
    assert none(machine(tags=tags), Filter(tags={"owner": "shop"}))


def test_filters() -> None:
    assert none(machine(tags={"owner": "me"}), Filter())
    assert none(machine(), Filter(tags={"mesh-environment": "dev"}))
    assert none(machine(), Filter(["other"]))
    assert one(machine(), Filter(["other", "SHOP"], {"mesh-workload": "cart"}))


@pytest.mark.parametrize(
    ("tags", "wanted"),
    [
        (
            {"mesh-workload": "cart"},
            ["tag mesh-user is missing", "tag mesh-environment is missing"],
        ),
        ({**TAGS, "mesh-ssh-port": "ssh"}, ["tag mesh-ssh-port is 'ssh'; write a port"]),
        ({**TAGS, "mesh-user": "{{ x }}"}, ["tag mesh-user is '{{ x }}'"]),
    ],
)
def test_incomplete_tags_are_told_as_tags(tags: dict[str, str], wanted: list[str]) -> None:
    with pytest.raises(MachinesError) as caught:
        machines.parse("here", {"cart-1": one(machine(tags=tags))}, WORDS)
    assert all(text in str(caught.value) for text in wanted)


def test_machine_whose_interface_is_not_in_the_list() -> None:
    found = described(Lists([machine()], [], []), Filter())
    with pytest.raises(MachinesError, match="private address of its primary interface is missing"):
        machines.parse("here", by_name(found), WORDS)


def test_machine_without_interfaces() -> None:
    assert one(machine(properties={}))["address"] is None


def test_one_name_in_two_groups_is_no_one_machine() -> None:
    found = described(Lists([machine("web-0"), machine("WEB_0")], [], []), Filter())
    with pytest.raises(MachinesError, match="web-0 is there twice"):
        by_name(found)


def test_instances_have_the_tags_of_their_scale_set() -> None:
    ((name, found),) = described(
        Lists([machine("web_3", tags={"owner": "x"})], [], [], TAGS), Filter()
    )
    assert (name, found["workload"], found["tags"]) == ("web-3", "cart", {"owner": "x"})


def test_part_of_an_identifier() -> None:
    assert part("/subscriptions/s/RESOURCEGROUPS/Shop", "resourceGroups") == "Shop"
    assert part("/subscriptions/s", "resourceGroups") == ""
    assert part("/subscriptions/s/resourceGroups", "resourceGroups") == ""


def test_query_tells_all_that_is_wrong() -> None:
    query = azure_client.Query(["x", "{{ y }}"], authority="http://a", resource_manager="a")
    assert len(query.problems()) == 4
    assert azure_client.Query([]).problems() == [
        "write subscriptions, or set AZURE_SUBSCRIPTION_ID"
    ]


def test_clouds() -> None:
    seen = [azure_client.Query([], cloud=cloud).endpoints() for cloud in azure_client.CLOUDS]
    assert [(authority, manager) for authority, manager, _scope in seen] == [
        ("https://login.microsoftonline.com", "https://management.azure.com/"),
        ("https://login.microsoftonline.us", "https://management.usgovcloudapi.net/"),
        ("https://login.chinacloudapi.cn", "https://management.chinacloudapi.cn/"),
    ]
    own = azure_client.Query([], authority="https://a", resource_manager="https://b/")
    assert own.endpoints() == ("https://a", "https://b/", "https://b/.default")


def refused(status: int) -> HttpResponseError:
    error = HttpResponseError("(Code) Said.\nCode: Code")
    error.status_code = status
    return error


@pytest.mark.parametrize(
    ("failure", "wanted"),
    [
        (ClientAuthenticationError("AADSTS7000222: expired"), "nobody could log in: AADSTS7000222"),
        (refused(403), "give it the role"),
        (refused(429), "still busy after 6 attempts: (Code) Said.; run again later"),
        (refused(500), "did not answer in full: (Code) Said.; nothing of it is used"),
        (DecodeError("no JSON"), "did not answer in full: no JSON"),
        (KeyError("value"), "did not answer in full"),
    ],
)
def test_errors_in_words(failure: Exception, wanted: str) -> None:
    assert wanted in azure_client.explain(failure)
    assert "\n" not in azure_client.explain(failure)
