# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Units for programs that only listen, read and write their own folder."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

from ansible_collections.brownfield.mesh.plugins.module_utils.watch.state import Archive, Unit
from ansible_collections.brownfield.mesh.plugins.plugin_utils.units import COMMON, Section, unit

# No right of its own, and nothing but sockets.
CLOSED: Section = [
    ("CapabilityBoundingSet", ""),
    ("ProtectKernelModules", "yes"),
    ("ProtectKernelTunables", "yes"),
    ("ProtectProc", "invisible"),
    ("RestrictAddressFamilies", "AF_INET AF_INET6 AF_UNIX AF_NETLINK"),
    ("SystemCallFilter", "@system-service"),
    ("SystemCallFilter", "~@privileged @resources"),
    ("SystemCallErrorNumber", "EPERM"),
    *COMMON,
]
# No user to make and to remove: systemd lends one while the unit runs (DynamicUser).
SERVER: Section = [
    ("Type", "exec"),
    ("DynamicUser", "yes"),
    ("Restart", "always"),
    ("RestartSec", "1s"),
    ("UMask", "0077"),
    ("AmbientCapabilities", ""),
    ("PrivateUsers", "yes"),
    *CLOSED,
]


def server(
    name: str,
    description: str,
    command: Sequence[str],
    more: Section,
    archive: Archive,
    ready: tuple[int, str],
    contents: Sequence[str] = (),
) -> Unit:
    """A server that starts at boot and comes back.

    ``ready`` are port and path where it says that it works, ``contents`` the files it reads at
    start.
    """
    text = unit(
        {
            "Unit": [
                ("Description", description + " (brownfield.mesh)"),
                ("Wants", "network-online.target"),
                ("After", "network-online.target"),
                ("StartLimitIntervalSec", "0"),
            ],
            "Service": [("ExecStart", " ".join(command)), *more, *SERVER],
            "Install": [("WantedBy", "multi-user.target")],
        }
    )
    pins = [artifact.sha256 for artifact in archive.artifacts]
    return Unit(name, text, "multi-user.target", digest(text, *pins, *contents), *ready)


def without_addresses(command: Sequence[str]) -> list[str]:
    """The command, with what it says on standard error freed of URLs, since those of receivers are
    secrets: Alertmanager has written them until 0.28. The command stays the unit's main process."""
    # To systemd, a dollar and a backslash are signs of its own (systemd.service(5)).
    script = 'exec "$$@" 2> >(exec sed --unbuffered --regexp-extended "$$0" >&2)'
    return ["/bin/bash", "-c", f"'{script}'", r"""'s,https?://[^ "\\]+,<redacted>,g'""", *command]


def digest(*contents: str) -> str:
    """Stands for contents, in their order."""
    return hashlib.sha256(json.dumps(contents).encode()).hexdigest()[:16]
