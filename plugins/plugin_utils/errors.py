# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""What goes wrong on the controller, in words for the user."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

# How the API server words it (k8s.io/apiserver: pkg/admission/plugin/webhook/errors and
# plugin/policy/validating; endpoints/handlers/responsewriters).
_ADMISSION = re.compile(
    r"""admission webhook "[^"]*" denied the request"""
    r"""|[^"]*"[^"]*" is forbidden: ValidatingAdmissionPolicy '[^']*' .*denied request""",
    re.DOTALL,
)
_RIGHTS = re.compile(r"""[^ ]+(?: "[^"]*")? is forbidden: User """)


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

    @property
    def unknown_kind(self) -> bool:
        """Whether the server does not serve this kind at all: it says so without a Status."""
        return self.status == 404 and str(self) == "404 page not found"

    @property
    def lacks_namespace(self) -> bool:
        """Whether the namespace that the object is for does not exist."""
        return self.status == 404 and self.details.get("kind") == "namespaces"

    @property
    def refused_by_admission(self) -> bool:
        """Whether a policy or a webhook of the cluster refused the object, whoever asks.

        The status does not tell: a policy chooses between 403, 413 and 422, a webhook freely.
        """
        return bool(_ADMISSION.match(str(self)))

    @property
    def lacks_rights(self) -> bool:
        """Whether the user may not do this (RBAC, or another authoriser)."""
        return self.status == 403 and bool(_RIGHTS.match(str(self)))


def explain(error: ApiError, what: str) -> str:
    """What the API server's refusal means for ``what`` (an object), and what to do."""
    if error.lacks_rights:
        return (
            f"{what}: {error}. Give the user of this context the rights listed in the"
            " collection's documentation (docs/controller-roles.yaml)"
        )
    if error.unknown_kind:
        return (
            f"{what}: the API server does not know this kind. Install Istio's CRDs (Helm chart"
            " `base`, 1.22 or newer), or for monitoring those of Prometheus Operator (0.65 or"
            " newer)"
        )
    return f"{what}: {error}"
