# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""What is measured on: a lab of its own, its machines with an app and packages, and a caller."""

from __future__ import annotations

import ipaddress
import json
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.brownfield.mesh.plugins.module_utils import artifacts, validate
from ansible_collections.brownfield.mesh.plugins.module_utils.desired import Host
from ansible_collections.brownfield.mesh.plugins.module_utils.spec import Artifact, to_data
from ansible_collections.brownfield.mesh.plugins.plugin_utils import (
    cluster_facts,
    registration,
    sidecar_state,
    token,
)

from lab import control, machine
from lab import inventory as lab_inventory
from lab.config import Lab, Machine
from lab.run import wait_for
from tests.benchmark.measure import BenchmarkError

NAME = "bench"
RANGE = ipaddress.IPv4Network("198.18.9.0/24")
CALLER = "legacy-batch-1"
SERVICE = "bench.bench.svc.cluster.local"
APP = "shop-api"

# Runs on the caller: ask until every machine has answered, say when each did so first. Only answers
# with the caller's identity count; the machine's proxy adds it to what came by mTLS.
WATCH = """
import json, sys, time, urllib.request
wanted, deadline, seen = int(sys.argv[2]), time.time() + float(sys.argv[3]), {}
while len(seen) < wanted and time.time() < deadline:
    before = len(seen)
    try:
        with urllib.request.urlopen("http://" + sys.argv[1] + ":8080/", timeout=2) as answer:
            said = json.load(answer)
        headers = {name.lower(): value for name, value in said["headers"].items()}
        if "spiffe://" in headers.get("x-forwarded-client-cert", ""):
            seen.setdefault(said["host"], time.time())
    except (OSError, ValueError):
        time.sleep(0.2)
    else:
        time.sleep(0.02)
print(json.dumps(seen))
"""


def lab_command(*arguments: str, seconds: float = 600) -> float:
    """Run a command of the benchmark's lab; seconds it took. Raises BenchmarkError."""
    command = [sys.executable, "-m", "lab", "--name", NAME, "--range", str(RANGE), *arguments]
    start = time.monotonic()
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds)
    except subprocess.TimeoutExpired:
        raise BenchmarkError(f"lab {arguments[0]}: no end after {seconds:.0f} s") from None
    if done.returncode != 0:
        raise BenchmarkError(f"lab {' '.join(arguments)} failed:\n{done.stderr[-3000:]}")
    return round(time.monotonic() - start, 2)


def the_lab(extra: int) -> Lab:
    """The benchmark's lab with ``extra`` machines of group bench."""
    return Lab(NAME, RANGE, extra)


def members(lab: Lab) -> list[Machine]:
    """The machines that are measured."""
    return [item for item in lab.machines if item.group == "bench"]


def variables(
    mesh: Mapping[str, Any], connection: Mapping[str, Any], addresses: Mapping[str, str]
) -> dict[str, Any]:
    """An inventory: the machines at ``addresses`` (name -> address) as one workload, the caller."""
    bench = {
        "name": "bench",
        "namespace": "bench",
        "ports": [{"name": "http", "port": 8080}],
        "health": {"http": 8080, "path": "/healthz"},
        "callers": [{"namespace": "batch", "service_account": "caller"}],
    }
    caller = {
        "name": "caller",
        "namespace": "batch",
        "calls": [{"host": SERVICE, "port": 8080}],
    }
    groups: dict[str, Any] = {
        "bench": {"hosts": {}, "vars": {"mesh_workload": bench}},
        "caller": {"hosts": {}, "vars": {"mesh_workload": caller}},
    }
    for name, address in addresses.items():
        group = "caller" if name == CALLER else "bench"
        groups[group]["hosts"][name] = {"ansible_host": address}
    return {"all": {"vars": {**connection, "mesh": mesh}, "children": groups}}


def write_inventory(lab: Lab, folder: Path) -> Path:
    """The inventory of the lab's bench machines and the caller, in ``folder``."""
    machines = [*members(lab), lab.machine(CALLER)]
    binaries = [
        item
        for item in lab_inventory.artifacts(lab, control.mirrored(lab))
        if item["name"] != "istio-sidecar"
    ]
    mesh = {"cluster": {"kubeconfig": str(lab.kubeconfig)}, "proxy": {"artifacts": binaries}}
    given = lab_inventory.hosts(lab, [], {})["all"]["vars"]
    connection = {name: value for name, value in given.items() if name.startswith("ansible_")}
    content = variables(mesh, connection, {item.name: lab.address(item) for item in machines})
    path = folder / "inventory.yml"
    path.write_text(yaml.safe_dump(content))
    return path


