# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Measure on a lab of its own, print one JSON document: python -m tests.benchmark (see --help)."""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from lab.config import CHECKOUT, MAX_EXTRA, WORKLOAD_MACHINES, Lab, LabError
from lab.run import say
from tests.benchmark import bridge, measure, monitoring, report, stage, terraform
from tests.benchmark import inventory as inventories
from tests.benchmark.measure import BenchmarkError, playbook

ONBOARD = "brownfield.mesh.onboard"
OFFBOARD = "brownfield.mesh.offboard"
USUAL_SHAPE = str(Path(__file__).with_name("usual_shape.yml"))
RUNS = 3


def counts(text: str) -> list[int]:
    """Numbers of machines from the command line. Raises ValueError."""
    numbers = sorted({int(part) for part in text.split(",")})
    if not 1 <= numbers[0] <= numbers[-1] <= MAX_EXTRA:
        raise ValueError(text)
    return numbers


def size(lab: Lab, folder: Path) -> dict[str, Any]:
    """Everything that is measured on all bench machines of ``lab``, which are fresh."""
    machines = stage.members(lab)
    say(f"  {len(machines)} machines: the usual shape")
    inventory = stage.write_inventory(lab, folder)
    stage.furnish(lab, machines, inventory)
    playbook(ONBOARD, inventory, "--tags", "cluster_objects")
    stage.write_files(inventory, folder / "files")
    files = ("-e", f"usual_files={folder}/files")
    usual_first = playbook(USUAL_SHAPE, inventory, *files, seconds=1800)
    usual_rerun = playbook(USUAL_SHAPE, inventory, *files, seconds=1800)
    reset = stage.forget(lab, machines, inventory)

    say(f"  {len(machines)} machines: ours")
    stage.furnish(lab, machines, inventory)
    watch = stage.Watch(lab, len(machines))
    try:
        first = playbook(ONBOARD, inventory, "--limit", "bench")
        first.update(watch.answered())
    finally:
        watch.stop()
    runs = [playbook(ONBOARD, inventory, "--limit", "bench") for _ in range(RUNS)]
    rerun = measure.median(runs)
    watched = monitoring.cost(lab, machines[0], inventory) if len(machines) == 1 else None
    offboard = playbook(OFFBOARD, inventory, "--limit", "bench")
    return {
        "machines": len(machines),
        "load_average": measure.load(),
        "nothing_to_do": rerun,
        "first_join": first,
        **({"watched": watched} if watched else {}),
        "offboard": offboard,
        "lab_reset": reset,
        "usual_shape": {"nothing_to_do": usual_rerun, "first_join": usual_first},
        "usual_shape_to_ours": {
            "nothing_to_do": round(usual_rerun["seconds"] / rerun["seconds"], 2),
            "first_join": round(usual_first["seconds"] / first["seconds"], 2),
        },
    }


def planning(machines: int) -> dict[str, Any]:
    """Plan and render in a process of its own. Raises BenchmarkError."""
    command = [sys.executable, "-m", "tests.benchmark.planning", str(machines)]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, timeout=300)
    if done.returncode != 0:
        raise BenchmarkError(f"planning failed:\n{done.stderr[-3000:]}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def benchmark(numbers: list[int]) -> dict[str, Any]:
    """The whole document. Raises BenchmarkError and LabError."""
    document: dict[str, Any] = {"machine": measure.describe(), "unit": "s"}
    say("  plan and render")
    document["plan_and_render"] = [planning(number) for number in (100, 1000)]
    say("  report")
    document["report"] = report.benchmark()
    say("  bridge")
    document["bridge"] = bridge.benchmark()
    say("  monitoring")
    document["monitoring"] = monitoring.benchmark()
    say("  Terraform")
    document["terraform"] = terraform.benchmark()
    say("  inventory")
    document["inventory"] = inventories.benchmark()
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
        folder = Path(name)
        stage.lab_command("down")
        stage.lab_command("build", seconds=3600)
        try:
            say("  lab")
            up = stage.lab_command("up", "--extra", "0")
            reset = stage.lab_command("reset", *(item.name for item in WORKLOAD_MACHINES))
            document["lab"] = {"up_warm": up, "reset": reset}
            inventory = stage.write_inventory(stage.the_lab(1), folder)
            playbook(ONBOARD, inventory, "--limit", stage.CALLER)
            document["sizes"] = []
            for number in numbers:
                stage.lab_command("up", "--extra", str(number))
                document["sizes"].append(size(stage.the_lab(number), folder))
            document["lab"]["down"] = stage.lab_command("down")
        finally:
            stage.lab_command("down")
    document["goals"] = measure.goals(document)
    return document


def main() -> int:
    """Parse the command line, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmark", description=__doc__)
    parser.add_argument(
        "--machines", type=counts, default=[1, 10, 40], help="how many, by commas: 1,10"
    )
    options = parser.parse_args()
    # Ended from outside, it takes its lab down as well.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        print(json.dumps(benchmark(options.machines), indent=2))
    except (BenchmarkError, LabError) as error:
        print(f"benchmark: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
