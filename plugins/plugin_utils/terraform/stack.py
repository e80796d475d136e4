# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""One run of a stack: plan, judge, apply just that. Knows nothing of Ansible."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.brownfield.mesh.plugins.plugin_utils.terraform import (
    cli,
    environment,
    plan,
    saved_plan,
)
from ansible_collections.brownfield.mesh.plugins.plugin_utils.terraform.errors import (
    Problems,
    TerraformError,
)
from ansible_collections.brownfield.mesh.plugins.plugin_utils.terraform.events import Say
from ansible_collections.brownfield.mesh.plugins.plugin_utils.terraform.policy import Policy, judge
from ansible_collections.brownfield.mesh.plugins.plugin_utils.terraform.redact import (
    Masker,
    declared_sensitive,
    secrets,
)
from ansible_collections.brownfield.mesh.plugins.plugin_utils.terraform.runner import Runner, run


@dataclass(frozen=True)
class Stack:
    """What the task's options say; see the module's documentation."""

    path: Path
    state: str
    variables: Mapping[str, Any] = field(default_factory=dict)
    variable_files: tuple[Path, ...] = ()
    backend: Mapping[str, Any] = field(default_factory=dict)
    workspace: str = "default"
    binary: str = "terraform"
    lock_timeout: int = 60
    timeout: int = 3600
    environment: Mapping[str, str] = field(default_factory=dict)
    policy: Policy = field(default_factory=Policy)
    saved_plan: Path | None = None

    def problems(self) -> list[str]:
        """Everything that is wrong with it, each with what to do."""
        found = environment.problems(self.environment, self.backend)
        if not self.path.is_dir():
            found.append(f"path: {self.path} is not a folder on the controller")
        elif not any(item.name.endswith(_CONFIGURATION) for item in self.path.iterdir()):
            found.append(f"path: {self.path} holds no Terraform configuration (*.tf)")
        found += [
            f"variable_files: {file} is not there (relative ones are looked for in path)"
            for file in self.variable_files
            if not (self.path / file).is_file()
        ]
        for name in ("timeout", "lock_timeout"):
            if getattr(self, name) < (1 if name == "timeout" else 0):
                found.append(f"{name}: write a number of seconds above zero")
        if self.saved_plan is not None:
            if self.state == "destroyed":
                found.append("saved_plan: goes with state planned and applied; take it out")
            if self.state == "applied" and (self.variables or self.variable_files):
                found.append(
                    "variables, variable_files: take them out, the saved plan carries the values"
                    " it was made with"
                )
        return found

    def configuration(self) -> str:
        """The text of the root module."""
        files = sorted(item for item in self.path.iterdir() if item.name.endswith(_CONFIGURATION))
        return "\n".join(item.read_text(errors="replace") for item in files)


_CONFIGURATION = (".tf", ".tf.json", ".tofu", ".tofu.json")


