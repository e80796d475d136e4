#!/usr/bin/python
# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
# GNU General Public License v3.0+ compatible (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation only: the work is done on the controller, by the action plugin."""

from __future__ import annotations

DOCUMENTATION = r"""
module: prometheus_operator
short_description: Have a Prometheus in the cluster watch the machines
version_added: 0.1.0
author:
  - brownfield.mesh authors (!UNKNOWN)
description:
  - For a Prometheus that Prometheus Operator runs. Brings the machines as two C(ScrapeConfig), the
    alarms as C(PrometheusRule) and their routes as C(AlertmanagerConfig) into its namespace, and
    dashboards for Grafana as a C(ConfigMap), in one batch by server-side apply, or writes the same
    objects into a folder for a GitOps controller.
  - Takes them away when no machine is left to watch.
  - Runs on the controller only. Use it with C(run_once).
extends_documentation_fragment:
  - brownfield.mesh.alarms
options:
  mesh:
    description: The mesh, from C(mesh_plan.mesh). Its C(prometheus) says in which namespace.
    type: dict
    required: true
  machines:
    description: All machines, from C(mesh_plan.machines).
    type: dict
    required: true
  owners:
    description: Who answers for a workload (C(NAMESPACE/NAME)); the workload's name otherwise.
    type: dict
    default: {}
  without:
    description: Machines that are leaving.
    type: list
    elements: str
    default: []
  labels:
    description: Labels by which Prometheus and Alertmanager select the objects.
    type: dict
    default: {}
  dashboard_labels:
    description:
      - Labels by which Grafana's sidecar selects a C(ConfigMap) with dashboards. Without any there
        is none.
    type: dict
    default: {}
  receivers:
    description:
      - Receivers in the words of C(AlertmanagerConfig), where secrets are references to Secrets.
        The first gets what no route takes. Without any there is no C(AlertmanagerConfig).
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
attributes:
  check_mode:
    description: Compares by server dry run, and writes nothing.
    support: full
  diff_mode:
    description: Shows each object before and after, as the API server answers.
    support: full
"""

EXAMPLES = r"""
- name: Let the cluster's own Prometheus watch the machines
  brownfield.mesh.prometheus_operator:
    mesh: "{{ mesh_plan.mesh }}"
    machines: "{{ mesh_plan.machines }}"
    thresholds: "{{ thresholds }}"
    labels: {release: kube-prometheus-stack}
  run_once: true
"""

RETURN = r"""
objects:
  description: What happened to each object, sorted by namespace and kind.
  returned: success, with O(output=apply)
  type: list
  elements: dict
  sample:
    - {object: PrometheusRule monitoring/brownfield-mesh, action: unchanged}
files:
  description: What happened to each file, sorted by name.
  returned: success, with O(output=write)
  type: list
  elements: dict
"""
