# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""What a program says goes to the journal without addresses, and otherwise as it said it."""

from __future__ import annotations

import subprocess

import pytest
from ansible_collections.brownfield.mesh.plugins.plugin_utils.monitoring import sandbox

from tests.support.units import argv_of

# As Alertmanager 0.25 has written them.
AWAY = r'err="chat/webhook[0]: retry canceled: Post \"https://a.example/s\": dial tcp: refused"'
REFUSED = 'msg="later" err="unexpected status code 503: http://u:s@a.example:9000/s?t=s: go away"'
SAYS = 'printf "%s\\n" "$@" >&2; echo out; exit 7'


@pytest.mark.parametrize(
    ("words", "seen"),
    [
        (AWAY, AWAY.replace("https://a.example/s", "<redacted>")),
        (REFUSED, 'msg="later" err="unexpected status code 503: <redacted> go away"'),
        ("http://a.example/s and https://b.example/s", "<redacted> and <redacted>"),
        ("level=info ts=1 $HOME 100% \\ '", "level=info ts=1 $HOME 100% \\ '"),
    ],
)
def test_addresses_are_kept_out_of_the_journal(words: str, seen: str) -> None:
    unit = "ExecStart=" + " ".join(sandbox.without_addresses(["program", "--with=${ARGUMENT}"]))
    *wrapper, program, argument = argv_of(unit, {"ARGUMENT": "an argument"})
    assert (program, argument) == ("program", "--with=an argument")
    done = subprocess.run(
        [*wrapper, "sh", "-c", SAYS, "program", words],
        capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (7, "out\n", seen + "\n")
