"""The stand-in's answers, without sockets: what a client relies on."""

from __future__ import annotations

import pytest

from tests.azure import add_fleet, add_scale_set, failed, never_ends
from tests.azure.server import SUBSCRIPTIONS
from tests.unit.azure.conftest import GROUP, MACHINE, NETWORK, NIC, SUBNET, Client

DISK = f"{GROUP}/providers/Microsoft.Compute/disks/m-os"
MACHINES = f"/subscriptions/{SUBSCRIPTIONS[0]}/providers/Microsoft.Compute/virtualMachines"


def refused(client: Client, method: str, path: str) -> tuple[int, str]:
    response = client.ask(method, path)
    assert response.body is not None
    return response.status, response.body["error"]["code"]


def test_missing_things_are_refused_as_azure_does(client: Client) -> None:
    assert refused(client, "GET", NETWORK) == (404, "ResourceGroupNotFound")
    assert refused(client, "PUT", NETWORK) == (404, "ResourceGroupNotFound")
    client.ask("PUT", GROUP, {"location": "westeurope"})
    assert refused(client, "GET", NETWORK) == (404, "ResourceNotFound")
    assert refused(client, "PUT", SUBNET) == (404, "ParentResourceNotFound")
    assert refused(client, "GET", "/subscriptions/x/resourceGroups") == (
        404,
        "SubscriptionNotFound",
    )
    bare = client.manager.answer("GET", GROUP, {}, {}, None)
    assert (bare.status, (bare.body or {})["error"]["code"]) == (400, "MissingApiVersionParameter")


def test_ids_are_found_in_any_case_and_keep_the_first(client: Client) -> None:
    client.network()
    assert client.get(NETWORK.upper().replace("/SUBSCRIPTIONS", "/subscriptions"))["id"] == NETWORK
    assert client.get(GROUP)["location"] == "westeurope"


def test_write_is_an_operation_until_it_has_been_polled(client: Client) -> None:
    client.ask("PUT", GROUP, {"location": "westeurope"})
    response = client.put(NETWORK, addressSpace={"addressPrefixes": ["10.0.0.0/16"]})
    assert response.status == 201
    assert client.get(NETWORK)["properties"]["provisioningState"] == "Creating"
    assert client.poll(response)["status"] == "InProgress"
    assert client.poll(response)["status"] == "Succeeded"
    assert client.get(NETWORK)["properties"]["provisioningState"] == "Succeeded"


def test_failed_operation_leaves_a_failed_resource(client: Client) -> None:
    client.network()
    response = client.ask(
        "PUT", NETWORK, client.get(NETWORK), failed(code="Quota", message="no more")
    )
    client.poll(response)
    ended = client.poll(response)
    assert (ended["status"], ended["error"]["code"]) == ("Failed", "Quota")
    assert client.get(NETWORK)["properties"]["provisioningState"] == "Failed"


def test_stuck_operation_ends_when_it_is_let_go(client: Client) -> None:
    client.network()
    response = client.ask("PUT", NETWORK, client.get(NETWORK), never_ends())
    assert {client.poll(response)["status"] for _ in range(5)} == {"InProgress"}
    assert len(client.manager.stuck_operations()) == 1
    client.manager.end_operations()
    assert client.get(NETWORK)["properties"]["provisioningState"] == "Succeeded"
    assert not client.manager.stuck_operations()


def test_network_shows_its_subnets_and_keeps_them_when_it_is_written_again(client: Client) -> None:
    client.network()
    client.put(NETWORK, {"tags": {"a": "b"}}, addressSpace={"addressPrefixes": ["10.0.0.0/16"]})
    shown = client.get(NETWORK)
    assert [subnet["name"] for subnet in shown["properties"]["subnets"]] == ["a"]
    shown["properties"]["subnets"] = []
    client.ask("PUT", NETWORK, shown)
    assert not client.get(f"{NETWORK}/subnets")["value"]


@pytest.mark.parametrize(
    ("prefix", "code"),
    [
        ("10.1.0.0/24", "NetcfgSubnetRangeOutsideVnet"),
        ("10.0.1.4/30", "NetcfgSubnetRangesOverlap"),
    ],
)
def test_subnet_lies_in_its_network_beside_the_others(
    client: Client, prefix: str, code: str
) -> None:
    client.network()
    response = client.put(f"{NETWORK}/subnets/b", addressPrefixes=[prefix])
    assert (response.status, (response.body or {})["error"]["code"]) == (400, code)


