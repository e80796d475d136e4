# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""The life of the stack `azure`, in the order of the tests: applied, changed, drifted, destroyed.

Its state lies in the azurerm backend, as delivered, in the stand-in's blobs.

The provider alone waits two minutes when it deletes a private zone's link, and twenty seconds when
it makes a role assignment.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from lab.config import CHECKOUT
from tests.azure import StandIn, shapes
from tests.azure.ids import parse
from tests.integration.azure.conftest import (
    MACHINE,
    Deployment,
    changes,
    deploy,
    inventory,
    state_in_blob,
)

NIC = "Microsoft.Network/networkInterfaces"
DISK = "Microsoft.Compute/disks"
HUB = "hub"
STATE = "shop-test.tfstate"
MACHINES: dict[str, dict[str, Any]] = {
    "shop-api-1": {"workload": "shop-api", "subnet": "api", "zone": "1"},
    "shop-api-2": {"workload": "shop-api", "subnet": "api", "zone": "2"},
    "payments-db-1": {
        "workload": "payments-db",
        "subnet": "database",
        "zone": "1",
        "data_disks": {"data": {"lun": 0, "size_gb": 256}},
    },
}


def hub(azure: StandIn) -> dict[str, str]:
    """The cluster's network and a key vault, which somebody else made."""
    scope = f"/subscriptions/{azure.subscription}/resourceGroups/{HUB}"
    network = f"{scope}/providers/Microsoft.Network/virtualNetworks/{HUB}"
    vault = f"{scope}/providers/Microsoft.KeyVault/vaults/shop"
    place = {"location": "westeurope"}
    space = {"addressSpace": {"addressPrefixes": ["10.110.0.0/16"]}}
    shapes.write(azure.store, parse(scope), dict(place))
    shapes.write(azure.store, parse(network), {**place, "properties": space})
    shapes.write(azure.store, parse(vault), {**place, "properties": {}})
    return {"network": network, "vault": vault}


@pytest.fixture(scope="module")
def stack(
    tmp_path_factory: pytest.TempPathFactory, azure: StandIn, binary: str, ssh_public_key: str
) -> Deployment:
    there = hub(azure)
    found = deploy(
        CHECKOUT / "terraform/stacks/azure",
        tmp_path_factory.mktemp("life"),
        azure,
        binary,
        state_in_blob(STATE),
    )
    found.variables = {
        "name": "shop",
        "environment": "test",
        "location": "westeurope",
        "tags": {"owner": "platform"},
        "ssh_public_keys": [ssh_public_key],
        "network": {
            "address_space": ["10.30.0.0/16"],
            "subnets": {
                "api": {
                    "address_prefix": "10.30.1.0/24",
                    "ports": ["8080"],
                    "calls": ["8080", "5432"],
                    "outbound": {
                        "packages": {
                            "priority": 200,
                            "destinations": ["Internet"],
                            "ports": ["443"],
                        }
                    },
                },
                "database": {"address_prefix": "10.30.2.0/24", "ports": ["5432"]},
            },
            "ssh": {"from": ["10.0.9.0/26"]},
            "mesh": {
                "ranges": ["10.110.0.0/16", "10.30.0.0/16"],
                "control_plane": ["10.110.0.10/32"],
            },
            "private_dns": {"zone": "test.mesh.internal", "records": {"db": ["10.30.2.4"]}},
            "peerings": {
                "hub": {
                    "remote_virtual_network_id": there["network"],
                    "reverse": {"resource_group_name": HUB, "virtual_network_name": HUB},
                }
            },
        },
        "workloads": {
            "shop-api": {
                "roles": {"secrets": {"role": "Key Vault Secrets User", "scope": there["vault"]}}
            }
        },
        "machines": {name: dict(machine) for name, machine in MACHINES.items()},
    }
    found.before = set(azure.store)
    return found


def test_apply_makes_three_machines(stack: Deployment) -> None:
    result = stack.run()
    assert result["changed"]
    assert stack.machines() == set(MACHINES)
    told = result["outputs"]["mesh_machines"]
    assert set(told) == set(MACHINES)
    for document in stack.azure.store.of_type(NIC):
        configuration = document["properties"]["ipConfigurations"][0]["properties"]
        assert configuration["privateIPAddress"] == told[document["name"]]["address"]
        assert "publicIPAddress" not in configuration
    assert told["shop-api-1"]["resource_id"] in stack.azure.store
    for document in stack.azure.store.of_type(MACHINE):
        assert document["tags"]["mesh-workload"] == MACHINES[document["name"]]["workload"]
        system = document["properties"]["osProfile"]["linuxConfiguration"]
        assert system["disablePasswordAuthentication"] is True
        assert document["properties"]["securityProfile"]["encryptionAtHost"] is True


def test_state_is_in_the_backend_and_unlocked(stack: Deployment) -> None:
    blob = stack.azure.blobs[STATE]
    assert set(json.loads(blob.content)["outputs"]["mesh_machines"]["value"]) == set(MACHINES)
    assert blob.lease == ""
    assert not list(stack.path.rglob("terraform.tfstate*.backup"))


def test_lock_tells_who_holds_it_and_since_when(stack: Deployment) -> None:
    blob = stack.azure.blobs[STATE]
    lock = {
        "ID": "5ec2e7a1-0000-4000-8000-000000000000",
        "Operation": "OperationTypeApply",
        "Info": "",
        "Who": "deploy@runner-7",
        "Version": "1.11.4",
        "Created": "2026-01-01T12:00:00Z",
        "Path": f"state/{STATE}",
    }
    blob.lease = lock["ID"]
    blob.metadata["terraformlockid"] = base64.b64encode(json.dumps(lock).encode()).decode()
    error = stack.fails("planned", lock_timeout=0)
    assert "deploy@runner-7" in str(error)
    assert "2026-01-01" in str(error)
    blob.lease = ""
    blob.metadata.clear()