@dataclass
class Run:
    """One run of ``stack``. With ``check`` nothing is applied and no plan is saved."""

    stack: Stack
    vault: saved_plan.Vault
    say: Say
    check: bool = False
    diff: bool = False
    controller: Mapping[str, str] = field(default_factory=lambda: os.environ)
    temporary: str | None = None
    runner: Runner = run
    result: dict[str, Any] = field(default_factory=dict)

    def __call__(self) -> dict[str, Any]:
        """What the task returns. Raises TerraformError, with all that is known in its result."""
        if found := self.stack.problems():
            raise Problems(found)
        # 0700, and gone when the run ends, however it ends.
        with tempfile.TemporaryDirectory(prefix="stack-", dir=self.temporary) as name:
            try:
                return self._run(Path(name))
            except TerraformError as error:
                error.result = {**self.result, **error.result}
                raise

    def _run(self, work: Path) -> dict[str, Any]:
        stack = self.stack
        terraform = _terraform(stack, work, self.controller, self.say, self.runner)
        masker = terraform.masker
        version = terraform.version()
        terraform.init(_private(work / "backend.tfbackend.json", stack.backend))
        file = work / "plan"
        saved = stack.saved_plan
        saves = stack.state == "planned" and not self.check
        made = self._origin(terraform, version) if saved else None
        if saved and made and stack.state == "applied":
            self._take(saved, file, made)
        else:
            terraform.plan(
                file, self._variable_files(work), stack.state == "destroyed", stack.lock_timeout
            )
        planned = plan.parse(terraform.show(file))
        masker.add(planned.secrets)
        self._report(planned, terraform)
        if saved and made and saves:
            saved_plan.write(saved, file, made, self.vault)
        if planned.changed and not self.check and stack.state != "planned":
            outputs = terraform.apply(file, stack.lock_timeout)
        else:
            outputs = terraform.outputs()
        self.result["outputs"] = dict(outputs.values)
        self.result["sensitive_outputs"] = list(outputs.sensitive)
        self.result["diagnostics"] = [item.to_data() for item in dict.fromkeys(terraform.warnings)]
        return self.result

    def _variable_files(self, work: Path) -> list[Path]:
        own = _private(work / "variables.tfvars.json", self.stack.variables)
        return [
            *(self.stack.path / file for file in self.stack.variable_files),
            *([own] if own else []),
        ]

    def _origin(self, terraform: cli.Terraform, version: str) -> saved_plan.Origin:
        """Taken before the plan is made: were the state changed in between, the plan is stale."""
        path = self.stack.path
        data = path / terraform.environment.get("TF_DATA_DIR", ".terraform")
        configuration = saved_plan.digest(path, data)
        state = terraform.state_id()
        return saved_plan.origin(configuration, self.stack.workspace, version, state)

    def _take(self, saved: Path, file: Path, now: saved_plan.Origin) -> None:
        content, made = saved_plan.read(saved, self.vault)
        if reason := saved_plan.stale(made, now):
            raise TerraformError(reason)
        file.touch(0o600)
        file.write_bytes(content)

    def _report(self, planned: plan.Plan, terraform: cli.Terraform) -> None:
        """Fill the result; refuse what the policy refuses. Raises TerraformError."""
        masker = terraform.masker
        reasons = judge(planned, self.stack.policy)
        self.result.update(
            changed=planned.changed,
            plan={
                "summary": planned.summary(),
                "changes": plan.listed(planned.changes, masker),
                "outputs": plan.outputs(planned, masker),
            },
            drift=plan.listed(planned.drift, masker),
            reasons=[reason.to_data() for reason in reasons],
        )
        if self.diff:
            self.result["diff"] = plan.diff(planned, masker)
        counts = [f"{number} {name}" for name, number in planned.summary().items() if number]
        self.say(f"plan: {', '.join(counts) or 'nothing to do'}", 0)
        if planned.drift:
            names = ", ".join(change.address for change in planned.drift[:20])
            self.say(f"changed outside of {terraform.name}: {names}", 0)
        if reasons:
            raise TerraformError(
                "the policy refuses this plan:\n" + "\n".join(f"- {r.message}" for r in reasons),
                {"changed": False},
            )


def outputs(stack: Stack, controller: Mapping[str, str], runner: Runner = run) -> cli.Outputs:
    """The outputs of the stack as it is now; nothing is planned. Raises TerraformError."""
    if found := stack.problems():
        raise Problems(found)
    with tempfile.TemporaryDirectory(prefix="stack-") as name:
        work = Path(name)
        terraform = _terraform(stack, work, controller, lambda text, verbosity: None, runner)
        terraform.init(_private(work / "backend.tfbackend.json", stack.backend))
        return terraform.outputs()


def _terraform(
    stack: Stack, work: Path, controller: Mapping[str, str], say: Say, runner: Runner
) -> cli.Terraform:
    variables = environment.build(controller, stack.environment, stack.workspace)
    masker = Masker()
    # Before the plan tells which values are sensitive, names and declarations do.
    declared = declared_sensitive(stack.configuration())
    for given in (variables, stack.backend, stack.variables):
        masker.add(
            text
            for name, value in given.items()
            if environment.is_secret(name) or (given is stack.variables and name in declared)
            for text in secrets(value, True)
        )
    binary = cli.find(stack.binary, variables.get("PATH", os.defpath))
    return cli.Terraform(binary, stack.path, work, variables, stack.timeout, masker, say, runner)


def _private(path: Path, content: Mapping[str, Any]) -> Path | None:
    """``content`` as a JSON file only we can read, or None where there is nothing to say."""
    if not content:
        return None
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(content, file)
    return path
