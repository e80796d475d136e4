"""The lab's inventory: an ordinary one, so that nothing in the collection knows of the lab."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from lab import control, tools
from lab.config import ARCHITECTURE, CHECKOUT, CONTROL, GATEWAY, Lab


def hosts(lab: Lab, binaries: list[dict[str, str]], package: dict[str, str]) -> dict[str, Any]:
    """The content of hosts.yml."""
    groups: dict[str, Any] = {}
    for machine in lab.machines:
        group = groups.setdefault(machine.group, {"hosts": {}})
        group["hosts"][machine.name] = {"ansible_host": lab.address(machine)}
    options = f"-o UserKnownHostsFile={lab.dir}/known_hosts -o StrictHostKeyChecking=yes"
    variables = {
        "ansible_user": "ops",
        "ansible_ssh_private_key_file": str(lab.ssh_key),
        "ansible_ssh_common_args": options,
        "ansible_python_interpreter": "/usr/bin/python3",
        "lab_name": lab.name,
        "lab_kubeconfig": str(lab.kubeconfig),
        "lab_gateway_address": lab.address(GATEWAY),
        "lab_istiod_address": lab.address(CONTROL),
        "lab_artifacts": binaries,
        "lab_artifact_deb": package,
    }
    return {"all": {"vars": variables, "children": groups}}


def artifacts(lab: Lab, served: Mapping[str, Path]) -> list[dict[str, str]]:
    """What the mirror serves, as the collection wants it: pinned, each for its architecture."""
    return [
        {
            "name": name.removesuffix(".deb"),
            "architecture": "any" if name.endswith(".json") else ARCHITECTURE,
            "url": f"http://{lab.address(CONTROL)}:8000/{name}",
            "sha256": tools.sha256(path),
        }
        for name, path in served.items()
    ]


def write(lab: Lab) -> None:
    """Write hosts.yml and put the checkout's group_vars beside it."""
    *binaries, package = artifacts(lab, control.mirrored(lab))
    lab.inventory.mkdir(parents=True, exist_ok=True)
    text = yaml.safe_dump(hosts(lab, binaries, package), sort_keys=False)
    (lab.inventory / "hosts.yml").write_text(text)
    group_vars = lab.inventory / "group_vars"
    shutil.rmtree(group_vars, ignore_errors=True)
    shutil.copytree(CHECKOUT / "lab" / "inventory" / "group_vars", group_vars)
