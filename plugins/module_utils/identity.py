# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""The machine's X.509 identity: read with the standard library alone, its key made by OpenSSL."""

from __future__ import annotations

import calendar
import ssl
import time
from dataclasses import dataclass
from typing import Any, Optional

from ansible_collections.brownfield.mesh.plugins.module_utils.desired import Host


@dataclass(frozen=True)
class Identity:
    """A certificate's SPIFFE ID and validity (seconds since the epoch)."""

    spiffe_id: str
    not_before: int
    not_after: int

    def valid_for(self, now: float) -> float:
        """Seconds until its end; negative when it is over or has not begun."""
        return self.not_after - now if now >= self.not_before else -1.0


def new_key(host: Host) -> str:
    """A private key (PEM) for a certificate. Raises MachineError."""
    return host.run(
        ["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]
    )


def read(path: str) -> Optional[Identity]:
    """The identity in the first certificate of a PEM file, or None when there is none to read."""
    decoded = _decode(path)
    names = [value for kind, value in decoded.get("subjectAltName", ()) if kind == "URI"]
    spiffe = [name for name in names if name.startswith("spiffe://")]
    if len(spiffe) != 1:
        return None
    return Identity(spiffe[0], _seconds(decoded["notBefore"]), _seconds(decoded["notAfter"]))


def serial(path: str) -> str:
    """That certificate's serial number (hexadecimal, lower case, no leading zeros), or ''."""
    return str(_decode(path).get("serialNumber", "")).lower().lstrip("0")


def addresses(path: str) -> list[str]:
    """The IP addresses that the first certificate of a PEM file names."""
    names = _decode(path).get("subjectAltName", ())
    return [value for kind, value in names if kind == "IP Address"]


def _decode(path: str) -> dict[str, Any]:
    try:
        # The only X.509 parser in the standard library; the ssl module's own tests rely on it.
        return dict(ssl._ssl._test_decode_cert(path))  # type: ignore[attr-defined]
    except (OSError, ssl.SSLError, ValueError):
        return {}


def _seconds(text: str) -> int:
    return calendar.timegm(time.strptime(text, "%b %d %H:%M:%S %Y GMT"))