def test_addresses_are_given_out_and_kept_until_none_is_left(client: Client) -> None:
    client.network()
    for number in range(3):
        client.interface(f"{NIC}{number}")
    assert client.interface(f"{NIC}1").status == 200
    found = [
        nic["properties"]["ipConfigurations"][0]["properties"]["privateIPAddress"]
        for nic in client.get(f"{GROUP}/providers/Microsoft.Network/networkInterfaces")["value"]
    ]
    assert found == ["10.0.1.4", "10.0.1.5", "10.0.1.6"]
    assert (client.interface(f"{NIC}9").body or {})["error"]["code"] == "SubnetIsFull"


def test_machine_has_a_disk_an_interface_and_no_secrets(client: Client) -> None:
    client.network()
    client.interface()
    client.machine()
    properties = client.get(MACHINE)["properties"]
    assert set(properties["osProfile"]).isdisjoint({"adminPassword", "customData"})
    assert "instanceView" not in properties
    assert not [key for key in client.get(MACHINE) if key.startswith("_")]
    assert client.get(NIC)["properties"]["virtualMachine"]["id"] == MACHINE
    assert client.get(DISK)["managedBy"] == MACHINE


def test_what_is_in_use_is_not_deleted(client: Client) -> None:
    client.network()
    client.interface()
    client.machine()
    for path, code in {
        NIC: "NicInUse",
        SUBNET: "InUseSubnetCannotBeDeleted",
        NETWORK: "InUseVirtualNetworkCannotBeDeleted",
        DISK: "OperationNotAllowed",
    }.items():
        assert refused(client, "DELETE", path)[1] == code
    for path in (MACHINE, NIC, DISK, SUBNET, NETWORK):
        assert client.ask("DELETE", path).status == 202
    assert list(client.store) == [GROUP]
    assert client.ask("DELETE", NETWORK).status == 204


def test_machine_is_not_made_beside_the_disk_of_a_former_one(client: Client) -> None:
    client.network()
    client.interface()
    client.machine()
    client.ask("DELETE", MACHINE)
    assert (client.machine().body or {})["error"]["code"] == "ConflictingUserInput"
    client.ask("DELETE", DISK)
    assert client.machine().status == 201


def test_interface_serves_one_machine(client: Client) -> None:
    client.network()
    client.interface()
    client.machine()
    assert (client.machine(f"{MACHINE}2").body or {})["error"]["code"] == "NicInUse"


def test_identity_outlives_a_write_without_it(client: Client) -> None:
    client.network()
    client.interface()
    client.machine()
    document = client.get(MACHINE)
    client.ask("PUT", MACHINE, {**document, "identity": {"type": "SystemAssigned"}})
    client.ask("PUT", MACHINE, document)
    assert client.get(MACHINE)["identity"]["principalId"]


def test_patch_merges_and_replaces_tags_as_a_whole(client: Client) -> None:
    client.network()
    client.interface()
    client.machine()
    client.ask("PATCH", MACHINE, {"tags": {"a": "1", "b": "2"}})
    client.ask("PATCH", MACHINE, {"tags": {"a": "3"}, "properties": {"hardwareProfile": {"x": 1}}})
    found = client.get(MACHINE)
    assert found["tags"] == {"a": "3"}
    assert found["properties"]["osProfile"]["computerName"] == "m"
    assert found["properties"]["hardwareProfile"] == {"x": 1}


def test_power_follows_the_actions(client: Client) -> None:
    client.network()
    client.interface()
    client.machine()
    assert client.ask("POST", f"{MACHINE}/deallocate").status == 202
    view = client.get(f"{MACHINE}/instanceView")
    assert view["statuses"][1]["code"] == "PowerState/deallocated"
    shown = client.get(MACHINE, expand="instanceView")["properties"]["instanceView"]
    assert shown == view


def test_list_comes_in_pages_that_lead_to_each_other(client: Client) -> None:
    names = add_fleet(client.store, 25)
    client.manager.page_size = 10
    first = client.get(MACHINES)
    assert "skiptoken=10" in first["nextLink"]
    pages = [first, client.get(MACHINES, skiptoken="10"), client.get(MACHINES, skiptoken="20")]
    assert [item["name"] for page in pages for item in page["value"]] == names
    assert "nextLink" not in pages[-1]
    client.manager.page_size = 25
    assert "nextLink" not in client.get(MACHINES)


