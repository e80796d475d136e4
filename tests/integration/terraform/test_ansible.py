# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""The task as a user runs it: where secrets are not, and how it ends when it is told to."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab.config import CHECKOUT
from tests.integration.terraform.conftest import Folder
from tests.integration.terraform.test_failures import SLOW, wait_for

# What does not depend on the program is tried with one.
one_program = pytest.mark.parametrize("binary", ["terraform"], indirect=True)
CANARIES = {
    "plain": "canary-plain-8f3a1c",
    "nested": "canary-nested-77b0de",
    "module": "canary-module-19aa42",
    "client": "canary-client-secret-c0ffee",
    "lines": "canary-first-line-0123456789\ncanary-second-line-abcdefghij",
}
SECRETIVE = """
variable "plain" {
  type      = string
  sensitive = true
}
variable "nested" {
  type = object({ open = string, deep = list(object({ password = string })) })
}
variable "module" {
  type      = string
  sensitive = true
}
variable "lines" {
  type      = string
  sensitive = true
}
variable "fail" {
  type    = bool
  default = false
}
resource "terraform_data" "plain" {
  input = { "key" = var.plain, list = [1, [var.plain]], joined = "user:${var.plain}@host" }
}
resource "terraform_data" "derived" {
  # What the provider returns of a sensitive value has no mark any more.
  input = terraform_data.plain.output
}
resource "terraform_data" "nested" {
  input = sensitive(var.nested.deep)
  lifecycle {
    postcondition {
      condition     = !var.fail
      error_message = "refused on purpose: ${nonsensitive(var.plain)}"
    }
  }
}
resource "terraform_data" "prints" {
  input = var.lines
  provisioner "local-exec" {
    command     = "echo \\"$SECRET\\"; env"
    environment = { SECRET = nonsensitive(var.plain) }
  }
}
module "child" {
  source   = "./child"
  password = var.module
}
output "plain" {
  value     = var.plain
  sensitive = true
}
output "child" {
  value     = module.child.password
  sensitive = true
}
output "unmarked" { value = terraform_data.plain.output }
output "open" { value = var.nested.open }
"""
CHILD = """
variable "password" {
  type      = string
  sensitive = true
}
resource "terraform_data" "this" {
  for_each = toset(["x"])
  input    = { password = var.password }
}
output "password" {
  value     = var.password
  sensitive = true
}
"""


def variables(**more: Any) -> dict[str, Any]:
    """The canaries as values of variables."""
    nested = {"open": "visible", "deep": [{"password": CANARIES["nested"]}]}
    values = {name: CANARIES[name] for name in ("plain", "module", "lines")}
    return {**values, "nested": nested, **more}


def play(
    folder: Folder, state: str = "applied", **options: Any
) -> tuple[list[str], dict[str, str], Path]:
    """Command and environment of ansible-playbook for one task, and the folder it works in."""
    room = folder.path.parent / "play"
    room.mkdir(exist_ok=True)
    arguments = {
        "path": str(folder.path),
        "binary": folder.binary,
        "state": state,
        "backend": {"path": str(folder.state)},
        **options,
    }
    task = {"name": "Stack", "brownfield.mesh.terraform_stack": arguments, "register": "stack"}
    show = {"name": "Show", "ansible.builtin.debug": {"var": "stack"}}
    document = [{"hosts": "localhost", "gather_facts": False, "tasks": [task, show]}]
    (room / "play.yml").write_text(yaml.safe_dump(document))
    environment = {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": str(CHECKOUT / ".cache"),
        "ANSIBLE_CONFIG": str(CHECKOUT / "ansible.cfg"),
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_LOCAL_TEMP": str(room / "local"),
        "ANSIBLE_LOG_PATH": str(room / "ansible.log"),
    }
    program = str(Path(sys.executable).with_name("ansible-playbook"))
    return [program, "-i", "localhost,", "-c", "local", str(room / "play.yml")], environment, room


