#!/usr/bin/python
# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
# GNU General Public License v3.0+ compatible (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible module ``brownfield.mesh.monitoring``; the work is done by ``module_utils.watch``."""

from __future__ import annotations

DOCUMENTATION = r"""
module: monitoring
short_description: Install Prometheus and Alertmanager with the mesh's alarms
version_added: 0.1.0
description:
  - Installs both in sandboxed units that listen on loopback only, with the mesh's rules, which are
    checked by C(promtool) and C(amtool) before they are used.
  - One remote call when there is nothing to do, two when the controller has to push an archive.
author:
  - brownfield.mesh authors (!UNKNOWN)
options:
  prometheus:
    description: Where Prometheus and promtool come from, a Debian package or a tar archive.
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
  alertmanager:
    description: Where Alertmanager and amtool come from, a Debian package or a tar archive.
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
  thresholds:
    description: When the alarms fire. The role P(brownfield.mesh.monitoring#role) says why.
    type: dict
    suboptions:
      unreachable_seconds:
        description: How long a fault of a machine lasts before it is told.
        type: int
        required: true
      control_plane_seconds:
        description: How long a machine is without istiod before it is told.
        type: int
        required: true
      stale_seconds:
        description: How old a machine's state may be.
        type: int
        required: true
      certificate_fraction:
        description: How much of a certificate's life must be left.
        type: float
        required: true
      disk_fraction:
        description: How much of a disk must be free.
        type: float
        required: true
      clock_seconds:
        description: By how much a clock may be off.
        type: float
        required: true
  runbooks:
    description: Where the alarms' pages are, in front of C(/ALARM.md).
    type: str
    default: docs/runbooks
  receivers:
    description:
      - Alertmanager's own receivers, with their secrets. The first gets what no route takes.
    type: list
    elements: dict
    default: []
  routes:
    description: Which receiver gets which alarms. The first that fits counts.
    type: list
    elements: dict
    default: []
    suboptions:
      receiver:
        description: Name of the receiver.
        type: str
        required: true
      owner:
        description: Of which owner. All of them, if not given.
        type: str
      severity:
        description: Of which severity. All of them, if not given.
        type: str
        choices: [page, ticket]
  watchdog:
    description: Name of the receiver of the dead-man's switch. Nobody, if empty.
    type: str
    default: ""
  group_wait_seconds:
    description: How long Alertmanager waits for alarms of the same group.
    type: int
    default: 30
  group_interval_seconds:
    description: Seconds between two messages of a group that changes.
    type: int
    default: 300
  repeat_seconds:
    description: Seconds after which an alarm that goes on is told again.
    type: int
    default: 14400
  scrape_seconds:
    description: Seconds between two looks at a machine.
    type: int
    default: 30
  retention_days:
    description: How long Prometheus keeps what it has seen.
    type: int
    default: 15
  https_proxy:
    description: The proxy of the machine's own downloads.
    type: str
    default: ""
  state:
    description: Whether both are to be there, or all of it is to go, what they have seen too.
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
    description: Shows every file that changes; that with the receivers is never shown.
    support: full
  platform:
    description: Machines with systemd 247 or newer.
    platforms: posix
    support: full
"""

EXAMPLES = r"""
- name: Alarms to a webhook
  brownfield.mesh.monitoring:
    prometheus:
      - {url: "https://mirror.example.com/prometheus.deb", sha256: "{{ prometheus_sha256 }}"}
    alertmanager:
      - {url: "https://mirror.example.com/alertmanager.deb", sha256: "{{ alertmanager_sha256 }}"}
    thresholds: "{{ thresholds }}"
    receivers:
      - name: platform
        webhook_configs: [{url: "{{ vaulted_webhook_url }}"}]
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
from ansible_collections.brownfield.mesh.plugins.module_utils.watch import entry, options
from ansible_collections.brownfield.mesh.plugins.module_utils.watch.state import (
    MONITORING_HOME,
    MONITORING_UNITS,
)


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={**options.MONITORING, **entry.ARGUMENTS}, supports_check_mode=True
    )
    states = [unit[: -len(".service")] for unit in MONITORING_UNITS]
    entry.run(module, MONITORING_HOME, MONITORING_UNITS, states)


if __name__ == "__main__":
    main()