def test_second_run_changes_nothing(stack: Deployment) -> None:
    stack.azure.forget_requests()
    result = stack.run()
    assert (result["changed"], result["plan"]["changes"]) == (False, [])
    writes = [stack.azure.count(m, "^/subscriptions/") for m in ("PUT", "PATCH", "DELETE")]
    assert writes == [0, 0, 0]


def test_inventories_from_terraform_and_from_azure_say_the_same(
    stack: Deployment, tmp_path: Path
) -> None:
    azure = stack.azure
    by_terraform = inventory(
        stack,
        tmp_path,
        "a.mesh_terraform.yml",
        {
            "plugin": "brownfield.mesh.terraform",
            "stacks": [
                {
                    "path": str(stack.path),
                    "backend": dict(stack.backend),
                    "binary": stack.binary,
                }
            ],
        },
    )
    by_azure = inventory(
        stack,
        tmp_path,
        "a.mesh_azure.yml",
        {
            "plugin": "brownfield.mesh.azure",
            "subscriptions": [azure.subscription],
            "authority": azure.url,
            "resource_manager": azure.url,
        },
    )
    hosts = by_azure["_meta"]["hostvars"]
    assert set(hosts) == set(MACHINES)
    powers = [host.pop("mesh_power_state") for host in hosts.values()]
    assert powers == [{"__ansible_unsafe": "running"}] * 3
    assert hosts == by_terraform["_meta"]["hostvars"]
    groups = ("shop_api", "payments_db", "environment_test", "zone_westeurope_2", "mesh_machines")
    for group in groups:
        assert sorted(by_azure[group]["hosts"]) == sorted(by_terraform[group]["hosts"])
    assert sorted(by_azure["shop_api"]["hosts"]) == ["shop-api-1", "shop-api-2"]


def test_change_is_just_that(stack: Deployment) -> None:
    stack.variables["machines"]["shop-api-1"]["size"] = "Standard_D4s_v5"
    stack.variables["machines"]["shop-api-2"]["tags"] = {"team": "shop"}
    result = stack.run()
    machine = "module.machine.azurerm_linux_virtual_machine.this"
    assert {
        change["address"]: (change["action"], sorted(change["attributes"]))
        for change in result["plan"]["changes"]
        if "linux_virtual_machine" in change["address"]
    } == {
        f'{machine}["shop-api-1"]': ("update", ["size"]),
        f'{machine}["shop-api-2"]': ("update", ["tags"]),
    }
    store = stack.azure.store
    size = store.find(MACHINE, "shop-api-1")["properties"]["hardwareProfile"]["vmSize"]
    assert size == "Standard_D4s_v5"
    assert store.find(MACHINE, "shop-api-2")["tags"]["team"] == "shop"
    assert store.find(MACHINE, "payments-db-1")["_power"] == "running"
    assert not stack.run("planned")["changed"]


def test_drift_is_seen_and_repaired(stack: Deployment) -> None:
    store = stack.azure.store
    # Somebody deletes a machine with its disk, in the portal, and renames another's workload.
    disk = store.find(MACHINE, "shop-api-2")["properties"]["storageProfile"]["osDisk"]["name"]
    stack.azure.delete(MACHINE, "shop-api-2")
    stack.azure.delete(DISK, disk)
    store.find(MACHINE, "payments-db-1")["tags"]["mesh-workload"] = "mine"
    machine = "module.machine.azurerm_linux_virtual_machine.this"

    seen = stack.run("planned")
    drift = {change["address"]: change["action"] for change in seen["drift"]}
    assert drift[f'{machine}["shop-api-2"]'] == "delete"
    assert drift[f'{machine}["payments-db-1"]'] == "update"
    assert stack.machines() == set(MACHINES) - {"shop-api-2"}

    repaired = changes(stack.run())
    assert repaired[f'{machine}["shop-api-2"]'] == "create"
    assert repaired[f'{machine}["payments-db-1"]'] == "update"
    assert not [address for address in repaired if "shop-api-1" in address]
    assert stack.machines() == set(MACHINES)
    assert store.find(MACHINE, "payments-db-1")["tags"]["mesh-workload"] == "payments-db"
    assert not stack.run("planned")["changed"]


def test_adding_one_and_removing_one_touches_only_those(stack: Deployment) -> None:
    machines = stack.variables["machines"]
    del machines["shop-api-2"]
    machines["shop-api-3"] = {"workload": "shop-api", "subnet": "api", "zone": "3"}
    kept = {
        name: stack.azure.store.find(MACHINE, name)["properties"]["vmId"]
        for name in ("shop-api-1", "payments-db-1")
    }
    done = changes(stack.run())
    assert {key: action for key, action in done.items() if "shop-api-2" in key}
    assert all(
        action == "delete" if "shop-api-2" in key else action == "create" and "shop-api-3" in key
        for key, action in done.items()
    )
    assert stack.machines() == {*kept, "shop-api-3"}
    for name, number in kept.items():
        assert stack.azure.store.find(MACHINE, name)["properties"]["vmId"] == number


def test_destroy_leaves_what_was_there_before(stack: Deployment) -> None:
    result = stack.run("destroyed")
    assert result["plan"]["summary"]["delete"] > 20
    assert set(stack.azure.store) == stack.before
    assert json.loads(stack.azure.blobs[STATE].content)["resources"] == []
