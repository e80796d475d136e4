"""Shapes of Microsoft.Network: networks, interfaces, addresses, private DNS."""

from __future__ import annotations

import hashlib
import ipaddress
from typing import Any

from tests.azure.ids import Address, parse
from tests.azure.shapes import shape, write
from tests.azure.store import Document, Refused, Store, uuid_for

NIC = "Microsoft.Network/networkInterfaces"
# RFC 5737: for documentation, routed nowhere.
PUBLIC = [*ipaddress.IPv4Network("203.0.113.0/24").hosts()]


def defaults(properties: Document, **values: Any) -> None:
    for key, value in values.items():
        properties.setdefault(key, value)


@shape("Microsoft.Network/virtualNetworks")
def virtual_network(store: Store, address: Address, new: Document, old: Document | None) -> None:
    defaults(
        new["properties"],
        enableDdosProtection=False,
        resourceGuid=uuid_for(address.id),
        privateEndpointVNetPolicies="Disabled",
    )


@shape("Microsoft.Network/virtualNetworks/subnets")
def subnet(store: Store, address: Address, new: Document, old: Document | None) -> None:
    properties = new["properties"]
    network = store.get(address.parent)
    assert network is not None
    spaces = [
        ipaddress.ip_network(prefix)
        for prefix in network["properties"]["addressSpace"]["addressPrefixes"]
    ]
    prefixes = properties.get("addressPrefixes") or [properties["addressPrefix"]]
    for prefix in map(ipaddress.ip_network, prefixes):
        if not any(prefix.version == s.version and prefix.subnet_of(s) for s in spaces):  # type: ignore[arg-type]
            raise Refused(
                400,
                "NetcfgSubnetRangeOutsideVnet",
                f"Subnet '{address.name}' is not valid because its IP address range is outside "
                f"the IP address range of virtual network '{network['name']}'.",
            )
        for other in store.of_type(address.type, address.parent):
            theirs = ipaddress.ip_network(_prefix(other))
            if other["name"] != address.name and theirs.overlaps(prefix):
                raise Refused(
                    400,
                    "NetcfgSubnetRangesOverlap",
                    f"Subnet '{address.name}' is not valid because its IP address range overlaps "
                    f"with that of an existing subnet in virtual network '{network['name']}'.",
                )
    defaults(
        properties,
        delegations=[],
        privateEndpointNetworkPolicies="Disabled",
        privateLinkServiceNetworkPolicies="Enabled",
    )


@shape("Microsoft.Network/virtualNetworks/virtualNetworkPeerings")
def peering(store: Store, address: Address, new: Document, old: Document | None) -> None:
    properties = new["properties"]
    remote = properties["remoteVirtualNetwork"]["id"]
    state = "Initiated"
    for other in store.of_type(address.type, remote):
        if other["properties"]["remoteVirtualNetwork"]["id"].lower() == address.parent.lower():
            state = other["properties"]["peeringState"] = "Connected"
    properties["peeringState"] = state
    defaults(
        properties,
        allowVirtualNetworkAccess=True,
        allowForwardedTraffic=False,
        allowGatewayTransit=False,
        useRemoteGateways=False,
        peerCompleteVnets=True,
        peeringSyncLevel="FullyInSync",
    )
    network = store.get(remote)
    if network is not None:
        properties["remoteAddressSpace"] = network["properties"]["addressSpace"]


@shape("Microsoft.Network/publicIPAddresses")
def public_ip_address(store: Store, address: Address, new: Document, old: Document | None) -> None:
    taken = {d["properties"].get("ipAddress") for d in store.of_type(address.type)}
    given = (old or {}).get("properties", {}).get("ipAddress")
    defaults(
        new["properties"],
        ipAddress=given or next(str(ip) for ip in PUBLIC if str(ip) not in taken),
        publicIPAddressVersion="IPv4",
        idleTimeoutInMinutes=4,
        ipTags=[],
        ddosSettings={"protectionMode": "VirtualNetworkInherited"},
    )


@shape(NIC)
def network_interface(store: Store, address: Address, new: Document, old: Document | None) -> None:
    properties = new["properties"]
    before = (old or {}).get("properties", {})
    addresses = {
        config["name"]: config["properties"].get("privateIPAddress")
        for config in before.get("ipConfigurations", [])
    }
    for number, config in enumerate(properties["ipConfigurations"]):
        config["id"] = f"{new['id']}/ipConfigurations/{config['name']}"
        inner = config["properties"]
        defaults(
            inner,
            privateIPAllocationMethod="Dynamic",
            privateIPAddressVersion="IPv4",
            primary=number == 0,
            provisioningState="Succeeded",
        )
        if not inner.get("privateIPAddress"):
            kept = addresses.get(config["name"])
            inner["privateIPAddress"] = kept or free_address(store, inner["subnet"]["id"])
    digest = hashlib.sha256(new["id"].lower().encode()).hexdigest().upper()
    defaults(
        properties,
        macAddress="-".join(["00", "0D", "3A", digest[0:2], digest[2:4], digest[4:6]]),
        resourceGuid=uuid_for(new["id"]),
        enableIPForwarding=False,
        enableAcceleratedNetworking=False,
        primary=True,
        nicType="Standard",
    )
    dns = properties.setdefault("dnsSettings", {})
    defaults(dns, dnsServers=[], appliedDnsServers=[])
    dns["internalDomainNameSuffix"] = "internal.cloudapp.net"
    if "virtualMachine" in before:
        properties["virtualMachine"] = before["virtualMachine"]


