"""Running commands and waiting, with progress that a person can follow."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from lab.config import LabError


def say(text: str) -> None:
    """One line of progress."""
    print(text, file=sys.stderr, flush=True)


@contextmanager
def step(what: str) -> Iterator[None]:
    """Announce ``what`` and say how long it took."""
    start = time.monotonic()
    say(f"  {what} ...")
    yield
    say(f"  {what}: {time.monotonic() - start:.1f} s")


def run(
    argv: Sequence[str],
    *,
    cwd: str | None = None,
    stdin: str = "",
    env: Mapping[str, str] | None = None,
    seconds: float = 120,
) -> str:
    """Standard output of ``argv``. Raises LabError with its last words when it fails."""
    words = " ".join(argv)[:200]
    try:
        done = subprocess.run(
            list(argv), capture_output=True, text=True, input=stdin, cwd=cwd, env=env,
            timeout=seconds, check=False,
        )  # fmt: skip
    except FileNotFoundError:
        raise LabError(f"{argv[0]} is not installed; `make bootstrap` installs it") from None
    except subprocess.TimeoutExpired:
        raise LabError(f"{words}: no end after {seconds:.0f} s") from None
    if done.returncode != 0:
        last = (done.stderr or done.stdout).strip().splitlines()[-15:]
        raise LabError("\n".join([f"{words} failed ({done.returncode}):", *last]))
    return done.stdout


def follow(argv: Sequence[str], what: str, *, cwd: str | None = None) -> None:
    """Run something long; every fifteen seconds say how far it is (lines it printed so far)."""
    start = last = time.monotonic()
    with subprocess.Popen(
        list(argv), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=cwd
    ) as process:
        assert process.stdout is not None
        lines: list[str] = []
        for line in process.stdout:
            lines.append(line.rstrip())
            if time.monotonic() - last > 15:
                last = time.monotonic()
                say(f"    {what}: {last - start:.0f} s, {len(lines)} steps, {lines[-1][:60]}")
    if process.returncode != 0:
        raise LabError(f"{what} failed:\n" + "\n".join(lines[-15:]))


def wait_for(
    what: str,
    ready: Callable[[], bool],
    seconds: float,
    diagnose: Callable[[], str] = lambda: "",
) -> None:
    """Poll ``ready``. Raises LabError with ``diagnose()`` when it stays false for ``seconds``."""
    end = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > end:
            raise LabError(f"{what}: not after {seconds:.0f} s\n{diagnose()}".rstrip())
        time.sleep(0.1)


@contextmanager
def locked(path: Path, busy: str, seconds: float) -> Iterator[None]:
    """Hold a lock file; it ends with the process. Raises LabError(busy) after ``seconds``.

    Whoever holds the lock may take the file away.
    """
    end = time.monotonic() + seconds
    told = False
    while True:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            file = path.open("w")
        except FileNotFoundError:  # just taken away
            continue
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > end:
                    raise LabError(busy) from None
                if not told:
                    say(f"  {busy}; waiting")
                told = True
                time.sleep(0.2)
                continue
            try:
                still_there = os.path.samestat(path.stat(), os.fstat(file.fileno()))
            except FileNotFoundError:
                continue
            if still_there:
                yield
                return
