"""Commands and waits are bounded, and say what went wrong."""

from __future__ import annotations

import pytest

from lab import run
from lab.config import LabError


def test_output_comes_back() -> None:
    assert run.run(["cat"], stdin="words") == "words"


def test_failure_says_the_command_its_code_and_its_last_words() -> None:
    with pytest.raises(LabError, match=r"(?s)sh -c .* failed \(3\):\nout of milk"):
        run.run(["sh", "-c", "echo out of milk >&2; exit 3"])


def test_a_missing_program_says_how_to_get_it() -> None:
    with pytest.raises(LabError, match="make bootstrap"):
        run.run(["no-such-program"])


def test_commands_end() -> None:
    with pytest.raises(LabError, match="no end after"):
        run.run(["sleep", "5"], seconds=0.1)


def test_waits_end_with_a_diagnosis() -> None:
    with pytest.raises(LabError, match=r"(?s)the gateway: not after 0 s\nits journal"):
        run.wait_for("the gateway", lambda: False, 0.2, lambda: "its journal")
    run.wait_for("nothing", lambda: True, 0)


def test_long_work_that_fails_shows_its_end() -> None:
    with pytest.raises(LabError, match=r"(?s)the build failed:\n.*line 20"):
        run.follow(["sh", "-c", "seq -f 'line %g' 20; exit 1"], "the build")
