# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""OpenTofu with the same provider and backend: applied, planned again, destroyed."""

from __future__ import annotations

from pathlib import Path

from lab import tools
from tests.azure import StandIn
from tests.integration.azure.conftest import deploy, state_in_blob


def test_opentofu_does_the_same(tmp_path: Path, azure: StandIn, ssh_public_key: str) -> None:
    tofu = str(tools.go_tools("opentofu") / "tofu")
    fleet = deploy(Path(__file__).parent / "fleet", tmp_path, azure, tofu, state_in_blob("fleet"))
    fleet.variables = {"ssh_public_key": ssh_public_key, "machines": {"a": {}, "b": {}}}
    assert fleet.run()["changed"]
    assert fleet.machines() == {"a", "b"}
    assert not fleet.run("planned")["changed"]
    assert b"azurerm_linux_virtual_machine" in azure.blobs["fleet"].content
    fleet.run("destroyed")
    assert len(azure.store) == 0
