"""Machines that somebody else made: a fleet, a scale set. For inventory tests and benchmarks."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence

from tests.azure import compute, network, shapes
from tests.azure.ids import parse
from tests.azure.server import SUBSCRIPTIONS
from tests.azure.store import Document, Store, uuid_for

LOCATION = "westeurope"
IMAGE = {"publisher": "Debian", "offer": "debian-12", "sku": "12-gen2", "version": "latest"}


def add_fleet(
    store: Store,
    count: int,
    *,
    subscription: str = SUBSCRIPTIONS[0],
    group: str = "fleet",
    workloads: Sequence[str] = ("shop-api", "payments-db", "legacy-batch"),
    environment: str = "prod",
    tags: Mapping[str, str] | None = None,
    space: str = "10.64.0.0/16",
) -> list[str]:
    """Add machines with an interface each, workloads and zones by turns; give their names.

    Their tags are those of the contract (mesh-workload, mesh-environment, mesh-user) and ``tags``.
    """
    scope = f"/subscriptions/{subscription}/resourceGroups/{group}"
    net = f"{scope}/providers/Microsoft.Network/virtualNetworks/{group}"
    names = []
    with store.lock:
        _write(store, scope, {"location": LOCATION})
        _write(
            store,
            net,
            {
                "location": LOCATION,
                "properties": {
                    "addressSpace": {"addressPrefixes": [space]},
                    "subnets": [{"name": "machines", "properties": {"addressPrefix": space}}],
                },
            },
        )
        for number in range(1, count + 1):
            workload = workloads[number % len(workloads)]
            name = f"{group}-{workload}-{number}"
            address = str(ipaddress.IPv4Network(space)[number + 3])
            contract = {
                "mesh-workload": workload,
                "mesh-environment": environment,
                "mesh-user": "azureuser",
            }
            nic = f"{scope}/providers/{network.NIC}/{name}"
            _write(store, nic, _interface(f"{net}/subnets/machines", address))
            _write(
                store,
                f"{scope}/providers/{compute.MACHINE}/{name}",
                {
                    "location": LOCATION,
                    "zones": [str(number % 3 + 1)],
                    "tags": {**contract, **(tags or {})},
                    "properties": _machine(name, nic),
                },
            )
            names.append(name)
    return names


def add_scale_set(
    store: Store,
    name: str,
    count: int,
    *,
    subscription: str = SUBSCRIPTIONS[0],
    group: str = "sets",
    tags: Mapping[str, str] | None = None,
    addresses: str = "10.96.0.0/24",
) -> list[str]:
    """Add a uniform scale set with its machines and their interfaces; give the machines' names."""
    scope = f"/subscriptions/{subscription}/resourceGroups/{group}"
    id = f"{scope}/providers/Microsoft.Compute/virtualMachineScaleSets/{name}"
    subnet = f"{scope}/providers/Microsoft.Network/virtualNetworks/{group}/subnets/machines"
    names = []
    with store.lock:
        _write(store, scope, {"location": LOCATION})
        sku = {"name": "Standard_B2s", "tier": "Standard", "capacity": count}
        outer: Document = {"location": LOCATION, "sku": sku, "tags": dict(tags or {})}
        _write(store, id, {**outer, "properties": {"orchestrationMode": "Uniform"}})
        for number in range(count):
            machine_id = f"{id}/virtualMachines/{number}"
            nic = f"{machine_id}/networkInterfaces/primary"
            computer = f"{name}{number:06d}"
            document = _write(
                store,
                machine_id,
                {
                    "location": LOCATION,
                    "instanceId": str(number),
                    "tags": dict(tags or {}),
                    "properties": {**_machine(computer, nic), "vmId": uuid_for(machine_id)},
                },
            )
            document["name"] = f"{name}_{number}"
            names.append(document["name"])
            address = str(ipaddress.IPv4Network(addresses)[number + 4])
            interface = _interface(subnet, address)
            interface["properties"]["virtualMachine"] = {"id": machine_id}
            _write(store, nic, interface)
    return names


def _write(store: Store, id: str, body: Document) -> Document:
    return shapes.write(store, parse(id), body)


def _interface(subnet: str, address: str) -> Document:
    config = {
        "name": "primary",
        "properties": {
            "primary": True,
            "privateIPAddress": address,
            "privateIPAllocationMethod": "Dynamic",
            "subnet": {"id": subnet},
        },
    }
    return {"location": LOCATION, "properties": {"primary": True, "ipConfigurations": [config]}}


def _machine(computer: str, nic: str) -> Document:
    return {
        "hardwareProfile": {"vmSize": "Standard_B2s"},
        "storageProfile": {"imageReference": dict(IMAGE), "osDisk": {"createOption": "FromImage"}},
        "osProfile": {"computerName": computer, "adminUsername": "azureuser"},
        "networkProfile": {"networkInterfaces": [{"id": nic, "properties": {"primary": True}}]},
    }
