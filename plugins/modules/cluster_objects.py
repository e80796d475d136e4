#!/usr/bin/python
# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
# GNU General Public License v3.0+ compatible (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation only: the work is done on the controller, by the action plugin."""

from __future__ import annotations

DOCUMENTATION = r"""
module: cluster_objects
short_description: Bring the workloads' objects into the cluster, or write them as files
version_added: 0.1.0
author:
  - brownfield.mesh authors (!UNKNOWN)
description:
  - Renders namespaces, service accounts, workload groups, services and policies of the given
    workloads and applies them in one batch by server-side apply with the field manager
    C(brownfield.mesh), or writes the same objects into a folder for a GitOps controller.
  - Runs on the controller only. Use it with C(run_once).
  - Nothing is forced. When a field has another manager and another value, nothing at all is written
    and every such field is named.
  - A workload's namespace gets mutual TLS (C(STRICT)) and a default deny without a selector; its
    callers are allowed by principal and port.
options:
  mesh:
    description: The mesh, from C(mesh_plan.mesh).
    type: dict
    required: true
  workloads:
    description:
      - The workloads, from C(mesh_plan.workloads).
      - With O(output=write) these are all workloads that the folder shall hold.
    type: list
    elements: dict
    required: true
  fleet:
    description:
      - All workloads of the inventory, from C(mesh_plan.workloads), for the egress gateway, which
        serves them all. Default are O(workloads).
      - With O(state=absent), what is at the egress gateway goes when all of them do.
    type: list
    elements: dict
    default: []
  machines:
    description:
      - All machines of O(workloads), from C(mesh_plan.machines). The addresses of those in mode
        C(bridge) become the endpoints of their workload's Service; at the others' addresses
        O(monitoring) asks for figures.
    type: list
    elements: dict
    default: []
  cluster:
    description: The cluster's facts, from C(mesh_plan.cluster).
    type: dict
    required: true
  monitoring:
    description:
      - The identities that may read the figures of the machines of O(workloads), from
        C(mesh_plan.monitoring).
      - Without any, nobody may, and what let them is taken away.
    type: list
    elements: dict
    default: []
  vantages:
    description: Those outside of the mesh that are watched, from C(mesh_plan.vantages).
    type: list
    elements: dict
    default: []
  output:
    description: Whether objects are applied to the cluster or written into a folder.
    type: str
    choices: [apply, write]
    default: apply
  path:
    description: The folder for O(output=write). It is made if it is missing.
    type: path
  state:
    description:
      - With V(absent), what belongs to O(workloads) is deleted. Service accounts go when they were
        made by us and nothing else uses them; a namespace, with the policies that guard it, goes
        only when it was made by us and nothing else is in it. RV(kept) says what stays and why.
      - V(absent) goes with O(output=apply) only. To take a workload out of a folder, write the
        folder again without it.
    type: str
    choices: [present, absent]
    default: present
attributes:
  check_mode:
    description: Compares by server dry run, writes nothing. Objects of a namespace that is not
      there yet count as created.
    support: full
  diff_mode:
    description: Shows each object before and after, as the API server answers.
    support: full
"""

EXAMPLES = r"""
- name: Bring the objects of all workloads
  brownfield.mesh.cluster_objects:
    mesh: "{{ mesh_plan.mesh }}"
    cluster: "{{ mesh_plan.cluster }}"
    workloads: "{{ mesh_plan.workloads.values() | list }}"
  run_once: true

- name: Write them for Argo CD instead
  brownfield.mesh.cluster_objects:
    mesh: "{{ mesh_plan.mesh }}"
    cluster: "{{ mesh_plan.cluster }}"
    workloads: "{{ mesh_plan.workloads.values() | list }}"
    output: write
    path: gitops/mesh
  run_once: true
"""

RETURN = r"""
objects:
  description: What happened to each object, sorted by namespace and kind.
  returned: success, with O(output=apply)
  type: list
  elements: dict
  sample:
    - {object: WorkloadGroup payments/payments-db, action: unchanged}
kept:
  description: What stays in the cluster, and why.
  returned: success, with O(state=absent)
  type: list
  elements: dict
  sample:
    - {object: Namespace payments, reason: other workloads are in it}
files:
  description: What happened to each file, sorted by name.
  returned: success, with O(output=write)
  type: list
  elements: dict
  sample:
    - {path: gitops/mesh/payments.service.payments-db.yaml, action: created}
"""
