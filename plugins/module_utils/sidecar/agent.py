# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""The running agent: whether it is ready, what runs, and its last words."""

from __future__ import annotations

import http.client
import json
import re
import urllib.error
import urllib.request
from typing import Any

from ansible_collections.brownfield.mesh.plugins.module_utils.desired import Host
from ansible_collections.brownfield.mesh.plugins.module_utils.sidecar.state import PROXY_UNIT

READY_URL = "http://127.0.0.1:15021/healthz/ready"
SERVER_INFO_URL = "http://127.0.0.1:15000/server_info"
LAST_LINES = 15
# What the agent says when it does not become ready, and what to do. The first that fits counts.
ADVICE = (
    (
        r"cannot find WorkloadGroup|registration of WorkloadEntry",
        "istiod has no fitting WorkloadGroup; bring the cluster objects first",
    ),
    (
        r"certificate signed by unknown authority|x509|certificate verify failed",
        "the machine does not trust istiod, or istiod's name is another; check mesh.istiod.host,"
        " mesh.revision and the machine's clock",
    ),
    (
        r"Unauthenticated|authentication failure",
        "istiod does not accept the machine's token; check that mesh.cluster is istiod's cluster",
    ),
    (
        r"connection refused|i/o timeout|no route to host|no such host|deadline exceeded",
        "the machine does not reach istiod; check mesh.istiod.address, mesh.istiod.port and the"
        " firewalls between",
    ),
    (r"", "see journalctl -u %s on the machine" % PROXY_UNIT),
)
_SECRETS = re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]+")  # a JSON Web Token


def get(url: str) -> str:
    """What the agent or its Envoy answers with 200, or ''. No proxy of the environment is asked."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=1) as answer:
            return str(answer.read().decode("utf-8", "replace")) or "ok"
    except (urllib.error.URLError, http.client.HTTPException, OSError):
        return ""


def is_ready() -> bool:
    """Whether agent and Envoy have got their configuration."""
    return bool(get(READY_URL))


def versions() -> dict[str, str]:
    """What runs: ``agent`` (Istio's version) and ``envoy``; '' where nothing answers."""
    return parse_versions(get(SERVER_INFO_URL))


def parse_versions(text: str) -> dict[str, str]:
    """``agent`` and ``envoy`` from Envoy's ``/server_info``; '' where it does not say."""
    try:
        info: dict[str, Any] = json.loads(text or "{}")
    except ValueError:
        info = {}
    # Envoy says "COMMIT/VERSION/STATUS/TYPE/TLS-LIBRARY".
    parts = str(info.get("version", "")).split("/")
    metadata = (info.get("node") or {}).get("metadata") or {}
    return {
        "agent": str(metadata.get("ISTIO_VERSION", "")),
        "envoy": parts[1] if len(parts) > 1 else "",
    }


def advice(words: str) -> str:
    """What the agent's last words mean, and what to do."""
    return next(meaning for sign, meaning in ADVICE if re.search(sign, words))


def last_words(host: Host) -> str:
    """The end of the agent's log, tokens taken out."""
    argv = ["journalctl", "-u", PROXY_UNIT, "-n", str(LAST_LINES), "-o", "cat", "--no-pager"]
    return _SECRETS.sub("(token)", host.run(argv, check=False).strip())
