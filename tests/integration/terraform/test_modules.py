# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""One machine more or less touches only that one: read from the plans of `terraform test`."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from lab.config import CHECKOUT
from lab.terraform import cli_config
from lab.tools import go_tools

Plans = dict[str, dict[str, str]]


@pytest.fixture(scope="module", params=["terraform", "tofu"])
def binary(request: pytest.FixtureRequest) -> str:
    """The program that plans."""
    return str(go_tools("opentofu") / "tofu") if request.param == "tofu" else "terraform"


def planned(binary: str, folder: str, scratch: Path) -> Plans:
    """What the plans of tests/keys.tftest.hcl do, by run: address to actions, without no-op."""
    copy = scratch / "terraform"
    shutil.copytree(CHECKOUT / "terraform", copy, ignore=shutil.ignore_patterns(".terraform*"))
    environment = {**os.environ, "TF_CLI_CONFIG_FILE": str(cli_config(scratch))}

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [binary, f"-chdir={copy / folder}", *arguments],
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    run("init", "-backend=false", "-input=false")
    lines = run("test", "-json", "-verbose", "-filter=tests/keys.tftest.hcl").splitlines()
    events = [json.loads(line) for line in lines]
    return {
        event["@testrun"]: {
            change["address"]: "/".join(change["change"]["actions"])
            for change in event["test_plan"]["resource_changes"]
            if change["change"]["actions"] != ["no-op"]
        }
        for event in events
        if event.get("type") == "test_plan"
    }


def test_a_machine_comes_and_goes_alone(binary: str, tmp_path: Path) -> None:
    """With its interface and its disk; another operator's key is no reason to touch the others."""

    def all_of(name: str, action: str) -> dict[str, str]:
        return {
            f'azurerm_network_interface.this["{name}"]': action,
            f'azurerm_linux_virtual_machine.this["{name}"]': action,
            f'azurerm_managed_disk.this["{name}/data"]': action,
            f'azurerm_virtual_machine_data_disk_attachment.this["{name}/data"]': action,
        }

    assert planned(binary, "modules/machine", tmp_path) == {
        "one_added_in_between": all_of("shop-api-2", "create"),
        "first_one_removed": all_of("shop-api-1", "delete"),
    }


def test_in_the_stack_too(binary: str, tmp_path: Path) -> None:
    """The first machine of a workload brings the workload's identity along; nothing else moves."""
    machine = "module.machine.azurerm_linux_virtual_machine.this"
    interface = "module.machine.azurerm_network_interface.this"
    assert planned(binary, "stacks/azure", tmp_path) == {
        "one_of_another_workload_added": {
            f'{interface}["cart-1"]': "create",
            f'{machine}["cart-1"]': "create",
            'module.identity.azurerm_user_assigned_identity.this["cart"]': "create",
        },
        "one_removed": {
            f'{interface}["shop-api-1"]': "delete",
            f'{machine}["shop-api-1"]': "delete",
        },
    }
