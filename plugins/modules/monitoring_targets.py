#!/usr/bin/python
# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
# GNU General Public License v3.0+ compatible (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible module ``brownfield.mesh.monitoring_targets``: files, written whole or not at all."""

from __future__ import annotations

DOCUMENTATION = r"""
module: monitoring_targets
short_description: Tell Prometheus which machines to watch
version_added: 0.1.0
description:
  - Writes the machines and vantages of the plan as files for Prometheus's C(file_sd), and the
    certificates by which vantages are known, each atomically. Prometheus reads them by itself.
  - On a machine without M(brownfield.mesh.monitoring) there is nothing to do.
author:
  - brownfield.mesh authors (!UNKNOWN)
options:
  machines:
    description: The machines, from C(mesh_plan.machines).
    type: dict
  vantages:
    description: Those outside of the mesh, from C(mesh_plan.vantages).
    type: list
    elements: dict
    default: []
  certificates:
    description:
      - The certificate (PEM) that each vantage has shown, by name. Of one that has shown none, the
        earlier one stays.
    type: dict
    default: {}
  here:
    description: The inventory name of the machine that the file is for.
    type: str
  owners:
    description: Who answers for a workload (C(NAMESPACE/NAME)); the workload's name otherwise.
    type: dict
    default: {}
  without:
    description: Machines and vantages that are leaving.
    type: list
    elements: str
    default: []
  installed:
    description:
      - Whether M(brownfield.mesh.monitoring) has just run on this machine. In check mode the files
        are then told of before there is anything to write them to.
    type: bool
    default: false
  content:
    description: The file of machines that the action plugin renders. Not for users.
    type: str
attributes:
  check_mode:
    description: Compares and reports as ever, and changes nothing.
    support: full
  diff_mode:
    description: Shows the files before and after.
    support: full
"""

EXAMPLES = r"""
- name: Watch the machines of the plan
  brownfield.mesh.monitoring_targets:
    machines: "{{ mesh_plan.machines }}"
    here: "{{ inventory_hostname }}"
    owners: {payments/payments-db: team-payments}
    installed: true
  become: true
"""

RETURN = r""" # """

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.brownfield.mesh.plugins.module_utils import desired
from ansible_collections.brownfield.mesh.plugins.module_utils.watch import options
from ansible_collections.brownfield.mesh.plugins.module_utils.watch.converge import targets


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={**options.TARGETS, "content": {"type": "str"}}, supports_check_mode=True
    )
    given = module.params
    if given["content"] is None:
        module.fail_json(msg="the action plugin of this name renders `content`; call it so")
    host = desired.Host()
    try:
        host.require_root()
        changes = targets(
            host,
            given["content"],
            given["vantages"],
            given["certificates"],
            given["installed"],
        )
        if not module.check_mode:
            for change in changes:
                change.act()
    except (desired.MachineError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=bool(changes), diff=desired.diff_of(changes))


if __name__ == "__main__":
    main()
