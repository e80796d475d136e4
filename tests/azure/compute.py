"""Shapes of Microsoft.Compute: machines, their disks and their power."""

from __future__ import annotations

import copy
import uuid

from tests.azure.access import identity
from tests.azure.ids import Address, parse
from tests.azure.shapes import after_delete, shape, write
from tests.azure.store import Document, Refused, Store, uuid_for

MACHINE = "Microsoft.Compute/virtualMachines"
DISK = "Microsoft.Compute/disks"
# What a POST on a machine makes of its power state.
POWER = {
    "start": "running",
    "restart": "running",
    "poweroff": "stopped",
    "deallocate": "deallocated",
}
KEPT = "_power"  # a machine's power state lies beside its document's keys and is never shown


@shape(MACHINE)
def virtual_machine(store: Store, address: Address, new: Document, old: Document | None) -> None:
    properties = new["properties"]
    if old is None and not properties.get("storageProfile", {}).get("imageReference"):
        raise Refused(400, "InvalidParameter", "Required parameter 'imageReference' is missing.")
    identity(new, old)
    new[KEPT] = old[KEPT] if old else "running"
    properties["vmId"] = uuid_for(address.id)
    properties["timeCreated"] = "2026-01-01T00:00:00+00:00"
    profile = properties.get("osProfile", {})
    for secret in ("adminPassword", "customData"):  # Azure never gives them back
        profile.pop(secret, None)
    if profile:
        profile.setdefault("allowExtensionOperations", True)
        profile.setdefault("requireGuestProvisionSignal", True)
        profile.setdefault("secrets", [])
    properties.pop("userData", None)
    if not any(properties.get("additionalCapabilities", {}).values()):
        properties.pop("additionalCapabilities", None)  # Azure tells only what is on
    _os_disk(store, address, new, old)
    _data_disks(store, new)
    for entry in properties.get("networkProfile", {}).get("networkInterfaces", []):
        nic = store.get(entry["id"])
        if nic is None:
            raise Refused(404, "NotFound", f"Resource {entry['id']} was not found.")
        holder = nic["properties"].get("virtualMachine", {}).get("id", new["id"])
        if holder.lower() != new["id"].lower():
            raise Refused(
                400, "NicInUse", f"Network Interface {nic['id']} is used by existing VM {holder}."
            )
        nic["properties"]["virtualMachine"] = {"id": new["id"]}


def _os_disk(store: Store, address: Address, new: Document, old: Document | None) -> None:
    """The disk that Azure makes from the image, as a resource of its own."""
    disk = new["properties"]["storageProfile"]["osDisk"]
    disk.setdefault("osType", "Linux")
    disk.setdefault("deleteOption", "Detach")
    disk.setdefault("diskSizeGB", 30)
    disk.setdefault("name", f"{address.name}_OsDisk_1_{uuid.uuid4().hex}")
    managed = disk.setdefault("managedDisk", {})
    managed.setdefault("id", f"{address.group}/providers/{DISK}/{disk['name']}")
    if old is None:
        if managed["id"] in store:
            raise Refused(
                409,
                "ConflictingUserInput",
                f"Disk {disk['name']} already exists in resource group {address.group}. Only "
                "CreateOption.Attach is supported.",
            )
        body: Document = {
            "location": new["location"],
            "sku": {"name": managed.get("storageAccountType", "Standard_LRS")},
            "properties": {
                "creationData": {"createOption": "FromImage"},
                "diskSizeGB": disk["diskSizeGB"],
                "osType": disk["osType"],
            },
        }
        if "zones" in new:
            body["zones"] = new["zones"]
        write(store, parse(managed["id"]), body)
    _hold(store, managed["id"], new["id"])


