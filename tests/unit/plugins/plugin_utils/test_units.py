# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""systemd takes our units without a word, and finds the proxy's sandbox tight."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from pathlib import Path

import pytest
from ansible_collections.brownfield.mesh.plugins.module_utils.sidecar.state import (
    CAPTURE_UNIT,
    PROXY_UNIT,
)
from ansible_collections.brownfield.mesh.plugins.plugin_utils import units

from tests.support.units import argv_of

# A command that exists: whether the real ones do is not the question here.
COMMAND = "/bin/true"
PLACES = {"agent": COMMAND, "envoy": COMMAND, "template": "/template.json"}


def _analyze(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    if not shutil.which("systemd-analyze"):
        pytest.fail("systemd-analyze is not installed; install the package systemd")
    return subprocess.run(
        ["systemd-analyze", *arguments],
        env={**os.environ, "SYSTEMD_UNIT_PATH": "%s:" % folder},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def _write(folder: Path, bypass: bool) -> None:
    (folder / PROXY_UNIT).write_text(units.proxy(PLACES, "shop.svc.cluster.local", "0123"))
    (folder / CAPTURE_UNIT).write_text(units.capture(COMMAND, bypass))


@pytest.mark.parametrize("bypass", [False, True])
@pytest.mark.parametrize("unit", [PROXY_UNIT, CAPTURE_UNIT])
def test_systemd_has_nothing_to_say(tmp_path: Path, unit: str, bypass: bool) -> None:
    _write(tmp_path, bypass)
    done = _analyze(tmp_path, "verify", "--man=no", str(tmp_path / unit))
    assert (done.returncode, done.stderr) == (0, "")


def test_the_proxys_exposure_is_small(tmp_path: Path) -> None:
    _write(tmp_path, False)
    done = _analyze(
        tmp_path, "security", "--offline=true", "--threshold=15", str(tmp_path / PROXY_UNIT)
    )
    assert done.returncode == 0, done.stdout[-300:] + done.stderr


def test_only_bypass_ties_capture_to_the_proxy() -> None:
    tie = "BindsTo=" + PROXY_UNIT
    assert tie in units.capture(COMMAND, True)
    assert tie not in units.capture(COMMAND, False)
    assert "Before=network-pre.target" in units.capture(COMMAND, False)


def test_the_proxy_can_open_its_standard_output_though_it_is_a_socket() -> None:
    """As journald's is; what opens it, Envoy for an access log, is still the main process."""
    command = argv_of("ExecStart=" + " ".join(units.PIPED), {})
    ours, theirs = socket.socketpair()
    with ours, theirs:
        script = "echo opened >/dev/stdout; echo err >/dev/stderr; echo $$"
        program = subprocess.Popen([*command, "sh", "-c", script], stdout=theirs, stderr=theirs)
        theirs.close()
        ours.settimeout(30)
        said = b"".join(iter(lambda: ours.recv(4096), b""))
        assert (program.wait(30), said.decode()) == (0, "opened\nerr\n%d\n" % program.pid)
