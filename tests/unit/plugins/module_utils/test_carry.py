# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""What is carried can be imported there, packages and all; what is not loaded is an error."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.brownfield.mesh.plugins.module_utils import carry


def test_it_runs_where_nothing_else_is(tmp_path: Path) -> None:
    names = [carry.ROOM + "." + name for name in ("carry", "desired")]
    for file in carry.files(names, str(tmp_path)):
        path = Path(file.path)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(file.content)
    code = "import sys; sys.path.insert(0, sys.argv[1]); from %s import carry; print(carry.ROOM)"
    command = [sys.executable, "-I", "-S", "-c", code % carry.ROOM, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.stdout, done.stderr) == (carry.ROOM + "\n", "")


def test_what_is_not_loaded_cannot_be_carried() -> None:
    with pytest.raises(KeyError):
        carry.files([carry.ROOM + ".nothing"], "/x")
