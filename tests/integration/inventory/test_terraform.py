# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""The inventory from Terraform: real stacks with local state, and files that a job left."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from lab import tools
from tests.integration.inventory.conftest import Ansible

# As in terraform/: the machines come from a module. The other outputs are no business of ours.
ROOT = """
terraform {
  required_version = ">= 1.9"
  backend "local" {}
}
module "machine" {
  source = "./machine"
}
output "mesh_machines" { value = module.machine.mesh_machines }
output "password" {
  value     = "canary-of-a-secret"
  sensitive = true
}
"""
MODULE = """
resource "terraform_data" "this" { input = "10.1.0.4" }
output "mesh_machines" {
  value = { cart-1 = {
    address     = terraform_data.this.output
    user        = "azureuser"
    ssh_port    = 2222
    workload    = "cart"
    environment = "prod"
    location    = "westeurope"
    zone        = null
    resource_id = null
    tags        = { owner = "$${jndi} {{ 1 + 1 }}" }
  } }
}
"""
CART = {
    "address": "10.1.0.4",
    "user": "azureuser",
    "ssh_port": 2222,
    "workload": "cart",
    "environment": "prod",
    "location": "westeurope",
    "tags": {"owner": "${jndi} {{ 1 + 1 }}"},
}
HOST = {
    "ansible_host": "10.1.0.4",
    "ansible_port": 2222,
    "ansible_user": "azureuser",
    "mesh_environment": "prod",
    "mesh_location": "westeurope",
    "mesh_resource_id": "",
    "mesh_tags": {"owner": "${jndi} {{ 1 + 1 }}"},
    "mesh_zone": "",
}
FILE = "mesh_terraform.yml"
PLUGIN = {"plugin": "brownfield.mesh.terraform"}


def program(name: str) -> str:
    """Terraform of this machine, or the lab's OpenTofu."""
    if name == "tofu":
        return str(tools.go_tools("opentofu") / "tofu")
    return shutil.which("terraform") or pytest.skip("this machine has no terraform")


def stack(folder: Path) -> dict[str, Any]:
    """A stack's folder; gives what the inventory file says of it."""
    (folder / "machine").mkdir(parents=True)
    (folder / "main.tf").write_text(ROOT)
    (folder / "machine/main.tf").write_text(MODULE)
    return {"path": str(folder), "backend": {"path": str(folder / "state")}}


