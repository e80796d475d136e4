# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Programs are started, heard and ended in order. The programs are small shells, and real."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.brownfield.mesh.plugins.plugin_utils.terraform import runner
from ansible_collections.brownfield.mesh.plugins.plugin_utils.terraform.errors import TerraformError

ENVIRONMENT = {"PATH": os.defpath}
# Ends in order when it is told to, as Terraform does.
ORDERLY = "trap 'echo saved > saved; exit 1' INT; echo started; while :; do sleep 0.05; done"
STUBBORN = "trap '' INT; echo started; while :; do sleep 0.05; done"


def run(script: str, cwd: Path, seconds: float = 60, **options: object) -> runner.Finished:
    argv = ["sh", "-c", script]
    return runner.run(argv, cwd, ENVIRONMENT, seconds, **options)  # type: ignore[arg-type]


def test_output_code_folder_and_environment(tmp_path: Path) -> None:
    found = run("pwd; env; echo problem >&2; exit 2", tmp_path)
    assert found.code == 2
    assert found.err == b"problem\n"
    lines = found.out.decode().splitlines()
    assert lines[0] == str(tmp_path)
    assert {line.split("=")[0] for line in lines[1:]} <= {"PATH", "PWD", "OLDPWD", "SHLVL", "_"}


def test_a_ctrl_c_of_the_terminal_reaches_it_by_us_alone(tmp_path: Path) -> None:
    group = int(run("exec cut -d' ' -f5 /proc/self/stat", tmp_path).out)
    assert group != os.getpgrp()


def test_nobody_can_be_asked(tmp_path: Path) -> None:
    assert run("cat; echo end", tmp_path).out == b"end\n"


def test_lines_come_while_it_works_and_each_once(tmp_path: Path) -> None:
    heard: list[str] = []

    def hear(line: str) -> None:
        heard.append(line)
        if line == "one":
            (tmp_path / "heard").touch()

    script = "echo one; until [ -e heard ]; do sleep 0.05; done; printf 'tw'; sleep 0.3; echo o"
    found = run(script + "; seq 20000", tmp_path, on_line=hear)
    assert heard == ["one", "two", *(str(number) for number in range(1, 20001))]
    assert found.out.count(b"\n") == len(heard)


def test_a_time_limit_lets_it_end_in_order(tmp_path: Path) -> None:
    with pytest.raises(
        runner.Stopped, match=r"time limit .timeout. was reached; it ended in order"
    ):
        run(ORDERLY, tmp_path, seconds=0.5)
    assert (tmp_path / "saved").exists()


def test_what_does_not_end_is_killed_and_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "SECOND_GRACE", 0.2)
    with pytest.raises(runner.Stopped, match=r"did not end within .* its lock may remain"):
        run(STUBBORN, tmp_path, seconds=0.3, grace=0.2)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_us_becomes_one_sigint(tmp_path: Path, number: signal.Signals) -> None:
    before = signal.getsignal(number)
    timer = threading.Timer(0.5, os.kill, (os.getpid(), number))
    timer.start()
    with pytest.raises(runner.Stopped, match="told to end; it ended in order"):
        run(ORDERLY, tmp_path)
    assert (tmp_path / "saved").exists()
    assert signal.getsignal(number) is before


@pytest.mark.parametrize("script", [ORDERLY, STUBBORN], ids=["orderly", "stubborn"])
@pytest.mark.parametrize("locked", [False, True])
def test_ansibles_own_time_limit_lets_it_end_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, locked: bool
) -> None:
    """The task keyword `timeout` raises out of a signal's handler, and is none of Exception; at
    worst while Popen has its lock, which then stays taken."""
    made: list[Popen] = []

    class Popen(subprocess.Popen[bytes]):
        def __init__(self, *given: Any, **more: Any) -> None:
            super().__init__(*given, **more)
            made.append(self)

    class TaskTimeoutError(BaseException):
        pass

    def alarm(_number: int, _frame: object) -> None:
        if locked:
            made[0]._waitpid_lock.acquire(blocking=False)  # type: ignore[attr-defined]
        raise TaskTimeoutError

    monkeypatch.setattr(subprocess, "Popen", Popen)
    monkeypatch.setattr(runner, "SECOND_GRACE", 0.5)

    before = signal.signal(signal.SIGALRM, alarm)
    signal.setitimer(signal.ITIMER_REAL, 0.5)
    try:
        with pytest.raises(TaskTimeoutError):
            run(script, tmp_path, grace=20 if script == ORDERLY else 0.5)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert (tmp_path / "saved").exists() == (script == ORDERLY)
    if not locked:
        assert made[0].returncode is not None
    else:  # with the lock lost nobody could take notice of its end, but it has ended
        assert os.waitid(os.P_PID, made[0].pid, os.WEXITED | os.WNOHANG) is not None


def test_it_outlives_us_just_long_enough_to_end_in_order(tmp_path: Path) -> None:
    """Killed without a chance to say so: the program is told by the kernel."""
    child = os.fork()
    if child == 0:
        run(ORDERLY, tmp_path, on_line=lambda _line: (tmp_path / "works").touch())
        os._exit(0)
    end = time.monotonic() + 30
    while not (tmp_path / "works").exists():
        assert time.monotonic() < end
        time.sleep(0.05)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    while not (tmp_path / "saved").exists():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_another_thread_may_run_it(tmp_path: Path) -> None:
    found: list[runner.Finished] = []
    thread = threading.Thread(target=lambda: found.append(run("echo x", tmp_path)))
    thread.start()
    thread.join()
    assert found[0].out == b"x\n"


def test_what_cannot_be_started_is_said(tmp_path: Path) -> None:
    (tmp_path / "program").write_text("no program")
    with pytest.raises(TerraformError, match="cannot be started: Permission denied"):
        runner.run([str(tmp_path / "program")], tmp_path, ENVIRONMENT, 1)
