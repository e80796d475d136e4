# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""The inventory of many machines: python -m tests.benchmark.inventory. Prints JSON.

Azure's stand-in runs in this process and `ansible-inventory` in another, so that each one's
processor time can be told: the goal is beyond the server's time.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from lab.config import CHECKOUT
from tests.azure import StandIn, add_fleet

GOAL = 3.0
MACHINES = 1000


def _listed(folder: Path, name: str, settings: dict[str, Any], more: dict[str, str]) -> Any:
    """Seconds of processor, and of the clock, that `ansible-inventory` took; and its hosts."""
    file = folder / name
    file.write_text(json.dumps(settings))
    inherited = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    # Compiled once, as an installed package is: the first run, which does not count, fills it.
    inherited["PYTHONPYCACHEPREFIX"] = str(folder / "compiled")
    before = os.times()
    start = time.perf_counter()
    done = subprocess.run(
        [str(Path(sys.executable).parent / "ansible-inventory"), "-i", str(file), "--list"],
        env={**inherited, "ANSIBLE_COLLECTIONS_PATH": str(CHECKOUT / ".cache"), **more},
        check=True,
        capture_output=True,
        text=True,
        timeout=300,
    )
    clock = time.perf_counter() - start
    after = os.times()
    used = after.children_user + after.children_system
    used -= before.children_user + before.children_system
    return used, clock, len(json.loads(done.stdout)["_meta"]["hostvars"])


def _result(what: str, found: Any, nothing: Any) -> dict[str, Any]:
    used, clock, machines = found
    return {
        "what": what,
        "machines": machines,
        "cpu": round(used, 3),
        "clock": round(clock, 3),
        # What `ansible-inventory` takes for one machine by the same way: Ansible itself, imports.
        "cpu_of_one": round(nothing[0], 3),
        "clock_of_one": round(nothing[1], 3),
        "cpu_of_machines": round(used - nothing[0], 3),
    }


def _by_azure(folder: Path, machines: int) -> dict[str, Any]:
    runs = []
    with StandIn(folder) as azure:
        settings = {
            "plugin": "brownfield.mesh.azure",
            "subscriptions": [azure.subscription],
            "authority": azure.url,
            "resource_manager": azure.url,
        }
        for count in (1, 1, machines):
            azure.reset()
            add_fleet(azure.store, count)
            served = time.process_time()
            listed = _listed(folder, "mesh_azure.yml", settings, azure.environment())
            runs.append((listed, time.process_time() - served, azure.requests))
    _compiling, (one, _, _), (all_of_them, server, requests) = runs
    found = _result("azure", all_of_them, one)
    found["server_cpu"] = round(server, 3)
    found["clock_without_server"] = round(all_of_them[1] - server, 3)
    found["calls"] = sum("/subscriptions/" in request.path for request in requests)
    found["calls_for_login"] = len(requests) - found["calls"]
    return found


def _by_terraform(folder: Path, machines: int) -> dict[str, Any]:
    runs = []
    for count in (1, 1, machines):
        value = {
            f"shop-api-{number}": {
                "address": f"10.{64 + number // 250}.1.{number % 250 + 1}",
                "user": "azureuser",
                "ssh_port": 22,
                "workload": "shop-api",
                "environment": "prod",
                "location": "westeurope",
                "zone": str(number % 3 + 1),
                "resource_id": f"/subscriptions/s/virtualMachines/{number}",
                "tags": {"owner": "platform"},
            }
            for number in range(count)
        }
        output = {"mesh_machines": {"sensitive": False, "type": "dynamic", "value": value}}
        (folder / "outputs.json").write_text(json.dumps(output))
        file = {
            "plugin": "brownfield.mesh.terraform",
            "output_files": [str(folder / "outputs.json")],
        }
        runs.append(_listed(folder, "mesh_terraform.yml", file, {}))
    return _result("terraform", runs[2], runs[1])


def benchmark(machines: int = MACHINES) -> dict[str, Any]:
    """Both plugins, each by `ansible-inventory` as users run it, beside the goal."""
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
        found = [_by_azure(Path(name), machines), _by_terraform(Path(name), machines)]
    seen = {item["what"]: item.get("clock_without_server", item["clock"]) for item in found}
    return {
        "inventory": found,
        "goals": [
            {"what": f"inventory by {what}, s", "goal": GOAL, "seen": s, "met": s <= GOAL}
            for what, s in seen.items()
        ],
    }


def main() -> int:
    """Parse the command line, measure, print."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmark.inventory", description=__doc__
    )
    parser.add_argument("machines", type=int, nargs="?", default=MACHINES)
    print(json.dumps(benchmark(parser.parse_args().machines), indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
