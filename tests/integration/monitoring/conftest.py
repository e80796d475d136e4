# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""promtool and amtool, out of Debian's packages."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab import debian


@pytest.fixture(scope="session")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with both. A package that cannot be had is an error, not a skip."""
    folder = tmp_path_factory.mktemp("tools")
    for name in ("prometheus", "prometheus-alertmanager"):
        for program in (debian.unpacked(name) / "usr" / "bin").iterdir():
            (folder / program.name).symlink_to(program)
    return folder
