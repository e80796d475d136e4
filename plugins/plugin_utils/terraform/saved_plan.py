# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""A plan that travels from one job to the next: encrypted, and bound to what it was made from."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import tempfile
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

from ansible_collections.brownfield.mesh.plugins.plugin_utils.terraform.cli import StateId
from ansible_collections.brownfield.mesh.plugins.plugin_utils.terraform.errors import TerraformError

_SUFFIXES = (".tf", ".tf.json", ".tofu", ".tofu.json", ".tfvars", ".tfvars.json", ".lock.hcl")
_AGAIN = "Plan again, and have that approved"


class Vault(Protocol):
    """Encrypts and decrypts; raises TerraformError when it has no secret or the wrong one."""

    def encrypt(self, content: bytes) -> bytes:
        """By the secret that is there for it."""

    def decrypt(self, content: bytes) -> bytes:
        """By whichever secret fits."""


@dataclass(frozen=True)
class Origin:
    """What a plan was made from."""

    configuration: str  # digest
    workspace: str
    version: str  # of the program
    lineage: str
    serial: int


def origin(configuration: str, workspace: str, version: str, state: StateId) -> Origin:
    """The Origin of a plan that is made now."""
    return Origin(configuration, workspace, version, state.lineage, state.serial)


def digest(folder: Path, data: Path) -> str:
    """SHA-256 over the configuration: Terraform's files of the folder and of its modules, and the
    lock file. Call it after init, which writes into its ``data`` folder where the modules are."""
    files = {
        path.resolve()
        for room in (folder, *_modules(folder, data))
        for path in room.glob("*")
        if path.name.endswith(_SUFFIXES) and path.is_file()
    }
    total = hashlib.sha256()
    for name, path in sorted((os.path.relpath(path, folder.resolve()), path) for path in files):
        total.update(f"{name}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\0".encode())
    return total.hexdigest()


def write(path: Path, plan: Path, made: Origin, vault: Vault) -> None:
    """Write the encrypted bundle, 0600, at once or not at all. Raises TerraformError."""
    content = {"plan": base64.b64encode(plan.read_bytes()).decode(), "origin": asdict(made)}
    encrypted = vault.encrypt(json.dumps(content).encode())
    try:
        with tempfile.NamedTemporaryFile(
            dir=path.parent, prefix=f".{path.name}.", delete=False
        ) as new:
            new.write(encrypted)
        Path(new.name).replace(path)
    except OSError as error:
        raise TerraformError(f"saved_plan: {path} cannot be written: {error.strerror}") from None


def read(path: Path, vault: Vault) -> tuple[bytes, Origin]:
    """Plan and Origin of a bundle. Raises TerraformError."""
    try:
        encrypted = path.read_bytes()
    except OSError as error:
        raise TerraformError(
            f"saved_plan: {path} cannot be read: {error.strerror};"
            " is it the file that `state: planned` wrote, and did the job bring it along?"
        ) from None
    content = vault.decrypt(encrypted)
    try:
        data = json.loads(content)
        return base64.b64decode(data["plan"]), Origin(**data["origin"])
    except (ValueError, KeyError, TypeError):
        raise TerraformError(
            f"saved_plan: {path} is not what `state: planned` of this version wrote. {_AGAIN}"
        ) from None


def stale(made: Origin, now: Origin) -> str | None:
    """Why a plan may not be applied any more, or None."""
    if made.workspace != now.workspace:
        return (
            f"saved_plan was made for workspace {made.workspace}, this task says {now.workspace}:"
            " correct one of them"
        )
    if made.lineage != now.lineage:
        return f"saved_plan is stale: it was made from another state than there is now. {_AGAIN}"
    if made.serial != now.serial:
        return (
            f"saved_plan is stale: it was made from serial {made.serial} of the state, which is at"
            f" {now.serial} now. {_AGAIN}"
        )
    if made.configuration != now.configuration:
        return f"saved_plan is stale: the configuration is not the one it was made from. {_AGAIN}"
    if made.version != now.version:
        return (
            f"saved_plan was made by version {made.version}, binary is {now.version}: apply with"
            " the version that planned"
        )
    return None


def _modules(folder: Path, data: Path) -> Iterable[Path]:
    listed = data / "modules/modules.json"
    try:
        known = json.loads(listed.read_text())
        return [folder / item["Dir"] for item in known["Modules"]]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError):
        raise TerraformError(
            f"{listed} cannot be read; remove the folder {data}, which init makes anew"
        ) from None
