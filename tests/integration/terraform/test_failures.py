# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""What goes wrong is told in Terraform's own words, with place and advice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.terraform.conftest import CONFIGURATION, Folder

SLOW = """
resource "terraform_data" "slow" {
  input = "x"
  provisioner "local-exec" { command = "touch ../working; sleep 60" }
  depends_on = [terraform_data.machine]
}
"""


def wait_for(path: Path) -> None:
    """Until the file is there."""
    end = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < end, path
        time.sleep(0.05)


def test_an_error_names_file_and_line(folder: Folder) -> None:
    folder.write(CONFIGURATION + '\nresource "terraform_data" "x" {\n  wrong = 1\n}\n')
    error = folder.fails()
    line = len(CONFIGURATION.splitlines()) + 3
    assert "plan failed:" in str(error)
    assert f"Unsupported argument (main.tf:{line}): An argument named" in str(error)
    found = error.result["diagnostics"][0]
    assert (found["file"], found["line"], found["severity"]) == ("main.tf", line, "error")


def test_all_errors_are_told_at_once(folder: Folder) -> None:
    folder.write('variable "one" {}\nvariable "two" {}', "required.tf")
    words = str(folder.fails())
    assert words.count("- No value for required variable (required.tf:") == 2
    assert words.count("What to do: give it in `variables`") == 1


def test_syntax_errors_come_from_init(folder: Folder) -> None:
    folder.write("resource {", "broken.tf")
    assert "init failed" in str(folder.fails())
    assert "broken.tf:1" in str(folder.fails())


def test_a_validation_shows_its_message_and_not_our_folder(folder: Folder) -> None:
    folder.write(
        """
        variable "zone" {
          type = string
          validation {
            condition     = contains(["1", "2"], var.zone)
            error_message = "Write zone 1 or 2."
          }
        }
        """,
        "zone.tf",
    )
    words = str(folder.fails(variables={"zone": "9"}))
    assert "Write zone 1 or 2." in words
    assert "/temporary/" not in words
    assert "/temporary/" not in json.dumps(folder.fails(variables={"zone": "9"}).result)


def test_an_unknown_variable_is_a_warning_of_the_result(folder: Folder) -> None:
    found = folder.run(variables={"misspelt": "x"})["diagnostics"]
    assert [item["summary"] for item in found] == ["Value for undeclared variable"]
    assert "misspelt" in found[0]["detail"]


def test_half_an_apply_is_told_as_such(folder: Folder) -> None:
    folder.write(SLOW.replace("sleep 60", "exit 3"), "slow.tf")
    error = folder.fails()
    assert error.result["changed"] is True
    assert "terraform_data.slow, slow.tf:4" in str(error)
    assert "2 changes were made before; running again goes on from there" in str(error)
    (folder.path / "slow.tf").unlink()
    # The broken one is tainted, and goes.
    assert folder.run(policy={"max_deletes": 1})["changed"]


def test_a_version_that_the_configuration_excludes(folder: Folder) -> None:
    if folder.binary.endswith("tofu"):
        pytest.skip("a development build of OpenTofu, such as the lab's, fits every version")
    folder.write(CONFIGURATION.replace(">= 1.9", ">= 99.0"))
    assert "What to do: install a version that the configuration allows" in str(folder.fails())


def test_a_registry_that_cannot_be_reached(folder: Folder) -> None:
    folder.write(
        'terraform {\n  required_providers {\n    x = { source = "127.0.0.1:1/some/x" }\n  }\n}',
        "providers.tf",
    )
    words = str(folder.fails())
    assert "init failed" in words
    assert "the registry or mirror did not give the provider" in words


def test_a_backend_setting_that_is_missing_a_folder(folder: Folder) -> None:
    words = str(folder.fails(backend={"path": "x", "nonsense": True}))
    assert "init failed" in words
    assert "nonsense" in words


@pytest.fixture
def holder(folder: Folder) -> Iterator[subprocess.Popen[bytes]]:
    """Somebody who applies for a long time by hand, and so holds the lock."""
    folder.run()
    folder.write(SLOW, "slow.tf")
    process = subprocess.Popen(
        [folder.binary, "apply", "-auto-approve", "-input=false"],
        cwd=folder.path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    wait_for(folder.path.parent / "working")
    yield process
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
    process.wait(60)


def test_a_held_lock_names_holder_and_time(folder: Folder, holder: subprocess.Popen[bytes]) -> None:
    words = str(folder.fails(lock_timeout=0))
    assert "Error acquiring the state lock" in words
    who = f"{os.environ.get('USER', 'root')}@{os.uname().nodename}"
    advice = words[words.index("What to do:") :]
    assert who in advice
    assert " since 20" in advice
    assert "(apply)" in advice
    assert holder.poll() is None


def test_the_lock_is_waited_for(folder: Folder, holder: subprocess.Popen[bytes]) -> None:
    holder.send_signal(signal.SIGINT)
    assert folder.run(lock_timeout=60, check=True, policy={"max_deletes": 1})["changed"]


def test_a_time_limit_ends_terraform_in_order(folder: Folder) -> None:
    folder.write(SLOW, "slow.tf")
    error = folder.fails(timeout=6)
    assert "apply was stopped because the time limit (timeout) was reached" in str(error)
    assert "the lock is released" in str(error)
    # What was made is in the state, and nobody holds the lock.
    (folder.path / "slow.tf").unlink()
    found = folder.run(lock_timeout=0, policy={"max_deletes": 1})
    assert found["outputs"]["machines"].keys() == {"a", "b"}
    assert found["plan"]["summary"]["create"] == 0