def _prefix(subnet: Document) -> str:
    properties = subnet["properties"]
    return str((properties.get("addressPrefixes") or [properties.get("addressPrefix")])[0])


def free_address(store: Store, subnet_id: str) -> str:
    """The first free address of a subnet; Azure keeps the first four and the last."""
    document = store.get(subnet_id)
    if document is None:
        raise Refused(400, "InvalidResourceReference", f"Resource {subnet_id} was not found.")
    taken = {
        config["properties"].get("privateIPAddress")
        for nic in store.of_type(NIC)
        for config in nic["properties"]["ipConfigurations"]
        if config["properties"]["subnet"]["id"].lower() == subnet_id.lower()
    }
    network = ipaddress.ip_network(_prefix(document))
    for number in range(4, network.num_addresses - 1):
        if (candidate := str(network[number])) not in taken:
            return candidate
    raise Refused(400, "SubnetIsFull", f"Subnet {subnet_id} has no free address left.")


@shape("Microsoft.Network/networkSecurityGroups")
def security_group(store: Store, address: Address, new: Document, old: Document | None) -> None:
    defaults(new["properties"], resourceGuid=uuid_for(address.id))


@shape("Microsoft.Network/networkSecurityGroups/securityRules")
def security_rule(store: Store, address: Address, new: Document, old: Document | None) -> None:
    properties = new["properties"]
    for other in store.of_type(address.type, address.parent):
        theirs = other["properties"]
        if other["name"].lower() != address.name.lower() and (
            (theirs["direction"], theirs["priority"])
            == (properties["direction"], properties["priority"])
        ):
            raise Refused(
                400,
                "SecurityRuleConflict",
                f"Security rule {address.name} conflicts with rule {other['name']}. Rules cannot "
                "have the same Priority and Direction.",
            )
    for key in ("sourceAddressPrefixes", "destinationAddressPrefixes"):
        properties.setdefault(key, [])
    for key in ("sourcePortRanges", "destinationPortRanges"):
        properties.setdefault(key, [])


@shape("Microsoft.Network/azureFirewalls")
def firewall(store: Store, address: Address, new: Document, old: Document | None) -> None:
    for config in new["properties"]["ipConfigurations"]:
        inner = config["properties"]
        if not inner.get("privateIPAddress") and "subnet" in inner:
            inner["privateIPAddress"] = free_address(store, inner["subnet"]["id"])


@shape("Microsoft.Network/natGateways")
def nat_gateway(store: Store, address: Address, new: Document, old: Document | None) -> None:
    defaults(new["properties"], idleTimeoutInMinutes=4, resourceGuid=uuid_for(address.id))


@shape("Microsoft.Network/routeTables")
def route_table(store: Store, address: Address, new: Document, old: Document | None) -> None:
    defaults(new["properties"], disableBgpRoutePropagation=False, resourceGuid=uuid_for(address.id))


@shape("Microsoft.Network/privateDnsZones")
def private_zone(store: Store, address: Address, new: Document, old: Document | None) -> None:
    defaults(
        new["properties"],
        maxNumberOfRecordSets=25000,
        numberOfRecordSets=1,
        maxNumberOfVirtualNetworkLinks=1000,
        maxNumberOfVirtualNetworkLinksWithRegistration=100,
    )
    if old is None:
        store.put(new)
        soa = {
            "ttl": 3600,
            "soaRecord": {
                "host": "azureprivatedns.net",
                "email": "azureprivatedns-host.microsoft.com",
                "serialNumber": 1,
                "refreshTime": 3600,
                "retryTime": 300,
                "expireTime": 2419200,
                "minimumTtl": 10,
            },
        }
        write(store, parse(f"{address.id}/SOA/@"), {"properties": soa})


@shape("Microsoft.Network/privateDnsZones/virtualNetworkLinks")
def zone_link(store: Store, address: Address, new: Document, old: Document | None) -> None:
    defaults(
        new["properties"],
        virtualNetworkLinkState="Completed",
        registrationEnabled=False,
        resolutionPolicy="Default",
    )


def record_set(store: Store, address: Address, new: Document, old: Document | None) -> None:
    properties = new["properties"]
    if "TTL" in properties:
        properties["ttl"] = properties.pop("TTL")
    zone = parse(address.parent).name
    properties.pop("provisioningState")
    defaults(
        properties,
        fqdn=f"{zone}." if address.name == "@" else f"{address.name}.{zone}.",
        isAutoRegistered=False,
    )


for _kind in ("A", "AAAA", "CNAME", "MX", "PTR", "SOA", "SRV", "TXT"):
    shape(f"Microsoft.Network/privateDnsZones/{_kind}")(record_set)
