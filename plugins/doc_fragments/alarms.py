# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
# GNU General Public License v3.0+ compatible (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Options of every module that brings alarms to a Prometheus."""

from __future__ import annotations


class ModuleDocFragment:
    """See the developer guide of Ansible, "Documentation fragments"."""

    DOCUMENTATION = r"""
options:
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
      ssh_failures:
        description: How many log-ins by SSH may fail in ten minutes.
        type: int
        required: true
      proxy_refusals:
        description: How many calls the proxy may refuse by policy or TLS in ten minutes.
        type: int
        required: true
      unit_restarts:
        description: How often systemd may start a unit anew in ten minutes.
        type: int
        required: true
      success_objective:
        description: Which part of a machine's requests is to succeed.
        type: float
        required: true
      requests_minimum:
        description: How many requests there must be before any part of them is told.
        type: int
        required: true
  runbooks:
    description: Where the alarms' pages are, in front of C(/ALARM.md).
    type: str
    default: docs/runbooks
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
"""
