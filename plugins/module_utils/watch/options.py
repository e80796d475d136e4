# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""The options that users write: taken by the action plugins, declared by the modules, too."""

from __future__ import annotations

from typing import Any

# How artefacts are given: the same for every program.
ARTIFACTS: dict[str, Any] = {
    "type": "list",
    "elements": "dict",
    "default": [],
    "options": {
        "sha256": {"type": "str", "required": True},
        "architecture": {"type": "str", "choices": ["any", "amd64", "arm64"], "default": "any"},
        "url": {"type": "str", "default": ""},
        "path": {"type": "str", "default": ""},
    },
}
THRESHOLDS: dict[str, Any] = {
    "unreachable_seconds": {"type": "int", "required": True},
    "control_plane_seconds": {"type": "int", "required": True},
    "stale_seconds": {"type": "int", "required": True},
    "certificate_fraction": {"type": "float", "required": True},
    "disk_fraction": {"type": "float", "required": True},
    "clock_seconds": {"type": "float", "required": True},
    "ssh_failures": {"type": "int", "required": True},
    "proxy_refusals": {"type": "int", "required": True},
    "unit_restarts": {"type": "int", "required": True},
    "success_objective": {"type": "float", "required": True},
    "requests_minimum": {"type": "int", "required": True},
}
ROUTES: dict[str, Any] = {
    "receiver": {"type": "str", "required": True},
    "owner": {"type": "str"},
    "severity": {"type": "str", "choices": ["page", "ticket"]},
}
STATE: dict[str, Any] = {"type": "str", "choices": ["present", "absent"], "default": "present"}
# What a Prometheus of ours and one of the user's own have in common.
_ALARMS: dict[str, Any] = {
    "thresholds": {"type": "dict", "options": THRESHOLDS},
    "runbooks": {"type": "str", "default": "docs/runbooks"},
    "receivers": {"type": "list", "elements": "dict", "default": []},
    "routes": {"type": "list", "elements": "dict", "default": [], "options": ROUTES},
    "watchdog": {"type": "str", "default": ""},
    "group_wait_seconds": {"type": "int", "default": 30},
    "group_interval_seconds": {"type": "int", "default": 300},
    "repeat_seconds": {"type": "int", "default": 14400},
    "scrape_seconds": {"type": "int", "default": 30},
}
MONITORING: dict[str, Any] = {
    **_ALARMS,
    "prometheus": ARTIFACTS,
    "alertmanager": ARTIFACTS,
    "prometheus_unit": {"type": "str", "default": ""},
    "receivers": {**_ALARMS["receivers"], "no_log": True},
    "retention_days": {"type": "int", "default": 15},
    "grafana": {"type": "bool", "default": False},
    "https_proxy": {"type": "str", "default": ""},
    "state": STATE,
}
LOKI: dict[str, Any] = {
    "url": {"type": "str", "default": ""},
    "tenant": {"type": "str", "default": ""},
    "username": {"type": "str", "default": ""},
    "password": {"type": "str", "default": "", "no_log": True},
    "ca": {"type": "str", "default": ""},
}
EXPORTER: dict[str, Any] = {
    "machine": {"type": "dict"},
    "workload": {"type": "dict"},
    "vantage": {"type": "dict"},
    "clients": {"type": "list", "elements": "str", "default": []},
    "artifacts": ARTIFACTS,
    "collectors": {"type": "list", "elements": "str", "default": []},
    "state_seconds": {"type": "int", "default": 30},
    "cases": {"type": "list", "elements": "dict", "default": []},
    "probe_seconds": {"type": "int", "default": 60},
    "probe_cases": {"type": "int", "default": 32},
    "loki": {"type": "dict", "options": LOKI, "default": {}},
    "state": STATE,
}
TARGETS: dict[str, Any] = {
    "machines": {"type": "dict"},
    "vantages": {"type": "list", "elements": "dict", "default": []},
    "certificates": {"type": "dict", "default": {}},
    "here": {"type": "str"},
    "owners": {"type": "dict", "default": {}},
    "without": {"type": "list", "elements": "str", "default": []},
    "installed": {"type": "bool", "default": False},
}
OPERATOR: dict[str, Any] = {
    **_ALARMS,
    "thresholds": {**_ALARMS["thresholds"], "required": True},
    "mesh": {"type": "dict", "required": True},
    "machines": {"type": "dict", "required": True},
    "owners": {"type": "dict", "default": {}},
    "without": {"type": "list", "elements": "str", "default": []},
    "labels": {"type": "dict", "default": {}},
    "dashboard_labels": {"type": "dict", "default": {}},
    "output": {"type": "str", "choices": ["apply", "write"], "default": "apply"},
    "path": {"type": "path"},
}
