"""python -m lab up | down | status | reset | exec: the lab's command line."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from lab import control, gateway, image, inventory, machine, network, pki, tools
from lab.config import CONTROL, GATEWAY, STATE, Lab, LabError, Machine, from_environment
from lab.run import say, step


def up(lab: Lab) -> None:
    """Start what is not running."""
    if os.geteuid() != 0:
        raise LabError("the lab needs root: it makes machines, networks and mounts")
    start = time.monotonic()
    if not shutil.which("systemd-nspawn"):
        raise LabError("systemd-nspawn is not installed; run `make bootstrap`")
    for name in {m.image for m in (CONTROL, *lab.machines)}:
        image.path(name)
    tools.go_tools("istio")
    tools.go_tools("kubernetes")
    lab.dir.mkdir(parents=True, exist_ok=True)
    (lab.dir / "extra").write_text(str(lab.extra))
    pki.make(lab)
    pki.host_keys(lab)
    network.up(lab)
    with ThreadPoolExecutor() as pool:
        missing = [m for m in lab.machines if not machine.init_pid(lab, m)]
        if not machine.init_pid(lab, CONTROL) or not machine.init_pid(lab, GATEWAY):
            machine.remove(lab, CONTROL)
            machine.remove(lab, GATEWAY)
            control.start(lab)
            gateway.start(lab)
            written = pool.submit(inventory.write, lab)
            fresh = pool.submit(_start, lab, missing)
            with step("control plane"):
                api = control.configure(lab)
            with step("gateway"):
                gateway.configure(lab, api)
            written.result()
            fresh.result()
        else:
            inventory.write(lab)
            _start(lab, missing)
    say(f"  lab {lab.name!r} is up: {time.monotonic() - start:.1f} s")


def _start(lab: Lab, machines: list[Machine]) -> None:
    def one(item: Machine) -> None:
        machine.remove(lab, item)
        machine.prepare(lab, item)
        machine.connect(lab, item)
        machine.boot(lab, item)
        machine.wait_reachable(lab, item)

    if machines:
        with step(f"{len(machines)} machines"), ThreadPoolExecutor(8) as pool:
            list(pool.map(one, machines))


def reset(lab: Lab, names: list[str]) -> None:
    """Replace machines by fresh ones; the control plane stays."""
    _start(lab, [lab.machine(name) for name in names] or list(lab.machines))


def down(lab: Lab) -> None:
    """Take everything of this lab away, whatever state it is in."""
    known = {m.name: m for m in (CONTROL, GATEWAY, *lab.machines)}
    for folder in sorted((lab.dir / "machines").glob("*")):
        known.setdefault(folder.name, Machine(folder.name, 0))
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda m: machine.remove(lab, m), known.values()))
    network.down(lab)
    shutil.rmtree(lab.dir, ignore_errors=True)
    if STATE.exists() and not any(STATE.iterdir()):
        STATE.rmdir()


def status(lab: Lab) -> list[dict[str, str]]:
    """Every machine with its address and state."""
    rows = []
    for item in (CONTROL, GATEWAY, *lab.machines):
        state = "off"
        if machine.init_pid(lab, item):
            state = machine.execute(
                lab, item, "sh", "-c", "systemctl is-system-running || true"
            ).strip()
        rows.append({"machine": item.name, "address": lab.address(item), "state": state})
    return rows


def main() -> int:
    """Parse the command line and do it."""
    parser = argparse.ArgumentParser(prog="python -m lab", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    add_up = commands.add_parser("up", help="start what is not running")
    add_up.add_argument("--extra", type=int, help="further machines (group bench)")
    commands.add_parser("down", help="take everything of this lab away")
    add_status = commands.add_parser("status", help="machines and their state")
    add_status.add_argument("--json", action="store_true")
    add_reset = commands.add_parser("reset", help="fresh machines, control plane kept")
    add_reset.add_argument("machines", nargs="*")
    add_exec = commands.add_parser("exec", help="run a command as root in a machine")
    add_exec.add_argument("machine")
    add_exec.add_argument("argv", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    try:
        lab = from_environment()
        if options.command == "up":
            extra = lab.extra if options.extra is None else options.extra
            up(dataclasses.replace(lab, extra=extra))
        elif options.command == "down":
            down(lab)
        elif options.command == "reset":
            reset(lab, options.machines)
        elif options.command == "status":
            rows = status(lab)
            if options.json:
                print(json.dumps(rows, indent=2))
            for row in rows if not options.json else ():
                print(f"{row['machine']:<16} {row['address']:<16} {row['state']}")
        elif options.command == "exec":
            argv = options.argv[1:] if options.argv[:1] == ["--"] else options.argv
            pid = machine.init_pid(lab, lab.machine(options.machine))
            if not pid:
                raise LabError(f"machine {options.machine} is not running")
            enter = ["nsenter", "-t", str(pid), "-m", "-u", "-i", "-n", "-p", "--"]
            return subprocess.run([*enter, *argv], check=False).returncode
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
