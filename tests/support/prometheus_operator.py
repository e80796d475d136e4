# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""What tests take from Prometheus Operator's own source."""

from __future__ import annotations

from functools import cache
from typing import Any

import yaml

from lab.tools import go_module


class _Loader(yaml.CSafeLoader):
    """Reads `=`, which YAML 1.1 knows as a kind of its own, as the text it is."""


_Loader.add_constructor("tag:yaml.org,2002:value", lambda loader, node: node.value)


@cache
def operator_definitions() -> list[dict[str, Any]]:
    """The Operator's CRDs, of the version that lab/go/prometheus-operator pins."""
    module = go_module("prometheus-operator", "github.com/prometheus-operator/prometheus-operator")
    folder = module / "example" / "prometheus-operator-crd"
    return [yaml.load(path.read_text(), _Loader) for path in sorted(folder.glob("*.yaml"))]
