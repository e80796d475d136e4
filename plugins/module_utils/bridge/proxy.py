# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""The running Envoy, as its administration says, and the supervisor's unit."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from typing import Any

from ansible_collections.brownfield.mesh.plugins.module_utils.bridge.state import (
    ADMIN_SOCKET,
    DIGEST_VARIABLE,
    UNIT,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.bridge.supervisor import (
    UnixConnection,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.desired import Host

LAST_LINES = 15


@dataclass(frozen=True)
class Running:
    """What serves: the digest its configuration carries, Envoy's version, and the serial numbers
    (as ``identity.serial``) of the certificates in use. Empty when nothing serves."""

    digest: str = ""
    version: str = ""
    serials: tuple[str, ...] = ()


def ask(path: str) -> str:
    """What Envoy's administration answers with 200, or ''."""
    connection = UnixConnection(ADMIN_SOCKET)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        text = answer.read().decode("utf-8", "replace")
        return text if answer.status == 200 else ""
    except (OSError, http.client.HTTPException):
        return ""
    finally:
        connection.close()


def running() -> Running:
    """What serves now."""
    info = _json(ask("/server_info"))
    if info.get("state") != "LIVE":
        return Running()
    # Envoy says "COMMIT/VERSION/STATUS/TYPE/TLS-LIBRARY".
    parts = str(info.get("version", "")).split("/")
    serials = {
        str(item.get("serial_number", "")).lower().lstrip("0")
        for entry in _json(ask("/certs")).get("certificates", [])
        for item in entry.get("cert_chain", [])[:1]
    }
    return Running(
        _digest(info),
        parts[1] if len(parts) > 1 else "",
        tuple(sorted(serials)),
    )


def unit_digest(host: Host) -> str:
    """The digest that the running supervisor was started with, or '' when none runs."""
    shown = host.run(["systemctl", "show", "--property=MainPID", "--value", UNIT], check=False)
    pid = shown.strip() or "0"
    environment = host.read("/proc/%s/environ" % pid) if pid != "0" else None
    for entry in (environment or "").split("\0"):
        if entry.startswith(DIGEST_VARIABLE + "="):
            return entry.split("=", 1)[1]
    return ""


def digest_of(configuration: str) -> str:
    """The digest that a configuration (JSON) carries, or ''."""
    return _digest(_json(configuration))


def last_words(host: Host) -> str:
    """The end of the unit's log."""
    argv = ["journalctl", "-u", UNIT, "-n", str(LAST_LINES), "-o", "cat", "--no-pager"]
    return host.run(argv, check=False).strip()


def _digest(content: dict[str, Any]) -> str:
    metadata = (content.get("node") or {}).get("metadata") or {}
    return str(metadata.get("digest", ""))


def _json(text: str) -> dict[str, Any]:
    try:
        content = json.loads(text or "{}")
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}
