# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Terraform's commands with typed results. python-terraform writes the command lines."""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.brownfield.mesh.plugins.plugin_utils.terraform.diagnostics import (
    Diagnostic,
    message,
    of_text,
)
from ansible_collections.brownfield.mesh.plugins.plugin_utils.terraform.errors import TerraformError
from ansible_collections.brownfield.mesh.plugins.plugin_utils.terraform.events import Events, Say
from ansible_collections.brownfield.mesh.plugins.plugin_utils.terraform.redact import (
    Masker,
    secrets,
)
from ansible_collections.brownfield.mesh.plugins.plugin_utils.terraform.runner import (
    Finished,
    OnLine,
    Runner,
    run,
)

try:
    import python_terraform
except ImportError:
    python_terraform = None

OLDEST = (1, 9)
_ANOTHER_BACKEND = "Backend configuration changed"
_REPEATS = (
    "output {name} is not returned: it holds a value that is sensitive elsewhere in this"
    " configuration; mark the output as sensitive, or leave that value out"
)


@dataclass(frozen=True)
class StateId:
    """Which state, and which version of it. Serial 0 and no lineage: there is none yet."""

    lineage: str
    serial: int


@dataclass(frozen=True)
class Outputs:
    """Values of outputs, and the names of those that are sensitive and therefore left out."""

    values: Mapping[str, Any]
    sensitive: tuple[str, ...]


def find(binary: str, path: str) -> str:
    """Where ``binary`` (a name, or a path) is. Raises TerraformError."""
    found = shutil.which(str(Path(binary).expanduser()) if "/" in binary else binary, path=path)
    if found is None:
        raise TerraformError(
            f"binary: {binary} is not on the controller; install Terraform or OpenTofu"
            f" {OLDEST[0]}.{OLDEST[1]} or newer, or give its path"
        )
    return found


