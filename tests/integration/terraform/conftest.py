# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Terraform and OpenTofu, both real. `terraform_data` is built in, so no provider is needed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from ansible.parsing.vault import VaultLib, VaultSecret
from ansible_collections.brownfield.mesh.plugins.action.terraform_stack import AnsibleVault
from ansible_collections.brownfield.mesh.plugins.plugin_utils.terraform.errors import TerraformError
from ansible_collections.brownfield.mesh.plugins.plugin_utils.terraform.policy import Policy
from ansible_collections.brownfield.mesh.plugins.plugin_utils.terraform.runner import Runner, run
from ansible_collections.brownfield.mesh.plugins.plugin_utils.terraform.stack import Run, Stack

from lab import tools

CONFIGURATION = """
terraform {
  required_version = ">= 1.9"
  backend "local" {}
}
variable "size" {
  type    = string
  default = "small"
}
variable "machines" {
  type    = set(string)
  default = ["a", "b"]
}
variable "generation" {
  type    = number
  default = 1
}
resource "terraform_data" "machine" {
  for_each         = var.machines
  input            = { name = each.key, size = var.size }
  triggers_replace = var.generation
}
output "machines" {
  value = { for name, machine in terraform_data.machine : name => machine.input.size }
}
"""


class Loader:
    """As much of Ansible's loader as the vault needs."""

    def __init__(self, password: str | None) -> None:
        secrets = [("default", VaultSecret(password.encode()))] if password else []
        self._vault = VaultLib(secrets)


@dataclass
class Folder:
    """A stack in a folder of its own, with its state beside it."""

    path: Path
    binary: str
    said: list[str] = field(default_factory=list)
    password: str | None = "approve-me"

    @property
    def state(self) -> Path:
        return self.path.parent / "terraform.tfstate"

    def write(self, configuration: str, name: str = "main.tf") -> None:
        self.path.mkdir(exist_ok=True)
        (self.path / name).write_text(configuration)

    def run(
        self,
        state: str = "applied",
        *,
        check: bool = False,
        diff: bool = False,
        controller: Mapping[str, str] = os.environ,
        runner: Runner = run,
        **options: Any,
    ) -> dict[str, Any]:
        """What the task would return. Raises TerraformError."""
        self.said.clear()
        options.setdefault("backend", {"path": str(self.state)})
        policy = Policy(**options.pop("policy", {}))
        stack = Stack(self.path, state, binary=self.binary, policy=policy, **options)
        vault = AnsibleVault(Loader(self.password))
        temporary = self.path.parent / "temporary"
        temporary.mkdir(exist_ok=True)
        try:
            return Run(
                stack,
                vault,
                lambda text, _verbosity: self.said.append(text),
                check=check,
                diff=diff,
                controller=controller,
                temporary=str(temporary),
                runner=runner,
            )()
        finally:
            # Whatever happened, nothing of the run is left.
            assert not list(temporary.iterdir())

    def fails(self, *arguments: Any, **options: Any) -> TerraformError:
        """The run's error."""
        with pytest.raises(TerraformError) as caught:
            self.run(*arguments, **options)
        return caught.value


@pytest.fixture(scope="session", params=["terraform", "tofu"])
def binary(request: pytest.FixtureRequest) -> str:
    """Terraform of this machine, and OpenTofu of this machine or the lab."""
    found = shutil.which(request.param)
    if found is None and request.param == "terraform":
        # It cannot be built from its Go module.
        pytest.skip("terraform is not on PATH: these tests ran with OpenTofu only")
    return found or str(tools.go_tools("opentofu") / "tofu")


@pytest.fixture
def folder(tmp_path: Path, binary: str) -> Iterator[Folder]:
    """A stack of two machines, not applied yet."""
    found = Folder(tmp_path / "stack", binary)
    found.write(CONFIGURATION)
    yield found
