# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""The command lines, and what is made of the answers."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.brownfield.mesh.plugins.plugin_utils.terraform import cli
from ansible_collections.brownfield.mesh.plugins.plugin_utils.terraform.errors import TerraformError
from ansible_collections.brownfield.mesh.plugins.plugin_utils.terraform.redact import Masker
from ansible_collections.brownfield.mesh.plugins.plugin_utils.terraform.runner import Finished

Make = Callable[..., cli.Terraform]


class Program:
    """A runner that gives prepared answers and keeps what it was asked."""

    def __init__(self, *answers: Finished) -> None:
        self.answers = list(answers)
        self.asked: list[list[str]] = []
        self.seconds: list[float] = []

    def __call__(
        self, argv: Sequence[str], cwd: Path, env: Any, seconds: float, on_line: Any = None
    ) -> Finished:
        self.asked.append(list(argv))
        self.seconds.append(seconds)
        finished = self.answers.pop(0)
        for line in finished.out.decode().splitlines():
            if on_line:
                on_line(line)
        return finished


def answer(data: Any = None, code: int = 0, err: str = "") -> Finished:
    text = data if isinstance(data, str) else json.dumps({} if data is None else data)
    return Finished(code, text.encode(), err.encode())


def terraform(tmp_path: Path, *answers: Finished) -> tuple[cli.Terraform, Program]:
    program = Program(*answers)
    made = cli.Terraform(
        "/opt/terraform", tmp_path, tmp_path, {}, 60, Masker(), lambda *_: None, program
    )
    return made, program


def test_command_lines(tmp_path: Path) -> None:
    made, program = terraform(tmp_path, *[answer()] * 5)
    made.init(Path("/w/backend.json"))
    made.plan(Path("/w/plan"), [Path("/a.tfvars"), Path("/w/v.json")], True, 5)
    made.show(Path("/w/plan"))
    made.apply(Path("/w/plan"), 7)  # its events say nothing of outputs here
    # Options come as a mapping: their order says nothing.
    assert [[line[1], *sorted(line[2:])] for line in program.asked] == [
        ["init", "-backend-config=/w/backend.json", "-input=false", "-json", "-lockfile=readonly"],
        ["plan", "-destroy", "-detailed-exitcode", "-input=false", "-json", "-lock-timeout=5s",
         "-out=/w/plan", "-var-file=/a.tfvars", "-var-file=/w/v.json"],
        ["show", "-json", "/w/plan"],
        ["apply", "-input=false", "-json", "-lock-timeout=7s", "/w/plan"],
        ["output", "-json"],
    ]  # fmt: skip
    # Files of variables keep their order, and what is no option comes last.
    assert program.asked[1][-2:] == ["-var-file=/a.tfvars", "-var-file=/w/v.json"]
    assert program.asked[3][-1] == "/w/plan"
    assert {line[0] for line in program.asked} == {"/opt/terraform"}


def test_nothing_optional_is_said(tmp_path: Path) -> None:
    made, program = terraform(tmp_path, answer(), answer())
    made.init(None)
    made.plan(Path("/w/plan"), [], False, 0)
    assert not any("backend" in word or "reconfigure" in word for word in program.asked[0])
    assert not any("destroy" in word or "var-file" in word for word in program.asked[1])


@pytest.mark.parametrize(("code", "changes"), [(0, False), (2, True)])
def test_the_code_of_plan_says_whether_there_are_changes(
    tmp_path: Path, code: int, changes: bool
) -> None:
    made, _ = terraform(tmp_path, answer(code=code))
    assert made.plan(Path("p"), [], False, 0) is changes


def test_two_is_a_failure_of_every_other_command(tmp_path: Path) -> None:
    made, _ = terraform(tmp_path, answer(code=2, err="panic: x"))
    with pytest.raises(TerraformError, match="terraform apply failed:\n- panic: x"):
        made.apply(Path("p"), 0)


@pytest.mark.parametrize("text", ["1.9.0", "1.11.4", "1.12.6-dev", "2.0.0"])
def test_new_enough(tmp_path: Path, text: str) -> None:
    made, _ = terraform(tmp_path, answer({"terraform_version": text}))
    assert made.version() == text


@pytest.mark.parametrize("text", ["1.8.5", "0.15.0", "", "x"])
def test_too_old(tmp_path: Path, text: str) -> None:
    made, _ = terraform(tmp_path, answer({"terraform_version": text}))
    with pytest.raises(TerraformError, match=r"version 1\.9 or newer is needed"):
        made.version()


def test_warnings_before_the_json_are_no_part_of_it(tmp_path: Path) -> None:
    made, _ = terraform(tmp_path, answer('Warning: x\n\n{ is odd\n{"terraform_version": "1.9.1"}'))
    with pytest.raises(TerraformError, match="did not print JSON"):
        made.version()
    made, _ = terraform(tmp_path, answer('Warning: x\n\n{\n"terraform_version": "1.9.1"}'))
    assert made.version() == "1.9.1"


