# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""The supervisor with real processes: one takes over, one does not come up, one dies.

What stands for Envoy serves its administration, as Envoy does, at a Unix socket.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ansible_collections.brownfield.mesh.plugins.module_utils.bridge import supervisor
from ansible_collections.brownfield.mesh.plugins.module_utils.bridge.supervisor import live_epoch

ENVOY = """
import http.server, json, os, socketserver, sys, threading, time
admin, folder, epoch = sys.argv[1], sys.argv[2], int(sys.argv[-1])
memory = "/dev/shm/envoy_shared_memory_%d0" % int(sys.argv[sys.argv.index("--base-id") + 1])
def says(starting):
    words = [number.to_bytes(8, sys.byteorder) for number in (104, *[0] * 11, starting)]
    with open(memory, "wb") as file:
        file.write(b"".join(words))
if epoch and open(memory, "rb").read()[-8:] != bytes(8):
    sys.exit("previous envoy process is still initializing")
says(1)
if os.path.exists(folder + "/broken"):
    sys.exit(3)
if os.path.exists(folder + "/hangs"):
    time.sleep(60)
if not os.path.exists(folder + "/slow"):
    says(0)
open("%s/pid-%d" % (folder, epoch), "w").write(str(os.getpid()))
assert "NOTIFY_SOCKET" not in os.environ
open("/dev/stdout", "w").write("a line of epoch %d\\n" % epoch)
class Admin(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = {"state": "LIVE", "command_line_options": {"restart_epoch": epoch}}
        body = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def address_string(self):
        return "unix"
    def log_message(self, *_):
        pass
if os.path.exists(admin):
    os.unlink(admin)
socketserver.UnixStreamServer(admin, Admin).serve_forever()
"""


class Run:
    """A supervisor that runs, and what it told systemd."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.admin = str(folder / "admin")
        (folder / "envoy.py").write_text(ENVOY)
        self.systemd = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.systemd.bind(str(folder / "notify"))
        self.systemd.settimeout(30)
        self.memory = Path("/dev/shm/envoy_shared_memory_%d0" % os.getpid())
        command = [sys.executable, str(folder / "envoy.py"), self.admin, str(folder)]
        command += ["--base-id", str(os.getpid())]
        program = Path(supervisor.__file__).read_text()
        (folder / "supervisor.py").write_text(program.replace("SECONDS = 30.0", "SECONDS = 3.0"))
        self.process = subprocess.Popen(
            [sys.executable, str(folder / "supervisor.py"), self.admin, *command],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "NOTIFY_SOCKET": str(folder / "notify")},
        )

    def told(self) -> str:
        return self.systemd.recv(1000).decode()

    def pid(self, epoch: int) -> int:
        return int((self.folder / ("pid-%d" % epoch)).read_text())


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    made = Run(tmp_path)
    yield made
    made.process.kill()
    for file in tmp_path.glob("pid-*"):  # they hold its standard error open
        try:
            os.kill(int(file.read_text()), signal.SIGKILL)
        except ProcessLookupError:
            continue
    made.process.communicate(timeout=30)
    made.systemd.close()
    made.memory.unlink()


def _wait(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_new_process_takes_over_and_the_old_one_drains(run: Run) -> None:
    assert run.told() == "READY=1\nSTATUS=Envoy serves, epoch 0"
    run.process.send_signal(signal.SIGHUP)
    assert run.told() == "READY=1\nSTATUS=Envoy serves, epoch 1"
    assert live_epoch(run.admin) == 1
    assert _alive(run.pid(0))
    os.kill(run.pid(0), signal.SIGTERM)  # it has drained
    _wait(lambda: not _alive(run.pid(0)))
    assert run.process.poll() is None
    run.process.send_signal(signal.SIGTERM)
    out, _ = run.process.communicate(timeout=30)
    assert run.process.returncode == 0
    assert not _alive(run.pid(1))
    assert out == "a line of epoch 0\na line of epoch 1\n"


def test_a_process_that_does_not_come_up_leaves_the_running_one_alone(run: Run) -> None:
    run.told()
    (run.folder / "broken").touch()
    run.process.send_signal(signal.SIGHUP)
    assert "did not come up; epoch 0 serves on" in run.told()
    assert live_epoch(run.admin) == 0
    (run.folder / "broken").unlink()
    run.process.send_signal(signal.SIGHUP)
    assert "epoch 1" in run.told()


def test_a_process_that_hangs_is_ended_and_the_next_comes_up(run: Run) -> None:
    run.told()
    (run.folder / "hangs").touch()
    run.process.send_signal(signal.SIGHUP)
    _wait(lambda: run.memory.read_bytes()[-8:] != bytes(8))
    (run.folder / "hangs").unlink()
    run.process.send_signal(signal.SIGHUP)  # it is kept in mind meanwhile
    assert "did not come up; epoch 0 serves on" in run.told()
    assert "epoch 1" in run.told()


def test_a_process_serves_when_it_says_that_it_no_longer_starts(run: Run) -> None:
    run.told()
    (run.folder / "slow").touch()
    run.process.send_signal(signal.SIGHUP)
    _wait(lambda: live_epoch(run.admin) == 1)
    run.process.send_signal(signal.SIGHUP)
    with pytest.raises(TimeoutError):
        run.systemd.settimeout(0.5)
        run.told()
    run.systemd.settimeout(30)
    (run.folder / "slow").unlink()
    run.memory.write_bytes(run.memory.read_bytes()[:-8] + bytes(8))
    assert "epoch 1" in run.told()
    assert "epoch 2" in run.told()


def test_restarts_one_after_the_other_end_the_oldest(run: Run) -> None:
    """The stand-in does not end by itself, as a wedged Envoy would not."""
    run.told()
    for epoch in range(1, 5):
        run.process.send_signal(signal.SIGHUP)
        assert "epoch %d" % epoch in run.told()
    assert [_alive(run.pid(epoch)) for epoch in range(5)] == [False, False, True, True, True]


def test_when_the_current_process_dies_so_does_the_supervisor(run: Run) -> None:
    run.told()
    os.kill(run.pid(0), signal.SIGKILL)
    assert run.process.wait(30) == 1


def test_a_first_process_that_does_not_come_up_ends_it(tmp_path: Path) -> None:
    (tmp_path / "broken").touch()
    made = Run(tmp_path)
    try:
        assert made.process.wait(30) == 1
    finally:
        made.process.communicate()
        made.systemd.close()
        made.memory.unlink()


def test_nobody_answers() -> None:
    assert live_epoch("/nowhere") == -1
