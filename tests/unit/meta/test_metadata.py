"""The collection's own descriptions agree with what it contains."""

from __future__ import annotations

import re
import stat
import subprocess
from pathlib import Path

import tomllib
import yaml

CHECKOUT = Path(__file__).resolve().parents[3]


def test_action_group_names_every_module() -> None:
    runtime = yaml.safe_load((CHECKOUT / "meta" / "runtime.yml").read_text())
    modules = {path.stem for path in (CHECKOUT / "plugins" / "modules").glob("*.py")}
    assert set(runtime["action_groups"]["mesh"]) == modules


def test_every_action_is_documented_by_a_module() -> None:
    actions = {path.stem for path in (CHECKOUT / "plugins" / "action").glob("*.py")}
    modules = {path.stem for path in (CHECKOUT / "plugins" / "modules").glob("*.py")}
    assert actions - modules == set()


def test_oldest_ansible_is_the_locked_one() -> None:
    runtime = yaml.safe_load((CHECKOUT / "meta" / "runtime.yml").read_text())
    oldest = re.fullmatch(r">=(\d+\.\d+)\.0", runtime["requires_ansible"])
    assert oldest
    lowest = f"ansible-core>={oldest.group(1)},"
    assert lowest in (CHECKOUT / "pyproject.toml").read_text()


def test_lock_file_names_public_hosts_only() -> None:
    hosts = set(re.findall(r"https?://([^/\"]+)", (CHECKOUT / "uv.lock").read_text()))
    assert hosts == {"pypi.org", "files.pythonhosted.org"}


def test_every_make_target_is_described() -> None:
    text = (CHECKOUT / "Makefile").read_text()
    phony = set(re.findall(r"^\.PHONY: (\S+)", text, re.M))
    described = set(re.findall(r"^([a-z-]+):.*## ", text, re.M))
    assert phony == described


def test_scripts_stop_at_errors_and_can_be_run() -> None:
    scripts = [*(CHECKOUT / "scripts").iterdir(), CHECKOUT / ".ci" / "run"]
    for script in scripts:
        assert script.stat().st_mode & stat.S_IXUSR, script
        assert re.search(r"^set -[e]?uo pipefail$", script.read_text(), re.M), script
        subprocess.run(["bash", "-n", script], check=True)


def test_an_execution_environment_gets_what_the_controller_needs() -> None:
    requirements = (CHECKOUT / "meta" / "requirements.txt").read_text().split()
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    needed = [name for name in project["dependencies"] if not name.startswith("ansible-core")]
    assert requirements == needed