def furnish(lab: Lab, machines: Sequence[Machine], inventory: Path) -> None:
    """Put the app, and the packages where the collection would put them, on the machines."""
    served = {name: str(path) for name, path in control.mirrored(lab).items()}
    mesh = yaml.safe_load(inventory.read_text())["all"]["vars"]["mesh"]
    wanted = [Artifact(**item) for item in mesh["proxy"]["artifacts"]]

    def one(item: Machine) -> None:
        root = lab.root(item)
        code = (machine.APPS / f"{APP}.py").read_text()
        machine.write(root, f"/opt/{APP}/{APP}.py", code)
        unit = (machine.APPS / f"{APP}.service").read_text()
        machine.write(root, f"/etc/systemd/system/{APP}.service", unit)
        host = Host(str(root))
        (root / "etc/mesh-proxy").mkdir(exist_ok=True)
        for artifact in artifacts.missing(host, "binaries", wanted):
            artifacts.install(host, "binaries", artifact, served, "")
        machine.execute(lab, item, "systemctl", "daemon-reload")
        machine.execute(lab, item, "systemctl", "enable", "--now", f"{APP}.service")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(one, machines))


class Watch:
    """The caller's questions while machines join."""

    def __init__(self, lab: Lab, machines: int, seconds: float = 300) -> None:
        """Begin to ask, for ``seconds`` at most."""
        command = ["python3", "-c", WATCH, SERVICE, str(machines), str(seconds)]
        self._machines, self._seconds, self._start = machines, seconds, time.time()
        self._process = subprocess.Popen(
            [*machine.enter(lab, lab.machine(CALLER)), *command],
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def answered(self) -> dict[str, float]:
        """Seconds from the start to the first answer of any and of every machine."""
        try:
            out, _ = self._process.communicate(timeout=self._seconds + 30)
        except subprocess.TimeoutExpired:
            self.stop()
            raise BenchmarkError("the caller does not end") from None
        seen = json.loads(out or "{}")
        if len(seen) < self._machines:
            raise BenchmarkError(f"only {len(seen)} of {self._machines} machines answered by mTLS")
        times = [round(value - self._start, 2) for value in seen.values()]
        return {"first_answered": min(times), "every_machine_answered": max(times)}

    def stop(self) -> None:
        """End the questions, whatever they are at."""
        self._process.kill()
        self._process.wait(timeout=10)


def forget(lab: Lab, machines: Sequence[Machine], inventory: Path) -> float:
    """Reset machines and wait until the mesh has forgotten them; seconds of the reset alone."""
    for item in machines:  # so that istiod sees them go
        machine.execute(lab, item, "systemctl", "stop", "mesh-proxy.service")
    seconds = lab_command("reset", *(item.name for item in machines))

    cluster = _fleet(inventory).mesh.cluster
    wait_for(
        "registrations to end", lambda: not registration.workload_entries(cluster, ["bench"]), 120
    )
    return seconds


def write_files(inventory: Path, folder: Path) -> None:
    """What the usual shape copies: the same files as ours, for each machine, and one token."""
    fleet = _fleet(inventory)
    facts = cluster_facts.read(fleet.mesh)
    for item in fleet.machines:
        workload = fleet.workload_of(item)
        state = sidecar_state.render(item, workload, facts)
        own = folder / item.name
        own.mkdir(parents=True, exist_ok=True)
        for file in state.files.files:
            (own / Path(file.path).name).write_text(file.content)
        folders = [{**to_data(one), "mode": f"{one.mode:04o}"} for one in state.files.directories]
        (own / "folders.json").write_text(json.dumps(folders))
        (own / "capture.env").write_text(state.capture_env)
        (own / "hosts-line").write_text(f"{facts.istiod_address} {facts.istiod_host}")
    secret = token.request(fleet.mesh.cluster, "bench", "bench", expiration_seconds=3600)
    (folder / "istio-token").write_text(secret)


def _fleet(inventory: Path) -> Any:
    content = yaml.safe_load(inventory.read_text())["all"]
    hosts = {
        name: {**content["vars"], **group["vars"], **own}
        for group in content["children"].values()
        for name, own in group["hosts"].items()
    }
    return validate.parse(hosts)
