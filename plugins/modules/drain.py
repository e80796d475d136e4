#!/usr/bin/python
# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
# GNU General Public License v3.0+ compatible (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation only: the work is done on the controller, by the action plugin."""

from __future__ import annotations

DOCUMENTATION = r"""
module: drain
short_description: Take machines out of the mesh's load balancing
version_added: 0.1.0
author:
  - brownfield.mesh authors (!UNKNOWN)
description:
  - Deletes the WorkloadEntries that istiod registered for the given machines. From then on nobody
    in the mesh sends them new requests, while their proxies still serve what is under way.
  - Nothing is asked of the machines, so that machines that are gone can be drained too.
  - A machine registers again when its agent connects again. Follow with M(brownfield.mesh.leave).
  - Runs on the controller only. Use it with C(run_once).
options:
  mesh:
    description: The mesh, from C(mesh_plan.mesh).
    type: dict
    required: true
  machines:
    description: The machines, values of C(mesh_plan.machines).
    type: list
    elements: dict
    required: true
  seconds:
    description: How long to wait, when something was deleted, for requests that are under way.
    type: int
    default: 0
attributes:
  check_mode:
    description: Says what would be deleted.
    support: full
  diff_mode:
    description: Names the objects.
    support: full
"""

EXAMPLES = r"""
- name: Drain the machines of this play
  brownfield.mesh.drain:
    mesh: "{{ mesh_plan.mesh }}"
    machines: "{{ ansible_play_hosts | map('extract', mesh_plan.machines) | list }}"
    seconds: 5
  run_once: true
"""

RETURN = r"""
objects:
  description: The objects that were deleted.
  returned: success
  type: list
  elements: str
  sample: [WorkloadEntry payments/payments-db-10.20.1.4]
"""
