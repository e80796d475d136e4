# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Thresholds of alarms, as the role's defaults have them."""

from __future__ import annotations

from ansible_collections.brownfield.mesh.plugins.plugin_utils.monitoring.rules import Thresholds

THRESHOLDS = Thresholds(
    unreachable_seconds=120,
    control_plane_seconds=600,
    stale_seconds=180,
    certificate_fraction=0.35,
    disk_fraction=0.1,
    clock_seconds=5.0,
    ssh_failures=20,
    proxy_refusals=1000,
    unit_restarts=5,
    success_objective=0.99,
    requests_minimum=100,
)
