# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""What tests take from Istio's own source."""

from __future__ import annotations

from functools import cache
from typing import Any

import yaml

from lab.tools import istio_module


@cache
def istio_definitions() -> list[dict[str, Any]]:
    """Istio's CRDs, of the version that the lab runs."""
    text = (istio_module() / "manifests/charts/base/files/crd-all.gen.yaml").read_text()
    return [item for item in yaml.load_all(text, yaml.CSafeLoader) if item]
