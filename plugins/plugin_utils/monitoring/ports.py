# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Where a machine's figures are read: the same ports in every mode."""

from __future__ import annotations

# Of node_exporter, on loopback and through the proxy. Not its usual one, where another may be.
EXPORTER_PORT = 19100
# Of the proxy's own figures, through the proxy.
PROXY_FIGURES_PORT = 19101
# Where the agent listens, on every address: capture keeps it from the network.
AGENT_FIGURES_PORT = 15020
