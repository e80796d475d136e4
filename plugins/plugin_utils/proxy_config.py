# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""A workload's own part of Istio's ProxyConfig: the annotation that pods have for it, too.

It is YAML in a text, so the specification's own reader (standard library only) cannot look at it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import yaml
from ansible_collections.brownfield.mesh.plugins.module_utils.problems import (
    Problem,
    compact,
    kind_of,
    shown,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.spec import Fleet, Workload

# istio:api/annotation/annotations.gen.go
ANNOTATION = "proxy.istio.io/config"
WHERE = "mesh_workload.annotations[%s]" % ANNOTATION
_EXAMPLE = "write a ProxyConfig in YAML, such as 'concurrency: 2'"
_VARIABLE = re.compile("[A-Za-z_][A-Za-z0-9_]*")
# systemd drops a variable that has one of these (systemd: src/basic/env-util.c).
_DROPPED = re.compile("[\0-\x08\x0b-\x1f\x7f\ud800-\udfff]")


def read(workload: Workload) -> dict[str, Any]:
    """The annotation's content; for workloads without ``problems``."""
    config: dict[str, Any] = yaml.safe_load(workload.annotations.get(ANNOTATION, "")) or {}
    return config


def problems(fleet: Fleet) -> list[Problem]:
    """What in the annotations of all workloads no agent could read."""
    return [
        Problem(compact([m.name for m in fleet.machines_of(workload)]), *found)
        for workload in fleet.workloads
        for found in _problems(workload.annotations.get(ANNOTATION, ""))
    ]


def _problems(text: str) -> Iterator[tuple[str, str, str]]:
    """Each as path, why, fix."""
    try:
        config = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError):
        yield WHERE, "is no YAML", _EXAMPLE
        return
    if config is None:
        return
    if not isinstance(config, dict):
        yield WHERE, "is %s" % kind_of(config), _EXAMPLE
        return
    parts = {}
    for name in ("proxyMetadata", "proxyStatsMatcher"):
        parts[name] = config.get(name) or {}
        if not isinstance(parts[name], dict):
            where = "%s.%s" % (WHERE, name)
            yield where, "is %s" % kind_of(parts[name]), "write a mapping"
            parts[name] = {}
    for key, value in parts["proxyMetadata"].items():
        where = "%s.proxyMetadata" % WHERE
        if not isinstance(key, str) or not _VARIABLE.fullmatch(key):
            fix = "write letters, digits and '_', with no digit in front"
            yield where, "has %s, which names no environment variable" % shown(key), fix
        elif not isinstance(value, str):
            yield "%s.%s" % (where, key), "is %s" % kind_of(value), "write it in quotes"
        elif _DROPPED.search(value):
            fix = "remove them; line ends and tabs are possible"
            yield "%s.%s" % (where, key), "has control characters", fix
    suffixes = parts["proxyStatsMatcher"].get("inclusionSuffixes") or []
    if not isinstance(suffixes, list) or not all(isinstance(s, str) for s in suffixes):
        where = "%s.proxyStatsMatcher.inclusionSuffixes" % WHERE
        yield where, "is no list of strings", "write one, such as [upstream_rq_total]"
