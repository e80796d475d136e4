# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""What tests take from Istio's own source."""

from __future__ import annotations

import json
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from lab.config import CHECKOUT


@cache
def istio_definitions() -> list[dict[str, Any]]:
    """Istio's CRDs, of the version that the lab runs."""
    answer = subprocess.run(
        ["go", "mod", "download", "-json", "istio.io/istio"],
        cwd=CHECKOUT / "lab" / "go" / "istio",
        check=True,
        capture_output=True,
        timeout=600,
    )
    module = Path(json.loads(answer.stdout)["Dir"])
    text = (module / "manifests/charts/base/files/crd-all.gen.yaml").read_text()
    return [item for item in yaml.load_all(text, yaml.CSafeLoader) if item]
