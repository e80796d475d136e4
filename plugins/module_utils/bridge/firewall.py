# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""The nftables table that keeps the network from the application: on, off, and whether it is."""

from __future__ import annotations

from ansible_collections.brownfield.mesh.plugins.module_utils.bridge.state import (
    FIREWALL_TABLE,
    FIREWALL_UNIT,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.desired import Host


def rules(host: Host) -> str:
    """The table as nft lists it, or '' when it is not loaded."""
    return host.run(["nft", "list", "table", "inet", FIREWALL_TABLE], check=False)


def is_on(host: Host, mark: str) -> bool:
    """Whether the rules that bear ``mark`` are loaded, and come back after a reboot.

    An empty mark means that there is nothing to keep closed.
    """
    loaded = rules(host)
    return (
        bool(loaded)
        and loaded.count("comment") == (1 if mark else 0)
        and mark in loaded
        and host.succeeds(["systemctl", "is-active", "--quiet", FIREWALL_UNIT])
    )


def switch_on(host: Host) -> None:
    """Load the table, in place of an older one in one step."""
    host.run(["systemctl", "reload-or-restart", FIREWALL_UNIT])