def terraform(binary: str, given: dict[str, Any], *command: str) -> str:
    # One that names a file that is not there makes OpenTofu print a warning before the JSON.
    environment = {k: v for k, v in os.environ.items() if k != "TF_CLI_CONFIG_FILE"}
    done = subprocess.run(
        [binary, *command], cwd=given["path"], capture_output=True, text=True, timeout=120,
        check=False, env=environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def apply(binary: str, given: dict[str, Any]) -> None:
    terraform(binary, given, "init", "-input=false", f"-backend-config=path={given['path']}/state")
    terraform(binary, given, "apply", "-input=false", "-auto-approve")


@pytest.mark.parametrize("name", ["terraform", "tofu"])
def test_stack_and_all_that_it_can_leave_behind(ansible: Ansible, name: str) -> None:
    binary = program(name)
    given = {**stack(ansible.folder / "stack"), "binary": binary}
    file = ansible.write(FILE, {**PLUGIN, "stacks": [given]})
    assert "it has no outputs; was it ever applied?" in ansible.fails(file)
    empty = ansible.write(FILE, {**PLUGIN, "stacks": [given], "allow_empty": True})
    assert ansible.inventory(empty)["_meta"]["hostvars"] == {}
    apply(binary, given)
    found = ansible.inventory(ansible.write(FILE, {**PLUGIN, "stacks": [given]}))
    assert found["_meta"]["hostvars"] == {"cart-1": HOST}
    assert found["cart"]["hosts"] == found["environment_prod"]["hosts"] == ["cart-1"]
    for number, command in enumerate((["output", "-json"], ["show", "-json"], ["state", "pull"])):
        left = ansible.folder / f"left-{number}.json"
        left.write_text(terraform(binary, given, *command))
        done = ansible.run(
            "ansible-inventory", "-vvv", "--list",
            "-i", ansible.write(FILE, {**PLUGIN, "output_files": [left.name]}),
        )  # fmt: skip
        assert '"10.1.0.4"' in done.stdout
        assert "canary" not in done.stdout + done.stderr
    assert ansible.inventory(FILE) == found
    terraform(binary, given, "destroy", "-input=false", "-auto-approve")
    file = ansible.write(FILE, {**PLUGIN, "stacks": [given], "allow_empty": True})
    assert ansible.inventory(file)["_meta"]["hostvars"] == {}


def left(ansible: Ansible, name: str, outputs: dict[str, Any]) -> str:
    """A file as `terraform output -json` prints it."""
    content = {
        key: {"sensitive": key == "secret", "type": "dynamic", "value": value}
        for key, value in outputs.items()
    }
    (ansible.folder / name).write_text(json.dumps(content))
    return name


def test_several_sources_and_groups_of_ones_own(ansible: Ansible) -> None:
    other = {**CART, "address": "10.1.0.5", "workload": "shop-api", "zone": "1"}
    files = [
        left(ansible, "one.json", {"mesh_machines": {"cart-1": CART}}),
        left(ansible, "two.json", {"mesh_machines": {"shop-1": other}, "secret": "canary"}),
    ]
    found = ansible.inventory(
        ansible.write(
            "prod.mesh_terraform.yaml",
            {
                **PLUGIN,
                "output_files": files,
                "strict": True,
                "compose": {"where": "mesh_location ~ '/' ~ mesh_zone"},
                "groups": {"odd_port": "ansible_port is defined"},
                "keyed_groups": [{"key": "mesh_environment", "prefix": "env"}],
            },
        )
    )
    assert found["_meta"]["hostvars"]["shop-1"]["where"] == "westeurope/1"
    for group in ("odd_port", "env_prod", "mesh_machines"):
        assert sorted(found[group]["hosts"]) == ["cart-1", "shop-1"]
    assert found["zone_westeurope_1"]["hosts"] == ["shop-1"]


def test_all_that_is_wrong_is_told_at_once(ansible: Ansible) -> None:
    (ansible.folder / "web.json").write_text("<html>")
    (ansible.folder / "plan.json").write_text("[]")
    files = [
        left(ansible, "a.json", {"mesh_machines": {"cart-1": {"user": "x"}}, "other": 1}),
        left(ansible, "b.json", {"other": 1}),
        left(ansible, "c.json", {}),
        "web.json",
        "plan.json",
        "gone.json",
    ]
    stacks = [{"path": "nowhere"}, {"pth": "x", "backend": "y"}, "text"]
    said = ansible.fails(ansible.write(FILE, {**PLUGIN, "output_files": files, "stacks": stacks}))
    for wanted in (
        "b.json: it has no output mesh_machines, or a sensitive one (there are: other); add one",
        "c.json: it has no outputs; was it ever applied?",
        "web.json: it is not what `terraform output -json`",
        "plan.json: it is not what `terraform output -json`",
        "gone.json: it cannot be read: No such file or directory",
        "nowhere: path:",
        "stacks, number 2: pth is no option of a stack; there are path, backend",
        "stacks, number 2: backend: write a map of the backend's settings",
        "stacks, number 2: path is missing",
    ):
        assert wanted in said, wanted


@pytest.mark.parametrize(
    ("settings", "wanted"),
    [
        ({}, "write stacks or output_files"),
        ({"output_files": ["a.json", "a.json"]}, "a.json: machine cart-1 is in a.json, too"),
        ({"output_files": ["empty.json"]}, "empty.json: there are no machines"),
        ({"output_files": ["secret.json"]}, "it has no output mesh_machines, or a sensitive one"),
        ({"output_files": ["a.json"], "strict": True, "compose": {"x": "nothing.y"}}, "Could not"),
        ({"output_files": ["named.json"]}, "machine cart is called as a group"),
        ({"stacks": 3}, "stacks"),
    ],
)
def test_refusals_stop_the_run(ansible: Ansible, settings: dict[str, Any], wanted: str) -> None:
    left(ansible, "a.json", {"mesh_machines": {"cart-1": CART}})
    left(ansible, "empty.json", {"mesh_machines": {}})
    left(ansible, "named.json", {"mesh_machines": {"cart": CART}})
    hidden = {"mesh_machines": {"sensitive": True, "type": "dynamic", "value": {"cart-1": CART}}}
    (ansible.folder / "secret.json").write_text(json.dumps({**hidden, "o": {
        "sensitive": False, "value": 1}}))  # fmt: skip
    assert wanted in ansible.fails(ansible.write(FILE, {**PLUGIN, **settings}))


def test_machine_that_is_called_as_a_group_of_another_source(ansible: Ansible) -> None:
    file = ansible.write(FILE, {**PLUGIN, "output_files": ["a.json"]})
    left(ansible, "a.json", {"mesh_machines": {"web": CART}})
    (ansible.folder / "hosts.yml").write_text("web: {hosts: {one: {}}}")
    done = ansible.run("ansible-inventory", "-i", "hosts.yml", "-i", file, "--list")
    assert done.returncode != 0
    assert "machine web is called as a group of the inventory" in " ".join(done.stderr.split())
