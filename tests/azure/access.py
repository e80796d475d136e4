"""Shapes of identities, role assignments and key vaults."""

from __future__ import annotations

from tests.azure.ids import Address
from tests.azure.shapes import TENANT, shape
from tests.azure.store import Document, Refused, Store, uuid_for

# Azure's built-in roles by name: learn.microsoft.com/azure/role-based-access-control/built-in-roles
ROLES = {
    "Contributor": "b24988ac-6180-42a0-ab88-20f7382dd24c",
    "Key Vault Certificate User": "db79e9a7-68ee-4b58-9aeb-b90e7c24fcba",
    "Key Vault Crypto User": "12338af0-0e69-4776-bea7-57ae8d297424",
    "Key Vault Reader": "21090545-7ca7-4776-b22c-e363652d74d2",
    "Key Vault Secrets User": "4633458b-17de-408a-b874-0445c86b69e6",
    "Managed Identity Operator": "f1a07417-d97a-45cb-824c-7a7467783830",
    "Monitoring Metrics Publisher": "3913510d-42f4-4e42-8a64-420c390055eb",
    "Network Contributor": "4d97b98b-1d4f-4787-a291-c67834d212e7",
    "Private DNS Zone Contributor": "b12aa53e-6015-4669-85d0-8515ebb3ae7f",
    "Reader": "acdd72a7-3385-48ef-bd42-f606fba81ae7",
    "Storage Blob Data Contributor": "ba92f5b4-2d11-453d-a403-e96b0029c9fe",
    "Storage Blob Data Reader": "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1",
    "Virtual Machine Administrator Login": "1c0163c0-47e6-4577-8991-ea5c82e286e4",
    "Virtual Machine Contributor": "9980e02c-c2be-4d73-94e8-173b1dc7cf3c",
    "Virtual Machine User Login": "fb879df8-f326-4884-b1cf-06f3ad86be52",
}
ROLE_TYPE = "Microsoft.Authorization/roleDefinitions"


def role_definition(name: str, scope: str = "") -> Document:
    """A built-in role as the resource manager answers it."""
    return {
        "id": f"{scope}/providers/{ROLE_TYPE}/{ROLES[name]}",
        "name": ROLES[name],
        "type": ROLE_TYPE,
        "properties": {
            "roleName": name,
            "type": "BuiltInRole",
            "description": "",
            "assignableScopes": ["/"],
            "permissions": [],
        },
    }


def identity(new: Document, old: Document | None) -> None:
    """Fill in a resource's managed identities; a PUT without the block keeps the former ones."""
    if old and "identity" in old:
        new.setdefault("identity", old["identity"])
    block = new.get("identity")
    if not block:
        return
    kinds = block.get("type", "None").replace(" ", "").split(",")
    if "SystemAssigned" in kinds:
        block["principalId"] = uuid_for("principal", new["id"])
        block["tenantId"] = TENANT
    users = block.get("userAssignedIdentities") or {}
    if "UserAssigned" in kinds:
        block["userAssignedIdentities"] = {
            id: {"principalId": uuid_for("principal", id), "clientId": uuid_for("client", id)}
            for id, value in users.items()
        }
    if kinds == ["None"]:
        del new["identity"]


@shape("Microsoft.ManagedIdentity/userAssignedIdentities")
def user_assigned(store: Store, address: Address, new: Document, old: Document | None) -> None:
    new["properties"].pop("provisioningState")
    new["properties"].update(
        principalId=uuid_for("principal", new["id"]),
        clientId=uuid_for("client", new["id"]),
        tenantId=TENANT,
    )


@shape(ROLE_TYPE)
def custom_role(store: Store, address: Address, new: Document, old: Document | None) -> None:
    properties = new["properties"]
    properties.pop("provisioningState")
    properties["type"] = "CustomRole"
    for other in store.of_type(ROLE_TYPE):
        if other["name"] != new["name"] and (
            other["properties"]["roleName"] == properties["roleName"]
        ):
            raise Refused(
                409, "RoleDefinitionWithSameNameExists", "A custom role with that name exists."
            )


@shape("Microsoft.Authorization/roleAssignments")
def role_assignment(store: Store, address: Address, new: Document, old: Document | None) -> None:
    properties = new["properties"]
    properties.pop("provisioningState")
    properties["scope"] = address.id[: address.id.lower().rindex("/providers/")] or "/"
    role = properties["roleDefinitionId"].rsplit("/", 1)[1]
    properties["roleDefinitionId"] = (
        f"/subscriptions/{address.subscription}/providers/{ROLE_TYPE}/{role}"
    )
    properties.setdefault("principalType", "ServicePrincipal")
    for other in store.of_type(address.type):
        if other["name"] != new["name"] and all(
            other["properties"][key].lower() == properties[key].lower()
            for key in ("scope", "roleDefinitionId", "principalId")
        ):
            raise Refused(409, "RoleAssignmentExists", "The role assignment already exists.")


@shape("Microsoft.KeyVault/vaults")
def vault(store: Store, address: Address, new: Document, old: Document | None) -> None:
    properties = new["properties"]
    properties.setdefault("tenantId", TENANT)
    properties.setdefault("accessPolicies", [])
    properties.setdefault("enableSoftDelete", True)
    properties.setdefault("softDeleteRetentionInDays", 90)
    properties.setdefault("publicNetworkAccess", "Enabled")
    properties["vaultUri"] = f"https://{address.name}.vault.azure.net/"
