"""A resource manager without sockets."""

from __future__ import annotations

from typing import Any

import pytest

from tests.azure.arm import ResourceManager, Response
from tests.azure.faults import Answer
from tests.azure.server import SUBSCRIPTIONS
from tests.azure.store import Store

GROUP = f"/subscriptions/{SUBSCRIPTIONS[0]}/resourceGroups/g"
NETWORK = f"{GROUP}/providers/Microsoft.Network/virtualNetworks/v"
SUBNET = f"{NETWORK}/subnets/a"
NIC = f"{GROUP}/providers/Microsoft.Network/networkInterfaces/n"
MACHINE = f"{GROUP}/providers/Microsoft.Compute/virtualMachines/m"


class Client:
    """Requests as a client makes them, operations polled to their end."""

    def __init__(self) -> None:
        self.store = Store()
        self.manager = ResourceManager(self.store, "https://stand-in", SUBSCRIPTIONS)

    def ask(
        self, method: str, path: str, body: Any = None, fault: Answer | None = None, **query: str
    ) -> Response:
        found = {"api-version": "2024-01-01"} | {f"${key}": text for key, text in query.items()}
        return self.manager.answer(method, path, found, body or {}, fault)

    def put(self, path: str, body: Any = None, **properties: Any) -> Response:
        return self.ask("PUT", path, {**(body or {}), "properties": properties})

    def get(self, path: str, **query: str) -> Any:
        response = self.ask("GET", path, **query)
        assert response.status == 200, response.body
        return response.body

    def poll(self, response: Response) -> Any:
        url = response.headers["Azure-AsyncOperation"]
        path = url.removeprefix("https://stand-in").split("?")[0]
        return self.get(path)

    def network(self) -> None:
        self.ask("PUT", GROUP, {"location": "West Europe"})
        self.put(NETWORK, addressSpace={"addressPrefixes": ["10.0.0.0/16"]})
        self.put(SUBNET, addressPrefixes=["10.0.1.0/29"])

    def interface(self, id: str = NIC) -> Response:
        configuration = {"name": "primary", "properties": {"subnet": {"id": SUBNET}}}
        return self.put(id, {"location": "westeurope"}, ipConfigurations=[configuration])

    def machine(self, id: str = MACHINE, nic: str = NIC) -> Response:
        return self.put(
            id,
            {"location": "westeurope"},
            storageProfile={
                "imageReference": {"sku": "12-gen2"},
                "osDisk": {"name": f"{id.rsplit('/', 1)[1]}-os", "createOption": "FromImage"},
            },
            osProfile={"computerName": "m", "adminPassword": "x", "customData": "y"},
            networkProfile={"networkInterfaces": [{"id": nic}]},
        )


@pytest.fixture
def client() -> Client:
    return Client()
