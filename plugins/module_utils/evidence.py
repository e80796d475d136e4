# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Evidence: what a run proved. Checks with id, machine, expected, seen and advice."""

from __future__ import annotations

from dataclasses import dataclass

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    ``kind`` groups checks (``unit``, ``identity``, ``registration``, ``traffic`` ...). ``passed`` says
    whether ``seen`` is what was ``expected``; ``advice`` says what to do when it is not.
    """

    id: str
    machine: str
    kind: str
    expected: str
    seen: str
    passed: bool
    advice: str = ""
