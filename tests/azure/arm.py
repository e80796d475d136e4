"""The resource manager's answers: resources, lists in pages, operations. No sockets here."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, field
from urllib.parse import urlencode

from tests.azure import access, compute, ids, network, shapes
from tests.azure.faults import Answer, Kind
from tests.azure.ids import Address
from tests.azure.shapes import TENANT
from tests.azure.store import Document, Refused, Store, merged, uuid_for, without_nulls

SCALE_SET_NICS = "microsoft.compute/virtualmachinescalesets/networkinterfaces"
SCALE_SET_MACHINE = "Microsoft.Compute/virtualMachineScaleSets/virtualMachines"
MACHINE = compute.MACHINE.lower()
# Sizes that a machine may take where it stands, as its host knows them.
SIZES = ("Standard_B1s", "Standard_B2s", "Standard_B4ms", "Standard_D2s_v5", "Standard_D4s_v5")
# A write on these is an operation that the client polls; on all others it is done at once.
ASYNCHRONOUS = re.compile(r"microsoft\.(compute|network)/")
AT_ONCE = re.compile(r"microsoft\.network/privatednszones/(a|aaaa|cname|mx|ptr|soa|srv|txt)$")
# These answer 202 to a PUT; the others 201 or 200.
ACCEPTED = re.compile(r"microsoft\.(compute/disks|network/privatednszones)")

Query = dict[str, str]


def is_asynchronous(type: str) -> bool:
    """Whether a write or a deletion of that type is an operation to poll."""
    return bool(ASYNCHRONOUS.match(type)) and not AT_ONCE.match(type)


@dataclass
class Response:
    """A status, headers, and a document, or else plain content."""

    status: int
    body: Document | None = None
    headers: dict[str, str] = field(default_factory=dict)
    content: bytes = b""


@dataclass
class Operation:
    """An asynchronous operation; ``outcome`` is what its fault made of it, if any."""

    resource: str
    polls: int
    outcome: Answer | None


class ResourceManager:
    """Answers requests from a store. Callers hold nothing; it takes the store's lock."""

    def __init__(self, store: Store, url: str, subscriptions: tuple[str, ...]) -> None:
        self.store = store
        self.url = url
        self.subscriptions = subscriptions
        self.page_size = 200
        self.operation_polls = 1  # how often an operation answers InProgress before its end
        self._operations: dict[str, Operation] = {}
        self._numbers = itertools.count(1)

    def answer(
        self, method: str, path: str, query: Query, body: Document, fault: Answer | None
    ) -> Response:
        """The answer to one authenticated request. Never raises."""
        try:
            if "api-version" not in query:
                raise Refused(
                    400,
                    "MissingApiVersionParameter",
                    "The api-version query parameter (?api-version=) is required for all requests.",
                )
            with self.store.lock:
                if (fixed := self._fixed(path)) is not None:
                    return fixed
                try:
                    address = ids.parse(path)
                except ValueError:
                    raise Refused(404, "InvalidRequestUri", f"'{path}' is no resource.") from None
                return self._dispatch(method, address, query, body, fault)
        except Refused as refusal:
            return Response(refusal.status, refusal.body())

    def stuck_operations(self) -> list[str]:
        """The operation IDs that a fault keeps from ending."""
        return [
            name
            for name, operation in self._operations.items()
            if operation.outcome is not None and operation.outcome.kind is Kind.STUCK
        ]

    def end_operations(self) -> None:
        """Let everything that is stuck end well."""
        with self.store.lock:
            for operation in self._operations.values():
                operation.outcome = None
                self._settle(operation, "Succeeded")

    # Requests that are about no stored resource.

    def _fixed(self, path: str) -> Response | None:
        parts = path.strip("/").split("/")
        if path.strip("/") == "tenants":
            return Response(200, {"value": [{"id": f"/tenants/{TENANT}", "tenantId": TENANT}]})
        if parts[0] == "subscriptions" and len(parts) > 1 and parts[1] not in self.subscriptions:
            raise Refused(
                404, "SubscriptionNotFound", f"The subscription '{parts[1]}' could not be found."
            )
        if parts == ["subscriptions"]:
            return Response(200, {"value": [self._subscription(s) for s in self.subscriptions]})
        if parts[0] == "subscriptions" and len(parts) == 2:
            return Response(200, self._subscription(parts[1]))
        if "operations" in parts:
            return self._poll(parts[-1])
        if len(parts) == 3 and parts[2] == "providers":
            return Response(200, {"value": []})
        if len(parts) == 4 and parts[2] == "providers":
            return Response(200, {"namespace": parts[3], "registrationState": "Registered"})
        if len(parts) == 3 and parts[2] == "locations":
            return Response(200, {"value": [{"name": "westeurope"}, {"name": "northeurope"}]})
        return None

    def _subscription(self, id: str) -> Document:
        return {
            "id": f"/subscriptions/{id}",
            "subscriptionId": id,
            "tenantId": TENANT,
            "displayName": "stand-in",
            "state": "Enabled",
        }

    def _poll(self, name: str) -> Response:
        operation = self._operations.get(name)
        if operation is None:
            raise Refused(404, "NotFound", f"The operation '{name}' was not found.")
        state: Document = {"id": f"/operations/{name}", "name": name}
        outcome = operation.outcome
        if (outcome is not None and outcome.kind is Kind.STUCK) or operation.polls > 0:
            operation.polls -= 1
            return Response(200, {**state, "status": "InProgress"}, {"Retry-After": "0"})
        if outcome is not None:
            self._settle(operation, "Failed")
            return Response(200, {**state, "status": "Failed", "error": outcome.body})
        self._settle(operation, "Succeeded")
        return Response(200, {**state, "status": "Succeeded"})

    def _settle(self, operation: Operation, provisioning: str) -> None:
        document = self.store.get(operation.resource)
        if document is not None and "provisioningState" in document["properties"]:
            document["properties"]["provisioningState"] = provisioning

    # Requests about resources.

    def _dispatch(
        self, method: str, address: Address, query: Query, body: Document, fault: Answer | None
    ) -> Response:
        if method == "GET" and address.type == access.ROLE_TYPE.lower():
            return self._role_definitions(address, query)
        if method == "GET" and address.word:
            return self._list(address, query)
        if method == "POST" and address.word.lower() in compute.POWER:
            return self._power(address, fault)
        document = self.store.get(address.id)
        if method == "PUT" and not address.word:
            return self._write(address, without_nulls(body), fault, created=document is None)
        if document is None:
            return self._missing(method, address)
        if method == "GET":
            return Response(200, self._shown(document, query))
        if method == "HEAD":
            return Response(204)
        if method == "PATCH":
            kept = self._shown(document, {})
            return self._write(address, merged(kept, without_nulls(body)), fault, patch=True)
        if method == "DELETE":
            return self._delete(address, fault)
        raise Refused(405, "MethodNotAllowed", f"The stand-in has no {method} for {address.id}.")

    def _missing(self, method: str, address: Address) -> Response:
        if method == "DELETE":
            return Response(204)
        if address.type == ids.GROUP_TYPE or (address.group and address.group not in self.store):
            name = address.group.rsplit("/", 1)[1]
            raise Refused(
                404, "ResourceGroupNotFound", f"Resource group '{name}' could not be found."
            )
        raise Refused(
            404,
            "ResourceNotFound",
            f"The Resource '{address.type_as_written}/{address.name}' was not found.",
        )

    def _shown(self, document: Document, query: Query) -> Document:
        type = document["type"].lower()
        if type in {MACHINE, SCALE_SET_MACHINE.lower()} and query.get("$expand") == "instanceView":
            document = compute.with_instance_view(document)
        shown = shapes.shown(self.store, document)
        return {key: value for key, value in shown.items() if key != compute.KEPT}

    def _write(
        self,
        address: Address,
        body: Document,
        fault: Answer | None,
        created: bool = False,
        patch: bool = False,
    ) -> Response:
        document = shapes.write(self.store, address, body)
        status = 201 if created else 200
        asynchronous = is_asynchronous(address.type)
        if patch and address.type.startswith("microsoft.network/"):
            asynchronous = False  # a PATCH there changes tags, and does so at once
        if not asynchronous and fault is None:
            return Response(status, self._shown(document, {}))
        document["properties"]["provisioningState"] = "Creating" if created else "Updating"
        headers = self._begin(address, fault)
        if ACCEPTED.match(address.type):
            status = 202
        return Response(status, self._shown(document, {}), headers)

    def _begin(self, address: Address, fault: Answer | None) -> dict[str, str]:
        name = uuid_for("operation", str(next(self._numbers)))
        self._operations[name] = Operation(address.id, self.operation_polls, fault)
        namespace = address.type_as_written.split("/")[0]
        place = f"/subscriptions/{address.subscription}/providers/{namespace}/locations/westeurope"
        return {
            "Azure-AsyncOperation": f"{self.url}{place}/operations/{name}?api-version=2024-01-01",
            "Retry-After": "0",
        }

    def _delete(self, address: Address, fault: Answer | None) -> Response:
        if fault is None:
            if address.type == ids.GROUP_TYPE:
                self.store.remove(address.id)
            else:
                shapes.delete(self.store, address.id)
        if is_asynchronous(address.type) or address.type == ids.GROUP_TYPE or fault:
            return Response(202, None, self._begin(address, fault))
        return Response(204)

    def _power(self, address: Address, fault: Answer | None) -> Response:
        machine = self.store.get(address.id)
        if machine is None:
            return self._missing("POST", address)
        machine[compute.KEPT] = compute.POWER[address.word.lower()]
        return Response(202, None, self._begin(address, fault))

    def _role_definitions(self, address: Address, query: Query) -> Response:
        """Built-in roles, which are found at every scope, and the store's own."""
        scope = address.id[: address.id.lower().rindex("/providers/")]
        roles = [
            *(access.role_definition(name, scope) for name in access.ROLES),
            *self.store.of_type(access.ROLE_TYPE),
        ]
        if not address.word:
            for role in roles:
                if role["name"].lower() == address.name.lower():
                    return Response(200, role)
            raise Refused(404, "RoleDefinitionDoesNotExist", f"No role {address.name}.")
        wanted = re.fullmatch(r"roleName eq '(.*)'", query.get("$filter", ""))
        found = [
            role for role in roles if not wanted or role["properties"]["roleName"] == wanted[1]
        ]
        return Response(200, {"value": found})

    # Lists.

    def _list(self, address: Address, query: Query) -> Response:
        word = address.word.lower()
        if word == "instanceview":
            machine = self.store.get(address.id)
            if machine is None:
                raise Refused(404, "ResourceNotFound", f"{address.id} was not found.")
            return Response(200, compute.instance_view(machine))
        if word == "vmsizes":
            return Response(200, {"value": [{"name": name} for name in SIZES]})
        if word == "resources":
            found = self._resources(address, query)
        elif address.type == SCALE_SET_NICS:
            found = self.store.of_type(f"{SCALE_SET_MACHINE}/networkInterfaces", address.id)
        else:
            within = address.id
            if address.type.count("/") == 1 and address.type != ids.GROUP_TYPE:
                within = within[: within.lower().rindex("/providers/")]
            found = self.store.of_type(address.type, within)
        if address.type == MACHINE:
            found = self._machines(found, query)
        else:
            found = [self._shown(document, query) for document in found]
        return self._page(address, query, found)

    def _resources(self, address: Address, query: Query) -> list[Document]:
        within = address.id if address.group else f"/subscriptions/{address.subscription}"
        wanted = re.search(r"resourceType eq '([^']*)'", query.get("$filter", ""))
        documents = [self.store.get(id) for id in self.store]
        return [
            document
            for document in documents
            if document is not None
            and document["id"].lower().startswith(f"{within.lower()}/")
            and document["type"].count("/") == 1
            and document["type"].lower() != ids.GROUP_TYPE
            and (wanted is None or document["type"].lower() == wanted[1].lower())
        ]

    def _machines(self, found: list[Document], query: Query) -> list[Document]:
        """A list of machines as Azure gives it: status without model, or model without status."""
        if query.get("$expand") == "instanceView" and "$filter" not in query:
            raise Refused(400, "InvalidParameter", "'$expand' needs a '$filter' in this list.")
        if "$filter" in query:
            wanted = re.fullmatch(
                r"'virtualMachineScaleSet/id' eq '(.*)'", query["$filter"].strip()
            )
            if wanted is None:
                raise Refused(400, "InvalidParameter", "'$filter' knows virtualMachineScaleSet/id.")
            found = [
                machine
                for machine in found
                if machine["properties"].get("virtualMachineScaleSet", {}).get("id", "").lower()
                == wanted[1].lower()
            ]
        if query.get("statusOnly", "").lower() == "true":
            return [compute.status_only(machine) for machine in found]
        return [self._shown(machine, query) for machine in found]

    def _page(self, address: Address, query: Query, found: list[Document]) -> Response:
        start = int(query.get("$skiptoken", "0"))
        end = start + self.page_size
        body: Document = {"value": found[start:end]}
        if end < len(found):
            following = urlencode({**query, "$skiptoken": str(end)})
            body["nextLink"] = f"{self.url}{address.id}/{address.word}?{following}"
        return Response(200, body)


# The shapes of these rooms register themselves when they are imported.
assert network.NIC.lower() in shapes.SHAPES
