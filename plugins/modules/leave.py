#!/usr/bin/python
# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
# GNU General Public License v3.0+ compatible (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible module ``brownfield.mesh.leave``; the work is done by ``module_utils``."""

from __future__ import annotations

DOCUMENTATION = r"""
module: leave
short_description: Take a machine out of the mesh without a trace
version_added: 0.1.0
description:
  - Switches capture off, stops the proxy, removes the files, units, rules, names, packages and the
    user that M(brownfield.mesh.join) brought, in either mode. What was there before stays.
author:
  - brownfield.mesh authors (!UNKNOWN)
attributes:
  check_mode:
    description: Reports what would go, and changes nothing.
    support: full
  diff_mode:
    description: Shows everything that goes.
    support: full
"""

EXAMPLES = r"""
- name: Leave the mesh
  brownfield.mesh.leave:
  become: true
"""

RETURN = r"""#"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.brownfield.mesh.plugins.module_utils.bridge import leave as bridge
from ansible_collections.brownfield.mesh.plugins.module_utils.desired import Host, MachineError
from ansible_collections.brownfield.mesh.plugins.module_utils.sidecar import leave as sidecar


def main() -> None:
    """Do it."""
    module = AnsibleModule(argument_spec={}, supports_check_mode=True)
    try:
        host = Host()
        leave = bridge.leave if bridge.joined(host) else sidecar.leave
        module.exit_json(**leave(host, module.check_mode))
    except (MachineError, OSError) as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
