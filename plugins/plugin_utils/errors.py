# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""What goes wrong on the controller, in words for the user."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


class ClusterError(Exception):
    """One clear message that says what to do; never holds a secret."""


class IdentityError(Exception):
    """A certificate or key that cannot be used, and why; never holds a secret."""


class ApiError(ClusterError):
    """The API server refused a request. ``status`` is the HTTP status, ``details`` its reasons."""

    def __init__(self, status: int, message: str, details: Mapping[str, Any]) -> None:
        super().__init__(message)
        self.status = status
        self.details = details

    @property
    def causes(self) -> Sequence[Mapping[str, str]]:
        """Each single reason: ``reason``, ``message``, ``field``."""
        return list(self.details.get("causes") or ())


def explain(error: ApiError, what: str) -> str:
    """What the API server's refusal means for ``what`` (an object), and what to do."""
    if error.status == 403:
        return (
            f"{what}: {error}. Give the user of this context the rights listed in the"
            " collection's documentation (docs/controller-roles.yaml)"
        )
    if error.status == 404 and not error.details:
        return (
            f"{what}: the API server does not know this kind. Install Istio's CRDs"
            " (Helm chart `base`), 1.22 or newer"
        )
    return f"{what}: {error}"
