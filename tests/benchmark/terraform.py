# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""What terraform_stack costs beside Terraform: python -m tests.benchmark.terraform [MACHINES].

With MACHINES: plan model, policy and redaction alone, on a plan of that many machines, in this
process (so that its peak memory is theirs). Without: those, the overhead over bare Terraform (with
its own resources, and with the azurerm provider against the stand-in), and the modules' tests.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import Mock

from ansible_collections.brownfield.mesh.plugins.plugin_utils.terraform import plan, redact
from ansible_collections.brownfield.mesh.plugins.plugin_utils.terraform.policy import Policy, judge
from ansible_collections.brownfield.mesh.plugins.plugin_utils.terraform.stack import Run, Stack

from lab import terraform
from lab.config import CHECKOUT
from tests.azure import StandIn
from tests.benchmark import measure

GOALS = {"seconds": 2.0, "peak_mb": 300.0}
OVERHEAD_GOAL = 1.0
TESTS_GOAL = 60.0
RUNS = 5
RESOURCES = 50
GROUP = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-mesh"
# Root modules of RESOURCES resources, by what they are made of.
STACKS = {
    "terraform_data": """
variable "generation" { type = number }
resource "terraform_data" "machine" {
  count = %d
  input = { number = count.index, generation = var.generation }
}
output "generation" { value = var.generation }
""",
    "azurerm": """
variable "generation" { type = number }
terraform {
  required_providers {
    azurerm = {
      source  = "hashicorp/azurerm"
      version = ">= 5.1, < 6.0"
    }
  }
}
provider "azurerm" {
  features {}
}
resource "azurerm_resource_group" "this" {
  name     = "benchmark"
  location = "westeurope"
}
resource "azurerm_network_security_group" "this" {
  count               = %d
  name                = "machine-${count.index}"
  location            = azurerm_resource_group.this.location
  resource_group_name = azurerm_resource_group.this.name
  tags                = { generation = var.generation }
}
output "generation" { value = var.generation }
""",
}


def document(machines: int) -> dict[str, Any]:
    """A plan as `terraform show -json` prints it: of each machine four resources of azurerm.

    A quarter is made, a quarter updated, a quarter left alone, a quarter deleted.
    """
    changes = []
    for number in range(machines):
        name = f"machine-{number}"
        actions = [["create"], ["update"], ["no-op"], ["delete"]][number % 4]
        for kind, values, marks in _resources(name):
            identified = {**values, "id": f"{GROUP}/providers/Microsoft.X/{kind}/{name}"}
            creates, deletes = actions == ["create"], actions == ["delete"]
            after = (
                {**identified, "tags": {"mesh-workload": "new"}} if actions == ["update"] else None
            )
            changes.append(
                {
                    "address": f'module.machines["{name}"].{kind}.this',
                    "module_address": f'module.machines["{name}"]',
                    "mode": "managed",
                    "type": kind,
                    "name": "this",
                    "provider_name": "registry.terraform.io/hashicorp/azurerm",
                    "change": {
                        "actions": actions,
                        "before": None if creates else identified,
                        "after": None if deletes else (values if creates else after or identified),
                        "after_unknown": {"id": True} if creates else {},
                        "before_sensitive": False if creates else marks,
                        "after_sensitive": False if deletes else marks,
                    },
                }
            )
    resources = [
        {
            "address": item["address"],
            "mode": "managed",
            "type": item["type"],
            "values": item["change"]["after"] or item["change"]["before"],
            "sensitive_values": item["change"]["after_sensitive"] or {},
        }
        for item in changes
    ]
    state = {"values": {"outputs": {}, "root_module": {"resources": resources}}}
    return {
        "format_version": "1.2",
        "terraform_version": "1.11.4",
        "variables": {"admin": {"value": "not-to-be-seen"}},
        "planned_values": state["values"],
        "resource_changes": changes,
        "resource_drift": [item for item in changes if item["change"]["actions"] == ["update"]],
        "output_changes": {},
        "prior_state": state,
        "configuration": {"root_module": {"variables": {"admin": {"sensitive": True}}}},
    }


