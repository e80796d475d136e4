#!/usr/bin/python
# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
# GNU General Public License v3.0+ compatible (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible module ``brownfield.mesh.node_exporter``; the work is done by ``module_utils.watch``."""

from __future__ import annotations

DOCUMENTATION = r"""
module: node_exporter
short_description: Let a machine of the mesh be watched
version_added: 0.1.0
description:
  - Installs node_exporter in a sandboxed unit that listens on loopback only, and a timer that
    writes what only the mesh knows of the machine into a file that node_exporter reads.
  - A second timer tries, round after round, what the machine must reach and what it must not, and
    writes what came of it.
  - Prometheus reaches it through the machine's sidecar, see M(brownfield.mesh.cluster_objects).
  - One remote call when there is nothing to do, two when the controller has to push the archive.
author:
  - brownfield.mesh authors (!UNKNOWN)
options:
  machine:
    description: The machine, as M(brownfield.mesh.plan) returns it.
    type: dict
  workload:
    description: The workload that the machine runs, as M(brownfield.mesh.plan) returns it.
    type: dict
  vantage:
    description:
      - A vantage, as M(brownfield.mesh.plan) returns it, in the place of O(machine). It gets the
        prober, and node_exporter with TLS of its own that demands a certificate.
    type: dict
  clients:
    description: Certificates (PEM) of those that a vantage answers.
    type: list
    elements: str
    default: []
  artifacts:
    description:
      - Where node_exporter comes from, a Debian package, a tar archive or the program itself, one
        for each architecture.
    type: list
    elements: dict
    default: []
    suboptions:
      sha256:
        description: SHA-256 of the file, in hexadecimal.
        type: str
        required: true
      architecture:
        description: The machines' architecture that the file is for.
        type: str
        choices: [any, amd64, arm64]
        default: any
      url:
        description: Where machines fetch it.
        type: str
        default: ""
      path:
        description: Where it lies on the controller, which pushes it.
        type: str
        default: ""
  collectors:
    description: Which of node_exporter's collectors run beside C(textfile) and C(time).
    type: list
    elements: str
    default: []
  state_seconds:
    description:
      - Seconds between two writings of the machine's own state. Its journal is read half as often.
    type: int
    default: 30
  cases:
    description: What the machine's prober tries, as M(brownfield.mesh.plan) returns it.
    type: list
    elements: dict
    default: []
  probe_seconds:
    description: Seconds between two rounds of the prober. Up to a quarter more is added by chance.
    type: int
    default: 60
  probe_cases:
    description: How many cases a round tries at most. With more of them, rounds take turns.
    type: int
    default: 32
  loki:
    description:
      - A Loki that gets the entries of the journal that are counted. None, without O(loki.url).
    type: dict
    default: {}
    suboptions:
      url:
        description: Where it is, without a path.
        type: str
        default: ""
      tenant:
        description: The tenant, where it has several.
        type: str
        default: ""
      username:
        description: Whom to name, where it asks.
        type: str
        default: ""
      password:
        description: The user's password. It is in a file of root's on the machine.
        type: str
        default: ""
      ca:
        description: The authority of its certificate, as PEM. The machine's own ones, if empty.
        type: str
        default: ""
  state:
    description: Whether the machine is to be watched, or all of it is to go.
    type: str
    choices: [present, absent]
    default: present
  installation:
    description: The desired state that the action plugin renders. Not for users.
    type: dict
  secrets:
    description: Contents that the action plugin supplies. Not for users.
    type: dict
    default: {}
  pushed:
    description: Archives that the action plugin brought to the machine. Not for users.
    type: dict
    default: {}
attributes:
  check_mode:
    description: Compares and reports as ever, and changes nothing.
    support: full
  diff_mode:
    description: Shows every file that changes.
    support: full
  platform:
    description: Machines with systemd 247 or newer.
    platforms: posix
    support: full
"""

EXAMPLES = r"""
- name: Let the machine be watched
  brownfield.mesh.node_exporter:
    machine: "{{ mesh_plan.machines[inventory_hostname].machine }}"
    workload: "{{ mesh_plan.machines[inventory_hostname].workload }}"
    artifacts:
      - url: https://mirror.example.com/prometheus-node-exporter_1.5.0-1+b6_amd64.deb
        sha256: 8cb5b39627595ea2cf3cd27be593e0e9af87023d29e1c5b8487e2f9510097e09
        architecture: amd64
    collectors: [cpu, meminfo, filesystem]
    cases: "{{ mesh_plan.cases[inventory_hostname] | default([]) }}"
  become: true
"""

RETURN = r"""
needs:
  description: What the machine asked the controller for, in check mode.
  returned: with O(state=present)
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.brownfield.mesh.plugins.module_utils.watch import (
    entry,
    logs,
    options,
    prober,
    ship,
    textfile,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.watch.state import (
    EXPORTER_HOME,
    EXPORTER_UNITS,
)

# The timers' scripts are this code: loading it here is what carries it to the machine.
SCRIPTS = (textfile.__name__, prober.__name__, logs.__name__, ship.__name__)


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={**options.EXPORTER, **entry.ARGUMENTS}, supports_check_mode=True
    )
    entry.run(module, EXPORTER_HOME, EXPORTER_UNITS, ())


if __name__ == "__main__":
    main()