def _data_disks(store: Store, new: Document) -> None:
    attached = set()
    for disk in new["properties"]["storageProfile"].setdefault("dataDisks", []):
        managed = disk.get("managedDisk", {})
        if "id" not in managed:
            raise Refused(400, "InvalidParameter", "The stand-in knows attached data disks only.")
        kept = store.get(managed["id"])
        if kept is None:
            raise Refused(404, "NotFound", f"Disk {managed['id']} is not found.")
        disk.setdefault("diskSizeGB", kept["properties"].get("diskSizeGB"))
        managed.setdefault("storageAccountType", kept.get("sku", {}).get("name"))
        attached.add(managed["id"].lower())
        _hold(store, managed["id"], new["id"])
    os_disk = new["properties"]["storageProfile"]["osDisk"]["managedDisk"]["id"].lower()
    for document in store.of_type(DISK):
        held = document.get("managedBy", "").lower() == new["id"].lower()
        if held and document["id"].lower() not in {*attached, os_disk}:
            _release(document)


def _hold(store: Store, disk_id: str, machine_id: str) -> None:
    disk = store.get(disk_id)
    assert disk is not None
    holder = disk.get("managedBy", machine_id)
    if holder.lower() != machine_id.lower():
        raise Refused(409, "AttachDiskWhileBeingDetached", f"Disk {disk_id} is held by {holder}.")
    disk["managedBy"] = machine_id
    disk["properties"]["diskState"] = "Attached"


def _release(disk: Document) -> None:
    disk.pop("managedBy", None)
    disk["properties"]["diskState"] = "Unattached"


@after_delete(MACHINE)
def machine_is_gone(store: Store, machine: Document) -> None:
    """Interfaces and disks stay, free again, unless their deleteOption says otherwise."""
    profile = machine["properties"]["storageProfile"]
    delete_disks = {
        disk["managedDisk"]["id"].lower()
        for disk in [profile["osDisk"], *profile["dataDisks"]]
        if disk.get("deleteOption") == "Delete"
    }
    for disk in store.of_type(DISK):
        if disk.get("managedBy", "").lower() == machine["id"].lower():
            _release(disk)
        if disk["id"].lower() in delete_disks:
            store.remove(disk["id"])
    for entry in machine["properties"].get("networkProfile", {}).get("networkInterfaces", []):
        if nic := store.get(entry["id"]):
            nic["properties"].pop("virtualMachine", None)


@shape(DISK)
def disk(store: Store, address: Address, new: Document, old: Document | None) -> None:
    properties = new["properties"]
    if old and "managedBy" in old:
        new["managedBy"] = old["managedBy"]
    new.setdefault("sku", {"name": "Standard_LRS"})
    for key, value in {
        "diskState": "Attached" if "managedBy" in new else "Unattached",
        "encryption": {"type": "EncryptionAtRestWithPlatformKey"},
        "networkAccessPolicy": "AllowAll",
        "publicNetworkAccess": "Enabled",
        "timeCreated": "2026-01-01T00:00:00+00:00",
        "uniqueId": uuid_for(address.id),
        "diskIOPSReadWrite": 500,
        "diskMBpsReadWrite": 60,
    }.items():
        properties.setdefault(key, value)


def instance_view(machine: Document) -> Document:
    """A machine's run-time status, as with $expand=instanceView."""
    power = machine.get(KEPT, "running")
    return {
        "computerName": machine["properties"].get("osProfile", {}).get("computerName"),
        "statuses": [
            {
                "code": "ProvisioningState/succeeded",
                "level": "Info",
                "displayStatus": "Provisioning succeeded",
            },
            {"code": f"PowerState/{power}", "level": "Info", "displayStatus": f"VM {power}"},
        ],
    }


def with_instance_view(machine: Document) -> Document:
    result = copy.copy(machine)
    result["properties"] = {**machine["properties"], "instanceView": instance_view(machine)}
    return result


def status_only(machine: Document) -> Document:
    """What a list with statusOnly=true tells of a machine: its status, not its model."""
    properties = machine["properties"]
    return {
        "id": machine["id"],
        "name": machine["name"],
        "type": machine["type"],
        "location": machine["location"],
        "properties": {
            "vmId": properties["vmId"],
            "provisioningState": properties["provisioningState"],
            "instanceView": instance_view(machine),
        },
    }
