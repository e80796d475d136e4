# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""What goes wrong with Terraform, in words for the user."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


class TerraformError(Exception):
    """One clear message that says what to do; never holds a secret.

    ``result`` is what the task returns beside the message: diagnostics, reasons of the policy.
    """

    def __init__(self, message: str, result: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.result = dict(result or {})


class Problems(TerraformError):
    """Everything that is wrong with the task's options, at once."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
