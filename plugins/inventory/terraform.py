# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
# GNU General Public License v3.0+ compatible (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Inventory of the machines that Terraform stacks made."""

from __future__ import annotations

DOCUMENTATION = r"""
name: terraform
short_description: Machines that Terraform stacks made
version_added: 0.1.0
description:
  - Reads the output C(mesh_machines) of one or more stacks, which says of each machine its address,
    its user, the workload that it runs and the environment. Any stack that has this output will do.
  - Every machine belongs to C(mesh_machines), to the group of its workload (C(shop_api) for
    C(shop-api)), to C(environment_prod) and, where it has a zone, to C(zone_westeurope_1).
  - Of other outputs nothing is taken, and nothing of a sensitive one. All machines or none.
    A source that cannot be read, or that has no machines, is an error that stops the run.
  - The file's name ends in C(mesh_terraform.yml) or C(mesh_terraform.yaml).
author:
  - brownfield.mesh authors (!UNKNOWN)
extends_documentation_fragment:
  - constructed
  - inventory_cache
options:
  plugin:
    description: The name of this plugin.
    required: true
    choices: [brownfield.mesh.terraform]
  stacks:
    description: The stacks that are asked, by C(terraform output).
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: The stack's folder on the controller; a relative one, from where Ansible runs.
        type: str
        required: true
      backend:
        description:
          - Settings of the backend that the stack leaves open. Credentials come by the environment.
        type: dict
        default: {}
      workspace:
        description: The workspace.
        type: str
        default: default
      binary:
        description: V(terraform), V(tofu), or the path of one of them.
        type: str
        default: terraform
      timeout:
        description: How many seconds it may take.
        type: int
        default: 120
  output_files:
    description:
      - Files for jobs that have neither Terraform nor the backend's credentials; a relative one,
        from where Ansible runs. Each is what C(terraform output -json), C(terraform show -json) or
        C(terraform state pull) printed.
    type: list
    elements: str
    default: []
  allow_empty:
    description: Whether it is right that a stack has no machines, or was never applied.
    type: bool
    default: false
"""

EXAMPLES = r"""
# inventory/mesh_terraform.yml
plugin: brownfield.mesh.terraform
stacks:
  - path: stacks/azure
    backend: {storage_account_name: meshstate, container_name: state, key: prod.tfstate}

# A file that an earlier job left, and groups of one's own
---
plugin: brownfield.mesh.terraform
output_files: [outputs.json]
keyed_groups:
  - {key: mesh_tags.owner, prefix: owner}
"""

import json
import os
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from ansible_collections.brownfield.mesh.plugins.plugin_utils.inventory import MachinesInventory
from ansible_collections.brownfield.mesh.plugins.plugin_utils.machines import MachinesError
from ansible_collections.brownfield.mesh.plugins.plugin_utils.terraform import stack
from ansible_collections.brownfield.mesh.plugins.plugin_utils.terraform.errors import TerraformError

OUTPUT = "mesh_machines"


class InventoryModule(MachinesInventory):
    """See DOCUMENTATION."""

    NAME = "brownfield.mesh.terraform"
    SUFFIXES = ("mesh_terraform.yml", "mesh_terraform.yaml")

    def fetch(self) -> list[dict[str, Any]]:
        """One source for each stack and file. Raises MachinesError with all that is wrong."""
        stacks, files = self.get_option("stacks"), self.get_option("output_files")
        if not stacks and not files:
            raise MachinesError(["write stacks or output_files: nothing says where machines are"])
        found: list[dict[str, Any]] = []
        problems: list[str] = []
        sources = [_named(number, given) for number, given in enumerate(stacks, 1)]
        sources += [(str(file), partial(_of_file, Path(file))) for file in files]
        for name, read in sources:
            try:
                values = read()
                if OUTPUT not in values and not (self.get_option("allow_empty") and not values):
                    raise MachinesError([_no_output(values)])
                found.append({"source": name, "machines": values.get(OUTPUT, {})})
            except MachinesError as error:
                problems += ["%s: %s" % (name, problem) for problem in error.problems]
            except TerraformError as error:
                problems.append("%s: %s" % (name, error))
        if problems:
            raise MachinesError(problems)
        return found


def _named(number: int, given: Any) -> tuple[str, Callable[[], dict[str, Any]]]:
    """What messages call a stack, and how its outputs are read."""
    if not isinstance(given, Mapping):
        given = {"path": given}
    return str(given.get("path") or "stacks, number %d" % number), partial(_of_stack, given)


def _no_output(values: dict[str, Any]) -> str:
    if not values:
        return "it has no outputs; was it ever applied? If that is right, say allow_empty: true"
    return (
        "it has no output %s, or a sensitive one (there are: %s); add one, see"
        " docs/how-to/inventory.md" % (OUTPUT, ", ".join(sorted(values)))
    )


def _of_stack(given: Mapping[str, Any]) -> dict[str, Any]:
    """The outputs of a stack, as it is now. Raises MachinesError and TerraformError."""
    problems = [
        "%s is no option of a stack; there are %s" % (name, ", ".join(_STACK))
        for name in given
        if name not in _STACK
    ]
    problems += [
        "%s: write %s" % (name, wanted)
        for name, (kind, wanted) in _STACK.items()
        if given.get(name) is not None
        and (not isinstance(given[name], kind) or isinstance(given[name], bool))
    ]
    if not given.get("path"):
        problems.append("path is missing; write the stack's folder")
    if problems:
        raise MachinesError(problems)
    asked = stack.Stack(
        path=Path(given["path"]).expanduser().absolute(),
        state="applied",
        backend=given.get("backend") or {},
        workspace=given.get("workspace") or "default",
        binary=given.get("binary") or "terraform",
        timeout=given.get("timeout") or 120,
    )
    return dict(stack.outputs(asked, os.environ).values)


# Ansible does not look into lists of dictionaries: option, its type, what to write.
_STACK: dict[str, tuple[type, str]] = {
    "path": (str, "the stack's folder"),
    "backend": (dict, "a map of the backend's settings"),
    "workspace": (str, "the workspace's name"),
    "binary": (str, "terraform, tofu, or a path"),
    "timeout": (int, "a number of seconds"),
}


def _of_file(path: Path) -> dict[str, Any]:
    """The outputs in a file, without sensitive ones. Raises MachinesError."""
    try:
        content = json.loads(path.expanduser().read_text(encoding="utf-8"))
        if "terraform_version" in content:
            # show -json has them among the state's values, a state itself beside its version.
            content = content.get("values", content).get("outputs", {})
        # An output of a state has the key only where it is true; the other two always have it.
        return {n: item["value"] for n, item in content.items() if not item.get("sensitive")}
    except OSError as error:
        raise MachinesError(["it cannot be read: %s" % error.strerror]) from None
    except (ValueError, AttributeError, KeyError, TypeError):
        raise MachinesError(
            ["it is not what `terraform output -json`, `show -json` or `state pull` prints"]
        ) from None
