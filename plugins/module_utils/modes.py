# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""How machines join: which modes there are in this release, and what ``auto`` decides."""

from __future__ import annotations

RELEASED = ("auto", "sidecar")


def decide(mode: str) -> tuple[str, str]:
    """The mode that ``mode`` of a workload means, and the reason."""
    if mode == "auto":
        return "sidecar", "auto: the one mode of this release"
    return mode, "chosen in mesh_workload.mode"
