#!/usr/bin/python
# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
# GNU General Public License v3.0+ compatible (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible module ``brownfield.mesh.observe``; the work is done by ``module_utils.observe``."""

from __future__ import annotations

DOCUMENTATION = r"""
module: observe
short_description: Look at a machine of the mesh and at what its proxy counted
version_added: 0.1.0
description:
  - Reads units, sandbox, capture, agent, identity, configuration and the proxy's counters of one
    machine, and judges what it reads. Changes nothing.
  - What is wrong is reported as a failed check in RV(checks) and does not make the task fail;
    M(brownfield.mesh.evidence) fails for all machines together.
author:
  - brownfield.mesh authors (!UNKNOWN)
options:
  machine:
    description: The machine, from C(mesh_plan.machines[inventory_hostname].machine).
    type: dict
    required: true
  workload:
    description: The workload that it runs, from C(mesh_plan.machines[inventory_hostname].workload).
    type: dict
    required: true
attributes:
  check_mode:
    description: Can run in check mode and return the same.
    support: full
  diff_mode:
    description: Nothing is changed, so there is nothing to show.
    support: none
  platform:
    description: Machines with systemd.
    platforms: posix
    support: full
"""

EXAMPLES = r"""
- name: Look at each machine
  brownfield.mesh.observe:
    machine: "{{ mesh_plan.machines[inventory_hostname].machine }}"
    workload: "{{ mesh_plan.machines[inventory_hostname].workload }}"
  register: mesh_observed_before
  become: true
"""

RETURN = r"""
checks:
  description: >-
    What was looked at, each with C(id), C(machine), C(kind), C(expected), C(seen), C(passed),
    C(advice).
  returned: always
  type: list
  elements: dict
counters:
  description: >-
    What the proxy decided about inbound traffic since it started, by KIND/COUNTER. Null when it
    does not answer.
  returned: always
  type: dict
certificate:
  description: The identity in use (C(spiffe_id), C(not_before), C(not_after)), or null.
  returned: always
  type: dict
listening:
  description: TCP ports on which something listens.
  returned: always
  type: list
  elements: int
versions:
  description: >-
    What runs there (C(agent), C(envoy), C(os), C(kernel)); empty where it is not known, and an
    C(agent) is at sidecars only.
  returned: always
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.brownfield.mesh.plugins.module_utils import observe, observe_bridge
from ansible_collections.brownfield.mesh.plugins.module_utils.spec import (
    Machine,
    Workload,
    from_data,
)


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "machine": {"type": "dict", "required": True},
            "workload": {"type": "dict", "required": True},
        },
        supports_check_mode=True,
    )
    machine = from_data(Machine, module.params["machine"])
    workload = from_data(Workload, module.params["workload"])
    look = observe_bridge.observe if machine.mode == "bridge" else observe.observe
    module.exit_json(changed=False, **look(machine, workload))


if __name__ == "__main__":
    main()
