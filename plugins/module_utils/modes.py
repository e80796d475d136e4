# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""How machines join: what ``auto`` decides."""

from __future__ import annotations


def decide(mode: str) -> tuple[str, str]:
    """The mode that ``mode`` of a workload means, and the reason."""
    if mode == "auto":
        return "sidecar", "auto: a bridge is only made where it is asked for"
    return mode, "chosen in mesh_workload.mode"
