# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Ansible's own programs on inventory files of our plugins."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from lab.config import CHECKOUT
from tests.azure import StandIn


@dataclass
class Ansible:
    """Ansible in an empty folder, as its defaults are: a failed inventory is but a warning."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    def run(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """One of Ansible's programs, with whatever it answers."""
        inherited = {
            k: v for k, v in os.environ.items() if not k.startswith(("ANSIBLE_", "AZURE_"))
        }
        return subprocess.run(
            [str(Path(sys.executable).parent / program), *arguments],
            cwd=self.folder,
            env={
                **inherited,
                "ANSIBLE_COLLECTIONS_PATH": str(CHECKOUT / ".cache"),
                "ANSIBLE_HOME": str(self.folder / "home"),
                **self.environment,
            },
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )

    def write(self, name: str, settings: Mapping[str, Any]) -> str:
        """An inventory file; gives its name."""
        (self.folder / name).write_text(json.dumps(settings))
        return name

    def inventory(self, *names: str) -> dict[str, Any]:
        """What `ansible-inventory --list` says, values as they are without the mark `unsafe`."""
        sources = [text for name in names for text in ("-i", name)]
        done = self.run("ansible-inventory", *sources, "--list")
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout, object_hook=_plain)
        return found

    def fails(self, name: str) -> str:
        """What a run that needs no machine says, all the same, of an inventory that failed."""
        done = self.run("ansible", "-i", name, "localhost", "-m", "ansible.builtin.ping")
        assert done.returncode != 0, done.stdout
        assert "Traceback" not in done.stderr
        # Wrapped, or not, as wide as the terminal is.
        return " ".join(done.stderr.split())


def _plain(value: dict[str, Any]) -> Any:
    return value["__ansible_unsafe"] if value.keys() == {"__ansible_unsafe"} else value


@pytest.fixture
def ansible(tmp_path: Path) -> Ansible:
    """An empty folder."""
    return Ansible(tmp_path)


@pytest.fixture(scope="module")
def stand_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    """One stand-in for a file of tests."""
    with StandIn(tmp_path_factory.mktemp("azure")) as found:
        yield found


@pytest.fixture
def azure(stand_in: StandIn, ansible: Ansible) -> StandIn:
    """A stand-in with nothing in it, which Ansible's programs find."""
    stand_in.reset()
    stand_in.manager.page_size = 200
    ansible.environment.update(stand_in.environment())
    return stand_in
