# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""The examples under terraform/, by the real provider: applied, and nothing to do afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.config import CHECKOUT
from tests.azure import StandIn, shapes
from tests.azure.ids import parse
from tests.integration.azure.conftest import deploy

NETWORK = "Microsoft.Network/virtualNetworks"


@pytest.fixture(autouse=True)
def empty(azure: StandIn) -> Iterator[None]:
    """Each example has the subscription to itself."""
    yield
    azure.reset()


def somebody_elses(azure: StandIn) -> dict[str, Any]:
    """A resource group and a subnet with a way out, which are not Terraform's here."""
    scope = f"/subscriptions/{azure.subscription}/resourceGroups/theirs"
    shapes.write(azure.store, parse(scope), {"location": "westeurope"})
    subnet = {"name": "old", "properties": {"addressPrefixes": ["10.40.1.0/24"]}}
    space = {"addressSpace": {"addressPrefixes": ["10.40.0.0/16"]}, "subnets": [subnet]}
    body = {"location": "westeurope", "properties": space}
    shapes.write(azure.store, parse(f"{scope}/providers/{NETWORK}/office"), body)
    where = {"resource_group_name": "theirs", "virtual_network_name": "office", "name": "old"}
    return {"resource_group_name": "theirs", "subnet": where}


@pytest.mark.parametrize(
    ("example", "machines"),
    [
        ("minimal", {"shop-api-1"}),
        ("bring_your_own_network", {"shop-api-1"}),
        ("hub_and_spoke", {"shop-api-1", "payments-db-1"}),
    ],
)
def test_example_is_applied_once_and_needs_nothing_more(
    tmp_path: Path,
    azure: StandIn,
    binary: str,
    ssh_public_key: str,
    example: str,
    machines: set[str],
) -> None:
    theirs = somebody_elses(azure) if example == "bring_your_own_network" else {}
    found = deploy(CHECKOUT / "terraform/examples" / example, tmp_path, azure, binary)
    found.variables = {"ssh_public_key": ssh_public_key, **theirs}
    assert set(found.run()["outputs"]["mesh_machines"]) == machines
    assert found.machines() == machines
    assert found.run("planned")["plan"]["changes"] == []
