# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""What watches the mesh, rendered from data: exporters, Prometheus, rules, Alertmanager."""
