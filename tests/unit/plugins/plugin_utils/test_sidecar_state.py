# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""What an environment file says is read back unchanged, by the rules and by a real shell."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from ansible_collections.brownfield.mesh.plugins.plugin_utils.sidecar_state import environment_file
from hypothesis import given
from hypothesis import strategies as st

KEYS = st.from_regex(r"[A-Z][A-Z0-9_]{0,8}", fullmatch=True)
VALUES = st.text(st.characters(exclude_characters="\0\n", exclude_categories=["Cs"]))


def _parsed(text: str) -> dict[str, str]:
    """POSIX double quotes: a backslash before one of four characters makes it plain."""
    found = {}
    for line in text.split("\n")[:-1]:
        match = re.fullmatch(r'([A-Z0-9_]+)="((?:[^"\\$`]|\\["\\$`])*)"', line)
        assert match, line
        found[match[1]] = re.sub(r'\\(["\\$`])', r"\1", match[2])
    return found


@given(st.dictionaries(KEYS, VALUES))
def test_every_value_comes_back(values: dict[str, str]) -> None:
    assert _parsed(environment_file(values)) == values


@pytest.mark.parametrize(
    "value",
    ["", "a b", 'quo"te', "it's", "back\\slash", "$HOME `id` $(id)", '{"a":"b\\\\"}', "ä #"],
)
def test_a_shell_reads_the_same(tmp_path: Path, value: str) -> None:
    file = tmp_path / "cluster.env"
    file.write_text(environment_file({"VALUE": value}))
    done = subprocess.run(
        ["sh", "-c", "set -a; . %s; env -0" % file], check=True, capture_output=True, timeout=10
    )
    assert "VALUE=" + value in done.stdout.decode().split("\0")