def finish(
    command: list[str], environment: Mapping[str, str], *flags: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*command, *flags],
        env=environment,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


def found_in(text: str) -> list[str]:
    """The canaries in ``text``, whole or as a line."""
    return [part for canary in CANARIES.values() for part in canary.splitlines() if part in text]


class Watch(threading.Thread):
    """Samples the command lines of all processes."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.seen: set[str] = set()
        self.over = threading.Event()

    def run(self) -> None:
        while not self.over.wait(0.01):
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    self.seen.add(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
                except OSError:
                    continue


@pytest.fixture
def secretive(folder: Folder) -> Folder:
    folder.write(SECRETIVE)
    (folder.path / "child").mkdir()
    (folder.path / "child/main.tf").write_text(CHILD)
    return folder


def test_canary_secrets_are_nowhere(secretive: Folder) -> None:
    """Not in results, diffs and logs at the highest verbosity, not in what is left on the disk (but
    the state), and in no command line."""
    options = {"environment": {"ARM_CLIENT_SECRET": CANARIES["client"]}}
    watch = Watch()
    watch.start()
    texts = {}
    runs: list[tuple[str, dict[str, Any], tuple[str, ...]]] = [
        ("check", variables(), ("--check", "--diff")),
        ("apply", variables(), ("--diff",)),
        ("again", variables(), ("--diff",)),
        ("change", {**variables(), "plain": CANARIES["plain"] + "-2"}, ("--diff",)),
        ("failure", variables(fail=True), ("--diff",)),
        ("misspelt", {**variables(), "nested": CANARIES["nested"]}, ()),
    ]
    room = Path()
    for name, values, flags in runs:
        command, environment, room = play(secretive, variables=values, **options)
        done = finish(command, environment, "-vvvvv", *flags)
        texts[name] = done.stdout + done.stderr
    watch.over.set()
    watch.join()
    assert "refused on purpose: (sensitive value)" in texts["failure"]
    assert '"changed": true' in texts["change"]
    assert '"open": "visible"' in texts["again"]
    assert '"changed": false' in texts["again"]
    assert {name: found_in(text) for name, text in texts.items() if found_in(text)} == {}
    assert not found_in((room / "ansible.log").read_text())
    assert not found_in("\n".join(watch.seen))
    # The samples did see Terraform at work.
    assert any("-var-file=" in line for line in watch.seen)
    left = [
        path
        for path in secretive.path.parent.rglob("*")
        if path.is_file() and found_in(path.read_text(errors="replace"))
    ]
    # What was given to the test, and Terraform's own state (and its backup).
    assert {path.name.split(".")[0] for path in left} == {"play", "terraform"}
    assert not list((room / "local").rglob("*"))


def test_an_output_that_repeats_a_secret_is_withheld(secretive: Folder) -> None:
    found = secretive.run(variables=variables())
    assert found["outputs"] == {"open": "visible"}
    assert found["sensitive_outputs"] == ["child", "plain", "unmarked"]
    assert "output unmarked is not returned" in found["diagnostics"][-1]["summary"]


@pytest.fixture
def slow(folder: Folder) -> Folder:
    folder.write(SLOW, "slow.tf")
    return folder


def running(program: str, folder: Path) -> list[int]:
    """Processes of ``program`` that work in ``folder``."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if (path / "cwd").resolve() == folder and (path / "exe").resolve() == Path(program):
                found.append(int(path.name))
        except OSError:
            continue
    return found


