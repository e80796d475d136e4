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
extends_documentation_fragment:
  - brownfield.mesh.alarms
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
  prometheus_unit:
    description:
      - The systemd unit of a Prometheus of the user's on this machine, as C(prometheus.service).
        Then nothing is installed; rules, scrape jobs and dashboards come as files, and the unit is
        reloaded when they change.
    type: str
    default: ""
  receivers:
    description:
      - Alertmanager's own receivers, with their secrets. The first gets what no route takes.
    type: list
    elements: dict
    default: []
  retention_days:
    description: How long Prometheus keeps what it has seen.
    type: int
    default: 15
  grafana:
    description:
      - Whether a Grafana on the machine is shown the dashboards, by a file in
        C(/etc/grafana/provisioning/dashboards). They are in C(/etc/mesh-monitoring/dashboards) in
        any case.
    type: bool
    default: false
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
    GRAFANA_PROVIDER,
    MONITORING_HOME,
    MONITORING_UNITS,
)


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={**options.MONITORING, **entry.ARGUMENTS}, supports_check_mode=True
    )
    states = [unit[: -len(".service")] for unit in MONITORING_UNITS]
    entry.run(module, MONITORING_HOME, MONITORING_UNITS, states, [GRAFANA_PROVIDER])


if __name__ == "__main__":
    main()
