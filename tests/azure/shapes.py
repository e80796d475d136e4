"""What Azure adds to, hides from and refuses in the documents of each type.

A shape is called under the store's lock, before a written document is kept. ``old`` is what was
kept before. Sources: Azure's REST reference per type, and the fields that the provider reads.
"""

from __future__ import annotations

from collections.abc import Callable

from tests.azure.ids import Address, parse
from tests.azure.store import Document, Refused, Store

TENANT = "11111111-1111-4111-8111-111111111111"

Shape = Callable[[Store, Address, Document, Document | None], None]
Hook = Callable[[Store, Document], None]

SHAPES: dict[str, Shape] = {}
AFTER_DELETE: dict[str, Hook] = {}
# Children that a GET of the outer resource shows in its properties, and a PUT of it replaces.
INLINE: dict[str, dict[str, str]] = {
    "microsoft.network/virtualnetworks": {
        "subnets": "Microsoft.Network/virtualNetworks/subnets",
        "virtualNetworkPeerings": "Microsoft.Network/virtualNetworks/virtualNetworkPeerings",
    },
    "microsoft.network/networksecuritygroups": {
        "securityRules": "Microsoft.Network/networkSecurityGroups/securityRules",
    },
    "microsoft.network/routetables": {"routes": "Microsoft.Network/routeTables/routes"},
}
# Deleting these is refused while another resource names them.
HELD_BY_USERS = {
    "microsoft.compute/disks": ("OperationNotAllowed", 409),
    "microsoft.network/natgateways": ("NatGatewayInUseCannotBeDeleted", 400),
    "microsoft.network/networkinterfaces": ("NicInUse", 400),
    "microsoft.network/networksecuritygroups": ("InUseNetworkSecurityGroupCannotBeDeleted", 400),
    "microsoft.network/publicipaddresses": ("PublicIPAddressCannotBeDeleted", 400),
    "microsoft.network/routetables": ("InUseRouteTableCannotBeDeleted", 400),
    "microsoft.network/virtualnetworks": ("InUseVirtualNetworkCannotBeDeleted", 400),
    "microsoft.network/virtualnetworks/subnets": ("InUseSubnetCannotBeDeleted", 400),
}


def shape(type: str) -> Callable[[Shape], Shape]:
    """Register the shape of a type."""

    def register(function: Shape) -> Shape:
        SHAPES[type.lower()] = function
        return function

    return register


def after_delete(type: str) -> Callable[[Hook], Hook]:
    """Register what follows the deletion of a resource of a type."""

    def register(function: Hook) -> Hook:
        AFTER_DELETE[type.lower()] = function
        return function

    return register


def write(store: Store, address: Address, body: Document) -> Document:
    """Keep a document as Azure would; give what is kept. Raises Refused."""
    store.check_parent(address)
    old = store.get(address.id)
    document = {
        **body,
        "id": old["id"] if old else address.id,
        "name": address.name,
        "type": address.type_as_written,
        "properties": {**body.get("properties", {}), "provisioningState": "Succeeded"},
    }
    if "location" in document:
        document["location"] = document["location"].replace(" ", "").lower()
    inline = INLINE.get(address.type, {})
    children = {key: document["properties"].pop(key, None) for key in inline}
    if address.type in SHAPES:
        SHAPES[address.type](store, address, document, old)
    store.put(document)
    for key, type in inline.items():
        if children[key] is not None:
            replace_children(store, document["id"], key, type, children[key])
    return document


def replace_children(
    store: Store, outer: str, word: str, type: str, children: list[Document]
) -> None:
    """Keep exactly these children; the others are deleted unless something uses them."""
    names = {child["name"].lower() for child in children}
    for kept in store.of_type(type, outer):
        if kept["name"].lower() not in names:
            delete(store, kept["id"])
    for child in children:
        write(
            store,
            parse(f"{outer}/{word}/{child['name']}"),
            {"properties": child.get("properties", {})},
        )


def delete(store: Store, id: str) -> None:
    """Delete as Azure would. Raises Refused where something still uses it."""
    document = store.get(id)
    if document is None:
        return
    type = document["type"].lower()
    if type in HELD_BY_USERS and (users := store.users(id)):
        code, status = HELD_BY_USERS[type]
        raise Refused(status, code, f"{document['id']} is still used by {users[0]}.")
    store.remove(id)
    if type in AFTER_DELETE:
        AFTER_DELETE[type](store, document)


def shown(store: Store, document: Document) -> Document:
    """The document as a GET answers it: with the children that its type shows."""
    inline = INLINE.get(document["type"].lower())
    if inline is None:
        return document
    children = {key: store.of_type(type, document["id"]) for key, type in inline.items()}
    return {**document, "properties": {**document["properties"], **children}}