def test_another_program_is_recognized(tmp_path: Path) -> None:
    made, _ = terraform(tmp_path, answer("GNU something 1.0"))
    with pytest.raises(TerraformError, match="is `binary` Terraform or OpenTofu"):
        made.version()


def test_a_missing_program_is_named(tmp_path: Path) -> None:
    for binary in ("nowhere-to-be-found", str(tmp_path / "x")):
        with pytest.raises(TerraformError, match=r"not on the controller; install .* 1\.9"):
            cli.find(binary, "/bin")
    (tmp_path / "tofu").touch(0o755)
    assert cli.find("tofu", str(tmp_path)) == str(tmp_path / "tofu")
    assert cli.find(str(tmp_path / "tofu"), "") == str(tmp_path / "tofu")


def test_without_python_terraform_it_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli, "python_terraform", None)
    with pytest.raises(TerraformError, match="pip install python-terraform"):
        terraform(tmp_path)


def test_another_backend_prepares_the_folder_anew(tmp_path: Path) -> None:
    changed = json.dumps({"diagnostic": {"summary": "Backend configuration changed"}})
    made, program = terraform(tmp_path, answer(changed, 1), answer())
    made.init(None)
    assert ["-reconfigure" in line for line in program.asked] == [False, True]
    made, _ = terraform(tmp_path, answer('{"diagnostic": {"summary": "Other"}}', 1))
    with pytest.raises(TerraformError, match="Other"):
        made.init(None)


def test_sensitive_outputs_are_left_out_and_never_shown_elsewhere(tmp_path: Path) -> None:
    outputs = {
        "open": {"sensitive": False, "value": {"a": 1}},
        "secret": {"sensitive": True, "value": ["canary-1"]},
        "repeats": {"sensitive": False, "value": {"x": "is canary-1"}},
    }
    made, _ = terraform(tmp_path, answer(outputs))
    found = made.outputs()
    assert found == cli.Outputs({"open": {"a": 1}}, ("repeats", "secret"))
    assert "output repeats is not returned" in made.warnings[0].summary


def test_apply_itself_says_the_outputs_when_none_is_sensitive(tmp_path: Path) -> None:
    told = {"type": "outputs", "outputs": {"open": {"sensitive": False, "value": [1]}}}
    made, program = terraform(tmp_path, answer(told))
    assert made.apply(Path("p"), 0) == cli.Outputs({"open": [1]}, ())
    assert len(program.asked) == 1

    told["outputs"]["repeats"] = {"sensitive": False, "value": "is canary-1"}
    made, _ = terraform(tmp_path, answer(told))
    made.masker.add(["canary-1"])
    assert made.apply(Path("p"), 0) == cli.Outputs({"open": [1]}, ("repeats",))


def test_apply_says_no_sensitive_values_so_that_they_are_asked_for(tmp_path: Path) -> None:
    told = {"secret": {"sensitive": True}, "repeats": {"sensitive": False, "value": "is canary-1"}}
    values = {**told, "secret": {"sensitive": True, "value": "canary-1"}}
    made, program = terraform(
        tmp_path, answer({"type": "outputs", "outputs": told}), answer(values)
    )
    assert made.apply(Path("p"), 0) == cli.Outputs({}, ("repeats", "secret"))
    assert [line[1] for line in program.asked] == ["apply", "output"]


@pytest.mark.parametrize(
    ("out", "state"),
    [("", cli.StateId("", 0)), ("\n", cli.StateId("", 0)),
     ('{"lineage": "l", "serial": 7, "resources": ["x"]}', cli.StateId("l", 7))],
)  # fmt: skip
def test_the_state_is_known_by_lineage_and_serial(
    tmp_path: Path, out: str, state: cli.StateId
) -> None:
    made, program = terraform(tmp_path, answer(out))
    assert made.state_id() == state
    assert program.asked[0][1:] == ["state", "pull"]


def test_all_commands_together_have_one_time_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr(cli.time, "monotonic", lambda: now[0])
    made, program = terraform(tmp_path, *[answer()] * 3)
    for passed in (0, 25, 80):
        now[0] = 100.0 + passed
        made.outputs()
    assert program.seconds == [60, 35, 0]


def test_secrets_and_our_folder_are_in_no_message(tmp_path: Path) -> None:
    text = f"password hunter2! in {tmp_path}/variables.tfvars.json"
    made, _ = terraform(tmp_path, answer({"diagnostic": {"summary": text}}, 1))
    made.masker.add(["hunter2!"])
    with pytest.raises(TerraformError) as caught:
        made.apply(Path("p"), 0)
    for shown in (str(caught.value), json.dumps(caught.value.result)):
        assert "hunter2" not in shown
        assert str(tmp_path) not in shown
        assert "in variables.tfvars.json" in shown
