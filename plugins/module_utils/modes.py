# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""What mode ``auto`` became: decided by fact on the controller, passed on as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Decision:
    """The ``mode`` (sidecar or bridge) that a workload of mode ``auto`` gets. ``reason`` is the
    fact that decided, as the end of a sentence: ``the cluster takes WorkloadGroup``."""

    mode: str
    reason: str


# By Workload.key.
Decisions = Mapping[str, Decision]
NOTHING_DECIDED: Decisions = {}
