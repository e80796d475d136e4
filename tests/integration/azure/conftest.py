# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Terraform, the real azurerm provider and our wrapper against the stand-in. It is no Azure."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.brownfield.mesh.plugins.plugin_utils.terraform.errors import TerraformError
from ansible_collections.brownfield.mesh.plugins.plugin_utils.terraform.policy import Policy
from ansible_collections.brownfield.mesh.plugins.plugin_utils.terraform.runner import Runner, run
from ansible_collections.brownfield.mesh.plugins.plugin_utils.terraform.stack import Run, Stack
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from lab import terraform, tools
from lab.config import CHECKOUT
from tests.azure import StandIn

MACHINE = "Microsoft.Compute/virtualMachines"


class NoVault:
    """No plan is saved here."""

    def encrypt(self, content: bytes) -> bytes:
        raise AssertionError

    decrypt = encrypt


@dataclass
class Deployment:
    """A stack in a folder of its own against a stand-in."""

    path: Path
    azure: StandIn
    binary: str
    environment: Mapping[str, str]
    backend: Mapping[str, str]
    variables: dict[str, Any] = field(default_factory=dict)
    before: set[str] = field(default_factory=set)  # what was in the store already
    said: list[str] = field(default_factory=list)

    def run(
        self, state: str = "applied", *, runner: Runner = run, lock_timeout: int = 60
    ) -> dict[str, Any]:
        """What the task would return. Raises TerraformError."""
        self.said.clear()
        stack = Stack(
            self.path,
            state,
            variables=self.variables,
            backend=self.backend,
            lock_timeout=lock_timeout,
            binary=self.binary,
            environment=self.environment,
            policy=Policy(allow_delete=("*",)),
            timeout=500,
        )
        said = self.said.append
        return Run(stack, NoVault(), lambda text, _level: said(text), runner=runner)()

    def fails(self, state: str = "applied", **options: Any) -> TerraformError:
        """The run's error."""
        with pytest.raises(TerraformError) as caught:
            self.run(state, **options)
        return caught.value

    def machines(self) -> set[str]:
        """The names of the machines in the store."""
        return {document["name"] for document in self.azure.store.of_type(MACHINE)}


def changes(result: Mapping[str, Any]) -> dict[str, str]:
    """Action by address."""
    return {change["address"]: change["action"] for change in result["plan"]["changes"]}


def state_in_blob(name: str) -> dict[str, str]:
    """What the azurerm backend asks of a user; the stand-in has every account and container."""
    return {
        "resource_group_name": "state",
        "storage_account_name": "states",
        "container_name": "state",
        "key": name,
    }


@pytest.fixture(scope="session")
def ssh_public_key() -> str:
    """A key of two minutes' life; the private half is never written."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key()
    return key.public_bytes(
        serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
    ).decode()


@pytest.fixture(scope="session")
def binary() -> str:
    """Terraform of this machine, else the lab's OpenTofu. A missing one is an error."""
    return shutil.which("terraform") or str(tools.go_tools("opentofu") / "tofu")


@pytest.fixture(scope="module")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    """A stand-in with an empty subscription, for one file of tests."""
    with StandIn(tmp_path_factory.mktemp("azure")) as found:
        yield found


def deploy(
    source: Path,
    folder: Path,
    azure: StandIn,
    binary: str,
    backend: Mapping[str, str] | None = None,
) -> Deployment:
    """Copy a stack with the modules beside it, take the provider from the mirror and lock it.

    A copy, because the lock file that is delivered knows the registry's build of the provider and
    not ours. ``backend`` is what the stack's own backend needs; without it the state is a file.
    """
    for part in ("examples", "modules", "stacks"):
        shutil.copytree(
            CHECKOUT / "terraform" / part,
            folder / "terraform" / part,
            ignore=shutil.ignore_patterns(".terraform*", "tests"),
        )
    if source.is_relative_to(CHECKOUT / "terraform"):
        stack = folder / source.relative_to(CHECKOUT)
    else:
        stack = folder / "terraform" / source.name
        shutil.copytree(source, stack)
    if backend is None:
        (stack / "backend_override.tf").write_text('terraform {\n  backend "local" {}\n}\n')
        backend = {"path": str(folder / "terraform.tfstate")}
    environment = {
        **azure.backend_environment(),
        "TF_CLI_CONFIG_FILE": str(terraform.cli_config(folder)),
    }
    subprocess.run(
        [binary, "init", "-input=false", "-no-color", "-backend=false"],
        cwd=stack,
        env={**os.environ, **environment},
        check=True,
        timeout=120,
        stdout=subprocess.DEVNULL,
    )
    return Deployment(stack, azure, binary, environment, backend)


def inventory(deployment: Deployment, folder: Path, file: str, settings: object) -> dict[str, Any]:
    """What `ansible-inventory --list` says by an inventory file of our plugins."""
    source = folder / file
    source.write_text(json.dumps(settings))
    found = subprocess.run(
        [str(Path(sys.executable).parent / "ansible-inventory"), "-i", str(source), "--list"],
        cwd=folder,
        env={
            **os.environ,
            **deployment.environment,
            "ANSIBLE_COLLECTIONS_PATH": str(CHECKOUT / ".cache"),
            "ANSIBLE_INVENTORY_UNPARSED_FAILED": "true",
            "ANSIBLE_INVENTORY_ENABLED": "brownfield.mesh.azure,brownfield.mesh.terraform",
        },
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert found.returncode == 0, found.stderr
    listed: dict[str, Any] = json.loads(found.stdout)
    return listed
