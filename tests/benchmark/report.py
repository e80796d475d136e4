# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""The report of 1,000 machines: seconds to build it, bytes, and seconds until it can be used."""

from __future__ import annotations

import hashlib
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from ansible_collections.brownfield.mesh.plugins.plugin_utils.evidence_document import as_json
from ansible_collections.brownfield.mesh.plugins.plugin_utils.report_page import data, page

from tests.support.evidence import large

MACHINES = 1000
RUNS = 3


def benchmark() -> dict[str, Any]:
    """Building begins with the evidence's text and ends with both texts to write."""
    # Here, since unit tests import the benchmark also where there is no playwright.
    from tests.support.browser import chromium, usable_seconds

    text = json.dumps(large(MACHINES))
    start = time.perf_counter()
    digest = hashlib.sha256(text.encode("utf-8")).hexdigest()
    report = data.build(json.loads(text), digest)
    html, content = page.render(report), as_json(report)
    seconds = time.perf_counter() - start
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder, chromium() as browser:
        path = Path(folder) / "report.html"
        path.write_text(html, encoding="utf-8")
        usable = [usable_seconds(browser, path.as_uri()) for _ in range(RUNS)]
    return {
        "machines": MACHINES,
        "build_seconds": round(seconds, 2),
        "bytes": len(html.encode("utf-8")),
        "json_bytes": len(content.encode("utf-8")),
        "usable_seconds": round(statistics.median(usable), 2),
    }


if __name__ == "__main__":
    print(json.dumps(benchmark()))