def _resources(name: str) -> list[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Type, values and sensitive marks of what one machine is made of, in usual sizes."""
    common = {
        "name": name,
        "resource_group_name": "rg-mesh",
        "location": "westeurope",
        "tags": {"mesh-workload": "shop-api", "mesh-environment": "prod", "mesh-user": "azureuser"},
    }
    machine = {
        **common,
        **{f"setting_{number}": None for number in range(40)},
        "size": "Standard_B2s",
        "admin_username": "azureuser",
        "admin_password": f"password-of-{name}",
        "custom_data": f"{name:->1200}",
        "admin_ssh_key": [{"public_key": f"ssh-ed25519 {name:A>68}", "username": "azureuser"}],
        "os_disk": [{"caching": "ReadWrite", "disk_size_gb": 64, "name": f"{name}-os"}],
        "identity": [{"type": "SystemAssigned", "identity_ids": []}],
        "network_interface_ids": [f"{GROUP}/providers/Microsoft.Network/networkInterfaces/{name}"],
    }
    hidden = {"admin_password": True, "custom_data": True, "admin_ssh_key": [{}], "tags": {}}
    interface = {**common, "ip_configuration": [{"name": "primary", "subnet_id": GROUP + "/s"}]}
    disk = {**common, "storage_account_type": "Premium_LRS", "disk_size_gb": 128}
    role = {"scope": GROUP, "role_definition_name": "Reader", "principal_id": name}
    return [
        ("azurerm_linux_virtual_machine", machine, hidden),
        ("azurerm_network_interface", interface, {"ip_configuration": [{}]}),
        ("azurerm_managed_disk", disk, {}),
        ("azurerm_role_assignment", role, {}),
    ]


def judging(machines: int) -> dict[str, Any]:
    """Seconds of each step, and this process's peak memory in MB."""
    content = json.dumps(document(machines)).encode()
    before = _peak_mb()
    start, used = time.perf_counter(), time.process_time()
    found = plan.parse(content)
    parsed = time.perf_counter()
    policy = Policy(allow_delete=("*-3*",), resource_groups=("rg-mesh",), max_changes=10)
    reasons = judge(found, policy)
    judged = time.perf_counter()
    masker = redact.Masker()
    masker.add(found.secrets)
    shown = [plan.listed(found.changes, masker), plan.listed(found.drift, masker)]
    shown.append(plan.diff(found, masker))
    end, cpu = time.perf_counter(), time.process_time() - used
    text = json.dumps(shown)
    assert reasons and len(shown[0]) == machines * 3
    assert "password-of" not in text and "not-to-be-seen" not in text
    return {
        "machines": machines,
        "document_mb": round(len(content) / 2**20, 1),
        "seconds": round(end - start, 3),
        # Without what others took of this machine meanwhile.
        "cpu": round(cpu, 3),
        "parse": round(parsed - start, 3),
        "policy": round(judged - parsed, 3),
        "redaction": round(end - judged, 3),
        "peak_mb": round(_peak_mb(), 1),
        # What the document itself took to be made here, before anything was measured.
        "peak_mb_before": round(before, 1),
    }


def overhead(binary: str, kind: str) -> dict[str, Any]:
    """Medians of bare init, plan and apply by hand, and of terraform_stack, each time all new."""
    bare: list[float] = []
    ours: list[float] = []
    rerun_bare: list[float] = []
    rerun_ours: list[float] = []
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
        for number in range(RUNS):
            for which, work, first, again in (
                ("bare", _by_hand, bare, rerun_bare),
                ("ours", _by_us, ours, rerun_ours),
            ):
                folder = Path(name) / f"{which}-{number}"
                folder.mkdir()
                (folder / "main.tf").write_text(STACKS[kind] % RESOURCES)
                with _surroundings(kind, folder) as environment:
                    # As in a checkout with its lock file, which terraform_stack does not write.
                    _terraform(binary, folder, environment, "init", "-input=false")
                    for seconds in (first, again):
                        start = time.perf_counter()
                        work(binary, folder, environment)
                        seconds.append(time.perf_counter() - start)
    first_overhead = statistics.median(ours) - statistics.median(bare)
    again_overhead = statistics.median(rerun_ours) - statistics.median(rerun_bare)
    return {
        "binary": Path(binary).name,
        "resources": f"{RESOURCES} of {kind}",
        "bare_init_plan_apply": round(statistics.median(bare), 3),
        "terraform_stack": round(statistics.median(ours), 3),
        "overhead": round(first_overhead, 3),
        "overhead_nothing_to_do": round(again_overhead, 3),
    }


@contextmanager
def _surroundings(kind: str, folder: Path) -> Iterator[dict[str, str]]:
    """Variables with which the resources of ``kind`` can be made: of azurerm, in a stand-in."""
    if kind != "azurerm":
        yield {}
        return
    aside = folder.with_suffix(".azure")
    aside.mkdir()
    with StandIn(aside) as azure:
        yield {**_providers(aside), **azure.environment()}


def _providers(folder: Path) -> dict[str, str]:
    """The variable by which Terraform takes azurerm from the mirror."""
    return {"TF_CLI_CONFIG_FILE": str(terraform.cli_config(folder))}


def _terraform(binary: str, folder: Path, environment: Mapping[str, str], *command: str) -> None:
    subprocess.run(
        [binary, *command],
        cwd=folder,
        env={**os.environ, **environment},
        check=True,
        capture_output=True,
        timeout=300,
    )


def _by_hand(binary: str, folder: Path, environment: Mapping[str, str]) -> None:
    commands = (
        ["init", "-input=false"],
        ["plan", "-input=false", "-var=generation=1", "-out=plan"],
        ["apply", "-input=false", "plan"],
    )
    for command in commands:
        _terraform(binary, folder, environment, *command)


def _by_us(binary: str, folder: Path, environment: Mapping[str, str]) -> None:
    stack = Stack(
        folder, "applied", variables={"generation": 1}, binary=binary, environment=environment
    )
    Run(stack, Mock(), lambda _text, _verbosity: None)()


def module_tests(binary: str) -> dict[str, Any]:
    """Seconds of `terraform test` in each module, one after the other, initialized beforehand."""
    seconds = {}
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
        copy = Path(name) / "terraform"
        left_out = shutil.ignore_patterns(".terraform", ".terraform.lock.hcl")
        shutil.copytree(CHECKOUT / "terraform", copy, ignore=left_out)
        providers = _providers(Path(name))
        for folder in sorted((copy / "modules").iterdir()):
            _terraform(binary, folder, providers, "init", "-backend=false", "-input=false")
            start = time.perf_counter()
            _terraform(binary, folder, providers, "test")
            seconds[folder.name] = round(time.perf_counter() - start, 3)
    return {
        "binary": Path(binary).name,
        "modules": seconds,
        "seconds": round(sum(seconds.values()), 3),
    }


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def benchmark() -> dict[str, Any]:
    """All of it, each size in a process of its own, beside the goals."""
    sizes = []
    for machines in (100, 1000):
        command = [sys.executable, "-m", "tests.benchmark.terraform", str(machines)]
        done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=300)
        sizes.append(json.loads(done.stdout))
    found: dict[str, Any] = {"load_average": measure.load(), "judging": sizes}
    goals = [("judging 1000, " + name, goal, sizes[-1][name]) for name, goal in GOALS.items()]
    binaries = [path for path in map(shutil.which, ("terraform", "tofu")) if path]
    found["overhead"] = [overhead(binary, kind) for binary in binaries for kind in STACKS]
    for item in found["overhead"]:
        for name in ("overhead", "overhead_nothing_to_do"):
            what = f"{item['binary']}, {item['resources']}, {name}"
            goals.append((what, OVERHEAD_GOAL, item[name]))
    found["module_tests"] = [module_tests(binary) for binary in binaries]
    for item in found["module_tests"]:
        what = f"{item['binary']}, tests of all modules"
        goals.append((what, TESTS_GOAL, item["seconds"]))
    found["goals"] = [
        {"what": what, "goal": goal, "seen": seen, "met": seen <= goal}
        for what, goal, seen in goals
    ]
    return found


def main() -> int:
    """Parse the command line, measure, print."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmark.terraform", description=__doc__
    )
    parser.add_argument("machines", type=int, nargs="?", help="only this size, and no overhead")
    options = parser.parse_args()
    print(json.dumps(judging(options.machines) if options.machines else benchmark(), indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
