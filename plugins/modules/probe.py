#!/usr/bin/python
# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
# GNU General Public License v3.0+ compatible (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible module ``brownfield.mesh.probe``; the work is done by ``module_utils.probe``."""

from __future__ import annotations

DOCUMENTATION = r"""
module: probe
short_description: Try from a machine what must pass and what must be refused
version_added: 0.1.0
description:
  - Makes the calls of the reachability matrix that start at this machine, as an application on it
    would, a few at a time, and says what came of each. Changes nothing.
  - Whether that is right is judged by M(brownfield.mesh.evidence), which knows what the other end
    counted.
author:
  - brownfield.mesh authors (!UNKNOWN)
options:
  cases:
    description: The cases of this machine, from C(mesh_plan.cases[inventory_hostname]).
    type: list
    elements: dict
    required: true
  timeout:
    description: Seconds that one attempt may take.
    type: float
    default: 5
  settle:
    description:
      - Seconds from the start of the task within which a case that did not come out as expected
        is tried again, since configuration may still be on its way to the proxies.
    type: float
    default: 20
attributes:
  check_mode:
    description: Can run in check mode and return the same. The calls are made, they change nothing.
    support: full
  diff_mode:
    description: Nothing is changed, so there is nothing to show.
    support: none
  platform:
    description: Any machine with Python.
    platforms: posix
    support: full
"""

EXAMPLES = r"""
- name: Try what must pass and what must not
  brownfield.mesh.probe:
    cases: "{{ mesh_plan.cases[inventory_hostname] }}"
  register: mesh_probed
"""

RETURN = r"""
results:
  description: >-
    For each case its C(id), C(outcome) (allowed, refused or error), C(how), C(detail), C(attempts),
    C(seconds).
  returned: always
  type: list
  elements: dict
seconds:
  description: How long all cases together took.
  returned: always
  type: float
"""

import dataclasses
import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.brownfield.mesh.plugins.module_utils.probe import probe
from ansible_collections.brownfield.mesh.plugins.module_utils.reachability import (
    Case,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.spec import from_data


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "cases": {"type": "list", "elements": "dict", "required": True},
            "timeout": {"type": "float", "default": 5},
            "settle": {"type": "float", "default": 20},
        },
        supports_check_mode=True,
    )
    cases = [from_data(Case, item) for item in module.params["cases"]]
    start = time.monotonic()
    results = probe(cases, timeout=module.params["timeout"], settle=module.params["settle"])
    module.exit_json(
        changed=False,
        results=[dataclasses.asdict(result) for result in results],
        seconds=round(time.monotonic() - start, 2),
    )


if __name__ == "__main__":
    main()