@pytest.mark.parametrize(
    ("number", "whom"),
    [(signal.SIGINT, "ansible"), (signal.SIGTERM, "ansible"), (signal.SIGKILL, "worker")],
)
def test_told_to_end_terraform_ends_in_order(slow: Folder, number: int, whom: str) -> None:
    """Ctrl-C, a cancelled job, and a worker that was killed: the state has what was made, and
    nobody holds the lock."""
    binary = str(Path(slow.binary).resolve())
    command, environment, room = play(slow)
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    wait_for(slow.path.parent / "working")
    [terraform] = running(binary, slow.path)
    status = Path(f"/proc/{terraform}/status").read_text()
    worker = int(status.split("PPid:")[1].split()[0])
    os.kill(process.pid if whom == "ansible" else worker, number)
    process.communicate(timeout=60)
    end = time.monotonic() + 60
    # The worker too: it tidies up after Terraform, and by then ansible-playbook may be gone.
    while running(binary, slow.path) or Path(f"/proc/{worker}").exists():
        assert time.monotonic() < end
        time.sleep(0.05)
    state = json.loads(slow.state.read_text())
    kept = {item["name"] for item in state["resources"]}
    assert kept == {"machine", "slow"}
    assert not list(slow.state.parent.glob(".*.lock.info"))
    if whom == "ansible":
        assert not list((room / "local").rglob("plan"))
    (slow.path / "slow.tf").unlink()
    assert slow.run(lock_timeout=0, policy={"max_deletes": 1})["plan"]["summary"]["create"] == 0


def test_progress_is_said_while_terraform_works(slow: Folder) -> None:
    command, environment, _ = play(slow)
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert process.stdout is not None
    try:
        for line in process.stdout:
            if "terraform_data.slow: creating" in line:
                break
        else:
            pytest.fail("no progress")
        # It was said before the end: Terraform is still at it.
        assert running(str(Path(slow.binary).resolve()), slow.path)
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)


@one_program
def test_mistakes_in_the_options_are_told_all_at_once(folder: Folder) -> None:
    command, environment, _ = play(
        folder,
        backend={"access_key": "canary-key"},
        environment={"TF_LOG": "canary-log", "TF_VAR_x": "canary-x"},
        variable_files=["missing.tfvars"],
        timeout=0,
    )
    done = finish(command, environment)
    for words in (
        "environment: take TF_LOG out",
        "environment: take TF_VAR_x out (use variables)",
        "backend: take access_key out",
        "variable_files: missing.tfvars is not there",
        "timeout: write a number of seconds above zero",
    ):
        assert words in done.stdout
    assert "canary" not in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


@one_program
@pytest.mark.parametrize("name", ["variables", "environment", "backend"])
def test_what_is_no_mapping_is_refused_without_its_value(folder: Folder, name: str) -> None:
    command, environment, _ = play(folder, **{name: [CANARIES["plain"]]})
    done = finish(command, environment, "-vvvvv")
    assert done.returncode != 0
    assert not found_in(done.stdout + done.stderr)


@one_program
def test_vault_secrets_reach_variables_and_the_saved_plan(folder: Folder) -> None:
    """A vaulted variable, and a plan that one playbook run saves and another one applies."""
    room = folder.path.parent
    (room / "password").write_text("approve-me")
    vault = str(Path(sys.executable).with_name("ansible-vault"))
    secret = ("--vault-password-file", str(room / "password"))
    encrypted = subprocess.run(
        [vault, "encrypt_string", *secret, "vaulted-size"],
        capture_output=True, text=True, check=True, timeout=60,
    ).stdout  # fmt: skip
    (room / "vars.yml").write_text(f"size: {encrypted}")
    bundle = str(room / "approved.plan")
    extra = ("-e", f"@{room}/vars.yml")
    command, environment, _ = play(
        folder, "planned", saved_plan=bundle, variables={"size": "{{ size }}"}
    )
    done = finish(command, environment, *extra)
    assert "a vault secret" in done.stdout + done.stderr or "vault" in done.stdout + done.stderr
    assert done.returncode != 0
    planned = finish(command, environment, *extra, *secret)
    assert planned.returncode == 0, planned.stdout
    command, environment, _ = play(folder, saved_plan=bundle)
    applied = finish(command, environment, *secret)
    assert applied.returncode == 0, applied.stdout
    assert '"a": "vaulted-size"' in applied.stdout