def test_list_of_machines_tells_status_or_model(client: Client) -> None:
    add_fleet(client.store, 2, tags={"team": "shop"})
    model = client.get(MACHINES)["value"][0]
    assert model["tags"]["team"] == "shop"
    assert "instanceView" not in model["properties"]
    answer = client.manager.answer(
        "GET", MACHINES, {"api-version": "1", "statusOnly": "true"}, {}, None
    )
    status = (answer.body or {})["value"][0]
    assert status["id"] == model["id"]
    assert "tags" not in status
    assert client.ask("GET", MACHINES, expand="instanceView").status == 400


def test_lists_stay_in_their_subscription_and_type(client: Client) -> None:
    add_fleet(client.store, 2)
    add_fleet(client.store, 3, subscription=SUBSCRIPTIONS[1], group="other")
    add_scale_set(client.store, "web", 4)
    assert len(client.get(MACHINES)["value"]) == 2
    assert len(client.get(MACHINES.replace(SUBSCRIPTIONS[0], SUBSCRIPTIONS[1]))["value"]) == 3
    scale_set = (
        f"/subscriptions/{SUBSCRIPTIONS[0]}/resourceGroups/sets/providers"
        "/Microsoft.Compute/virtualMachineScaleSets/web"
    )
    assert len(client.get(f"{scale_set}/virtualMachines")["value"]) == 4
    assert len(client.get(f"{scale_set}/networkInterfaces")["value"]) == 4
    nics = MACHINES.replace("Compute/virtualMachines", "Network/networkInterfaces")
    assert len(client.get(nics)["value"]) == 2


def test_group_goes_with_all_that_is_in_it(client: Client) -> None:
    client.network()
    client.interface()
    kinds = [item["type"] for item in client.get(f"{GROUP}/resources")["value"]]
    assert kinds == ["Microsoft.Network/virtualNetworks", "Microsoft.Network/networkInterfaces"]
    assert client.ask("DELETE", GROUP).status == 202
    assert len(client.store) == 0


def test_role_is_found_by_name_and_assigned_once(client: Client) -> None:
    client.network()
    roles = f"{NETWORK}/providers/Microsoft.Authorization"
    found = client.get(f"{roles}/roleDefinitions", filter="roleName eq 'Reader'")["value"]
    assert len(found) == 1
    assert not client.get(f"{roles}/roleDefinitions", filter="roleName eq 'No such'")["value"]
    given = {"roleDefinitionId": found[0]["id"], "principalId": "p"}
    assert client.put(f"{roles}/roleAssignments/1", **given).status == 201
    again = client.put(f"{roles}/roleAssignments/2", **given)
    assert (again.status, (again.body or {})["error"]["code"]) == (409, "RoleAssignmentExists")


def test_peering_is_connected_when_both_sides_are_there(client: Client) -> None:
    client.network()
    other = f"{GROUP}/providers/Microsoft.Network/virtualNetworks/w"
    client.put(other, addressSpace={"addressPrefixes": ["10.1.0.0/16"]})
    ways = {
        f"{NETWORK}/virtualNetworkPeerings/w": other,
        f"{other}/virtualNetworkPeerings/v": NETWORK,
    }
    for way, remote in ways.items():
        client.put(way, remoteVirtualNetwork={"id": remote})
    assert {client.get(way)["properties"]["peeringState"] for way in ways} == {"Connected"}


def test_record_sets_come_and_go_at_once_and_the_zone_has_its_own(client: Client) -> None:
    client.network()
    zone = f"{GROUP}/providers/Microsoft.Network/privateDnsZones/mesh.internal"
    assert client.ask("PUT", zone, {"location": "global"}).status == 202
    assert client.get(f"{zone}/SOA/@")["properties"]["fqdn"] == "mesh.internal."
    record = f"{zone}/A/db"
    assert client.put(record, TTL=300, aRecords=[{"ipv4Address": "10.0.1.4"}]).status == 201
    assert client.get(record)["properties"]["fqdn"] == "db.mesh.internal."
    assert client.ask("DELETE", record).status == 204
