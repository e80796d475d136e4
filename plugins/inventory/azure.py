# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
# GNU General Public License v3.0+ compatible (https://www.gnu.org/licenses/gpl-3.0.txt)
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
  - A scale set's instance is called as Azure calls it, with a dash for the underscore, C(web-0).
  - Only lists are asked for, four for each subscription and two for each scale set, beside their
    pages. Where Azure throttles, it waits as long as Azure says, up to five times.
  - All machines or none. A subscription that cannot be read in full, a machine whose tags are not
    complete, or no machine at all, is an error that stops the run.
  - The file's name ends in C(mesh_azure.yml) or C(mesh_azure.yaml).
author:
  - brownfield.mesh authors (!UNKNOWN)
requirements:
  - azure-identity
  - azure-mgmt-compute >= 39
  - azure-mgmt-network >= 33
extends_documentation_fragment:
  - constructed
  - inventory_cache
options:
  plugin:
    description: The name of this plugin.
    required: true
    choices: [brownfield.mesh.azure]
  subscriptions:
    description:
      - The subscriptions' identifiers. They are asked side by side.
      - Of the environment it is one, or several with commas between.
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
    description: Only machines with all these tags, by name and value.
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
  cloud:
    description: Which of Microsoft's clouds; it says where Entra ID and the resource manager are.
    type: str
    choices: [public, us_government, china]
    default: public
  authority:
    description: Where Entra ID answers, if elsewhere than the O(cloud) says. Azure Stack needs it.
    type: str
    default: ""
  resource_manager:
    description: Where the resource manager answers, if elsewhere than the O(cloud) says.
    type: str
    default: ""
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
  - {key: mesh_power_state, prefix: power} # ansible-playbook --limit power_running

# Several subscriptions by the identity of the controller's own machine, remembered for ten minutes
---
plugin: brownfield.mesh.azure
subscriptions: [00000000-0000-0000-0000-000000000001, 00000000-0000-0000-0000-000000000002]
credential: managed_identity
resource_groups: [shop-prod]
cache: true
cache_plugin: ansible.builtin.jsonfile
cache_connection: ~/.cache/mesh-inventory
cache_timeout: 600
"""

from typing import Any

from ansible_collections.brownfield.mesh.plugins.plugin_utils import azure_client, azure_machines
from ansible_collections.brownfield.mesh.plugins.plugin_utils.inventory import MachinesInventory


class InventoryModule(MachinesInventory):
    """See DOCUMENTATION."""

    NAME = "brownfield.mesh.azure"
    SUFFIXES = ("mesh_azure.yml", "mesh_azure.yaml")
    WORDS = azure_machines.WORDS

    def fetch(self) -> list[dict[str, Any]]:
        """One source for each subscription. Raises MachinesError with all that is wrong."""
        names = azure_client.Query.__dataclass_fields__
        return azure_client.fetch(
            azure_client.Query(**{name: self.get_option(name) for name in names})
        )
