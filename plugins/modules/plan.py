#!/usr/bin/python
# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
# GNU General Public License v3.0+ compatible (https://www.gnu.org/licenses/gpl-3.0.txt)
# The work is done on the controller by the action plugin of the same name.
from __future__ import annotations

DOCUMENTATION = r"""
module: plan
short_description: Validate the whole inventory and plan the run
version_added: 0.1.0
author: brownfield.mesh authors (@brownfield-mesh)
description:
  - Reads the variables C(mesh), C(mesh_workload), C(mesh_machine) and C(mesh_vantage) of every host
    of the inventory, whatever the play's hosts and C(--limit) are, and validates them.
    P(brownfield.mesh.plan#role) describes these variables.
  - Fails with every problem of the inventory at once, each with host, variable, what is wrong, and
    what to write instead.
  - Decides for each workload of mode V(auto) how its machines join, by a server-side dry run of its
    WorkloadGroup. V(sidecar), if the cluster takes it; V(bridge), if the cluster does not know this
    kind or refuses it by admission. That needs the right to apply WorkloadGroups, whatever
    becomes of the objects later; without an answer the plan fails. A mode that is written in the
    inventory asks nothing.
  - Reads the cluster once, and returns what all other modules of this collection work from.
  - Runs on the controller only, and changes nothing. Use it with C(run_once).
options:
  max_cases_per_machine:
    description:
      - How many attempts P(brownfield.mesh.verify#role) makes from one machine. What is allowed
        comes first, the others are chosen by a hash that stays the same from run to run.
      - RV(cases_left_out) says what was left out.
    type: int
    default: 64
attributes:
  check_mode:
    description: The same in check mode, since nothing is changed.
    support: full
  diff_mode:
    description: Nothing is changed, so there is nothing to show.
    support: none
"""

EXAMPLES = r"""
- name: Validate the inventory and plan the run
  brownfield.mesh.plan:
  register: mesh_plan
  run_once: true
"""

RETURN = r"""
mesh:
  description: The mesh, with defaults.
  returned: success
  type: dict
workloads:
  description: The workloads, by namespace and name.
  returned: success
  type: dict
  sample:
    payments/payments-db: {name: payments-db, namespace: payments}
machines:
  description: By inventory name, the machine (with the mesh as it is there) and its workload.
  returned: success
  type: dict
vantages:
  description: The hosts outside of the mesh from which verify tries what must be refused.
  returned: success
  type: list
  elements: dict
  sample:
    - {name: outsider-1, address: 198.18.0.15}
modes:
  description:
    - By inventory name, how the machine joins, and the fact that decided so where the inventory
      leaves it to V(auto); the reason is empty where the inventory chose.
  returned: success
  type: dict
  sample:
    payments-db-1: {mode: sidecar, reason: "auto: the cluster takes WorkloadGroup"}
egress:
  description:
    - What each workload may call outside of the mesh, and by which way; C(via) is V(gateway),
      V(direct), or V(undeclared) where the inventory does not declare the service.
  returned: success
  type: list
  elements: dict
  sample:
    - {workload: batch/legacy-batch, host: api.partner.example, port: 80, via: gateway}
cluster:
  description: What was read from the cluster; nothing of it is secret.
  returned: success
  type: dict
cases:
  description: By inventory name of the source, what verify tries, and what must come of it.
  returned: success
  type: dict
  sample:
    legacy-batch-1:
      - id: legacy-batch-1 -> payments-db:5432 by name
        expected: refused
        reason: rbac
cases_left_out:
  description: What a source could try and does not, and why.
  returned: success
  type: list
  elements: dict
  sample:
    - {source: outsider-1, what: "cases of 994 of 1000 machines, because of the limit of 64"}
monitoring:
  description:
    - The identities that may read the machines' figures - those of the machines in the group
      C(mesh_monitoring), and C(mesh.prometheus).
  returned: success
  type: list
  elements: dict
  sample:
    - {namespace: monitoring, service_account: monitoring}
fleet_digest:
  description:
    - SHA-256 of everything that the inventory describes, with the modes as they are decided. The
      same for the same inventory and decisions.
  returned: success
  type: str
"""
