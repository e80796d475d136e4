#!/usr/bin/python
# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
# GNU General Public License v3.0+ compatible (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of the action ``brownfield.mesh.evidence``; see ``plugins/action/evidence.py``."""

from __future__ import annotations

DOCUMENTATION = r"""
module: evidence
short_description: Judge what a run of verify saw, and write the evidence
version_added: 0.1.0
description:
  - Joins what M(brownfield.mesh.observe) and M(brownfield.mesh.probe) returned on all hosts of the
    play with the registrations in the cluster, judges it, prints a summary and writes the evidence
    as JSON (C(docs/evidence.schema.json)).
  - A refused case counts only if it was refused for the right reason, if the target's proxy counted
    it, and if the service was alive.
  - Fails when a check failed, naming all of them. A host that was not reached is a failed check.
  - Runs on the controller. Reads the results from the variables C(mesh_observed_before),
    C(mesh_probed) and C(mesh_observed_after) of each host.
author:
  - brownfield.mesh authors (!UNKNOWN)
options:
  plan:
    description: What M(brownfield.mesh.plan) returned.
    type: dict
    required: true
  path:
    description: Where the evidence is written on the controller. Empty writes none.
    type: str
    default: ""
notes:
  - The evidence holds no secret. It is a record of a run, so writing it is not a change.
attributes:
  action:
    description: Has an action plugin that does all of the work.
    support: full
  check_mode:
    description: Judges and prints as ever, and writes no file.
    support: full
  diff_mode:
    description: Nothing is changed, so there is nothing to show.
    support: none
"""

EXAMPLES = r"""
- name: Judge and write the evidence
  brownfield.mesh.evidence:
    plan: "{{ mesh_plan }}"
    path: evidence.json
  run_once: true
"""

RETURN = r"""
failed_checks:
  description: The checks that failed, each with C(id), C(expected), C(seen) and C(advice).
  returned: always
  type: list
  elements: dict
counts:
  description: How many checks, allowed and refused cases there were, and how many passed.
  returned: always
  type: dict
path:
  description: Where the evidence was written, or empty.
  returned: always
  type: str
"""