@dataclass
class Terraform:
    """One configuration (``folder``), run by one program in one environment.

    ``work`` is a folder of our own, 0700, for what must not be seen. All commands together may take
    ``seconds``. Every method raises TerraformError.
    """

    binary: str
    folder: Path
    work: Path
    environment: Mapping[str, str]
    seconds: float
    masker: Masker
    say: Say
    runner: Runner = run
    warnings: list[Diagnostic] = field(default_factory=list)

    def __post_init__(self) -> None:
        if python_terraform is None:
            raise TerraformError(
                "the Python package python-terraform is missing on the controller;"
                " install it beside ansible-core: pip install python-terraform"
            )
        self.name = Path(self.binary).name
        self._end = time.monotonic() + self.seconds
        # It reads a state file of its working folder at once; ours has none.
        self._writer = python_terraform.Terraform(
            working_dir=str(self.work), terraform_bin_path=self.binary
        )

    def version(self) -> str:
        """Its version, such as 1.11.4; an older one than OLDEST is refused."""
        text = str(_json(self._read("version", json=True)).get("terraform_version", ""))
        numbers = re.match(r"(\d+)\.(\d+)", text)
        if not numbers or (int(numbers[1]), int(numbers[2])) < OLDEST:
            raise TerraformError(
                f"binary: {self.binary} is version {text or 'unknown'}; version"
                f" {OLDEST[0]}.{OLDEST[1]} or newer is needed"
            )
        return text

    def init(self, backend: Path | None) -> None:
        """Prepare the folder. The lock file is never changed, and no state is ever moved.

        Where the folder was prepared for another backend (another environment of the same code),
        it is prepared anew. Only there: with -reconfigure Terraform 1.11 asks whether it shall move
        the state when a local backend has workspaces.
        """
        try:
            self._init(backend, reconfigure=None)
        except TerraformError as error:
            if _ANOTHER_BACKEND not in str(error):
                raise
            self._init(backend, reconfigure=True)

    def _init(self, backend: Path | None, reconfigure: bool | None) -> None:
        self._stream(
            "init",
            json=True,
            input="false",
            lockfile="readonly",
            reconfigure=reconfigure,
            backend_config=None if backend is None else str(backend),
        )

    def plan(
        self, out: Path, variable_files: Sequence[Path], destroy: bool, lock_timeout: int
    ) -> bool:
        """Write a plan to ``out``; whether it changes anything.

        Terraform validates the configuration first. A command of its own for that would start
        every provider once more: 1.4 s of CPU time for azurerm, and the same errors.
        """
        code, _ = self._stream(
            "plan", json=True, input="false", detailed_exitcode=True, destroy=destroy,
            lock_timeout=f"{lock_timeout}s", out=str(out),
            var_file=[str(path) for path in variable_files],
        )  # fmt: skip
        return code == 2

    def show(self, plan: Path) -> bytes:
        """A saved plan as JSON."""
        return self._read("show", str(plan), json=True)

    def apply(self, plan: Path, lock_timeout: int) -> Outputs:
        """Apply just this plan; the outputs as they are then."""
        _, events = self._stream(
            "apply", str(plan), json=True, input="false", lock_timeout=f"{lock_timeout}s"
        )
        found = events.outputs
        # What is sensitive has no value there, and others must be compared with it.
        if found is None or any(item["sensitive"] for item in found.values()):
            return self.outputs()
        return self._without_secrets(found)

    def outputs(self) -> Outputs:
        """The outputs of the state as it is now, without those that repeat a known secret."""
        return self._without_secrets(_json(self._read("output", json=True)))

    def _without_secrets(self, found: Mapping[str, Any]) -> Outputs:
        hidden = {name for name, item in found.items() if item["sensitive"]}
        for name in hidden:
            self.masker.add(secrets(found[name]["value"], True))
        for name in found.keys() - hidden:
            if self.masker.data(found[name]["value"]) != found[name]["value"]:
                hidden.add(name)
                self.warnings.append(Diagnostic("warning", _REPEATS.format(name=name)))
        values = {name: item["value"] for name, item in found.items() if name not in hidden}
        return Outputs(values, tuple(sorted(hidden)))

    def state_id(self) -> StateId:
        """Lineage and serial of the state as it is now. Nothing else is kept of it."""
        state = self._read("state pull")
        if not state.strip():
            return StateId("", 0)
        data = _json(state)
        return StateId(str(data.get("lineage", "")), int(data.get("serial", 0)))

    def _stream(self, command: str, *arguments: str, **options: Any) -> tuple[int, Events]:
        """A command whose output is events."""
        events = Events(self.say)
        finished = self._start(command, *arguments, on_line=events.line, **options)
        self._judge(command, finished.code, events.diagnostics, finished.err, events.done)
        return finished.code, events

    def _read(self, command: str, *arguments: str, **options: Any) -> bytes:
        """The JSON that a command prints."""
        finished = self._start(command, *arguments, **options)
        self._judge(command, finished.code, [], finished.err)
        return _document(finished.out)

    def _start(
        self, command: str, *arguments: str, on_line: OnLine | None = None, **options: Any
    ) -> Finished:
        flags = {
            name: python_terraform.IsFlagged if value is True else (value or None)
            for name, value in options.items()
        }
        argv = self._writer.generate_cmd_string(command, *arguments, **flags)
        left = max(self._end - time.monotonic(), 0)
        return self.runner(argv, self.folder, self.environment, left, on_line)

    def _judge(
        self, command: str, code: int, found: Sequence[Diagnostic], err: bytes, done: int = 0
    ) -> None:
        """Keep the warnings; raise where the command failed (plan: 2 is a success)."""
        found = [item.map(self._clean) for item in found]
        if code == 0 or (command == "plan" and code == 2):
            self.warnings += found
            return
        if not any(item.severity == "error" for item in found):
            text = err.decode("utf-8", "replace").strip() or f"exit code {code}, no message"
            found = [*found, of_text(self._clean(text))]
        words = message(f"{self.name} {command}", found, self.environment)
        if done:
            made = "1 change was" if done == 1 else f"{done} changes were"
            words += f"\n{made} made before; running again goes on from there"
        raise TerraformError(
            words, {"diagnostics": [item.to_data() for item in found], "changed": done > 0}
        )

    def _clean(self, text: str) -> str:
        return self.masker.text(text).replace(f"{self.work}/", "")


def _document(out: bytes) -> bytes:
    """Without what stands before the JSON: OpenTofu prints warnings of its own settings there."""
    start = re.search(rb"^[{[]", out, re.MULTILINE)
    return out[start.start() :] if start else b""


def _json(document: bytes) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(document)
    except ValueError:
        raise TerraformError(
            "the program did not print JSON; is `binary` Terraform or OpenTofu?"
        ) from None
    return found
