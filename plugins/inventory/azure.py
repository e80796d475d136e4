# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Inventory of the machines that Azure has and that carry the mesh's tags."""

from __future__ import annotations

DOCUMENTATION = r"""
name: azure
short_description: Machines of Azure that carry the mesh's tags
version_added: 0.1.0
description:
  - Lists virtual machines and scale sets' instances with the tag C(mesh-workload), whoever made
    them. The tags C(mesh-workload), C(mesh-environment), C(mesh-user) and, where it is not 22,
    C(mesh-ssh-port) say the rest; the Terraform module C(machine) writes them.
  - Hosts, groups and variables are those of P(brownfield.mesh.terraform#inventory), and
    C(mesh_power_state) beside them. The address is the private one of the primary interface.
  - All machines or none. A subscription that cannot be read in full, a machine whose tags are not
    complete, or no machine at all, is an error that stops the run.
  - The file's name ends in C(mesh_azure.yml) or C(mesh_azure.yaml).
author:
  - brownfield.mesh authors (!UNKNOWN)
requirements:
  - azure-identity
  - azure-mgmt-compute
  - azure-mgmt-network
extends_documentation_fragment:
  - constructed
  - inventory_cache
options:
  plugin:
    description: The name of this plugin.
    required: true
    choices: [brownfield.mesh.azure]
  subscriptions:
    description: The subscriptions' identifiers. They are asked side by side.
    type: list
    elements: str
    default: []
    env:
      - name: AZURE_SUBSCRIPTION_ID
  resource_groups:
    description: Only machines of these resource groups. Empty means all.
    type: list
    elements: str
    default: []
  tags:
    description: Only machines with these tags.
    type: dict
    default: {}
  scale_sets:
    description: Whether instances of scale sets belong to it.
    type: bool
    default: true
  credential:
    description:
      - How to log in. V(default) tries what azure-identity's C(DefaultAzureCredential) tries; the
        others are one way only. Secrets come by the environment, such as C(AZURE_CLIENT_SECRET).
    type: str
    choices: [default, environment, managed_identity, workload_identity, cli]
    default: default
  client_id:
    description: The client of a user-assigned managed identity, or of a workload identity.
    type: str
    default: ""
  authority:
    description: Where Entra ID answers. For a sovereign cloud, set it and O(resource_manager).
    type: str
    default: https://login.microsoftonline.com
  resource_manager:
    description: Where Azure's resource manager answers.
    type: str
    default: https://management.azure.com
  allow_empty:
    description: Whether it is right that a subscription has no machines.
    type: bool
    default: false
"""

EXAMPLES = r"""
# inventory/mesh_azure.yml
plugin: brownfield.mesh.azure
subscriptions: [00000000-0000-0000-0000-000000000001]
tags: {mesh-environment: prod}
keyed_groups:
  - {key: mesh_power_state, prefix: power}
"""

from typing import Any

from ansible_collections.brownfield.mesh.plugins.plugin_utils import azure_machines
from ansible_collections.brownfield.mesh.plugins.plugin_utils.inventory import MachinesInventory


class InventoryModule(MachinesInventory):
    """See DOCUMENTATION."""

    NAME = "brownfield.mesh.azure"
    SUFFIXES = ("mesh_azure.yml", "mesh_azure.yaml")

    def fetch(self) -> list[dict[str, Any]]:
        """One source for each subscription. Raises MachinesError with all that is wrong."""
        names = (
            "subscriptions",
            "resource_groups",
            "tags",
            "scale_sets",
            "credential",
            "client_id",
            "authority",
            "resource_manager",
        )
        return azure_machines.fetch(
            azure_machines.Query(**{name: self.get_option(name) for name in names})
        )
