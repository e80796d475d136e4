# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""The benchmark: python -m tests.benchmark measures on a lab of its own and prints JSON."""

from __future__ import annotations

import sys

from lab.config import CHECKOUT

# The collection as ansible-playbook finds it in this checkout.
sys.path.insert(0, str(CHECKOUT / ".cache"))
