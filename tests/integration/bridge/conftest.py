# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Two bridges with real Envoys, for each test anew."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.envoys import Two, two


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """What ends with the test."""
    with ExitStack() as opened:
        yield opened


@pytest.fixture
def pair(stack: ExitStack) -> Two:
    """Two bridges, neither running yet. A socket's path is short: not pytest's own folder."""
    return two(Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mesh"))), stack)
