"""The lab's command line: python -m lab COMMAND (see --help)."""

from __future__ import annotations

import argparse
import dataclasses
import json
import subprocess
import sys

from lab import image, lifecycle, machine
from lab.config import APPS, MAX_EXTRA, Lab, LabError, load


def parser() -> argparse.ArgumentParser:
    """What can be said on the command line."""
    top = argparse.ArgumentParser(prog="python -m lab", description="A real mesh on this host.")
    top.add_argument("--name", default="", help="which lab (default: LAB_NAME, else lab)")
    top.add_argument("--range", default="", help="its addresses (default: LAB_RANGE)")
    commands = top.add_subparsers(dest="command", required=True)
    up = commands.add_parser("up", help="start what is not running")
    up.add_argument("--extra", type=int, help="how many further machines (group bench)")
    commands.add_parser("down", help="take everything of this lab away")
    status = commands.add_parser("status", help="machines and their state")
    status.add_argument("--json", action="store_true")
    reset = commands.add_parser("reset", help="fresh machines; the control plane stays")
    reset.add_argument("machines", nargs="*")
    reboot = commands.add_parser("reboot", help="shut machines down and start them again")
    reboot.add_argument("machines", nargs="+")
    for name, what in (("exec", "as root, without SSH"), ("ssh", "as its administrator ops")):
        command = commands.add_parser(name, help=f"run a command in a machine, {what}")
        command.add_argument("machine")
        command.add_argument("argv", nargs=argparse.REMAINDER)
    one = commands.add_parser(
        "machine", help="machines beside the lab's own, for other inventories"
    )
    verbs = one.add_subparsers(dest="verb", required=True)
    add = verbs.add_parser("add", help="start one, when it is not there; prints its address")
    add.add_argument("--image", choices=sorted(image.IMAGES), default="bookworm")
    add.add_argument("--app", choices=["", *APPS], default="", help="what it serves")
    add.add_argument("--tag", default="", help="what its maker knows it by")
    add.add_argument("--kernel-log", action="store_true", help="show it this host's kernel log")
    add.add_argument("machine")
    remove = verbs.add_parser("remove", help="take some away, as far as they are there")
    remove.add_argument("machines", nargs="+", metavar="machine")
    commands.add_parser("build", help="build what labs are made of, without starting one")
    return top


def act(lab: Lab, options: argparse.Namespace) -> int:
    """Do what was said. Raises LabError."""
    if options.command == "up":
        extra = lab.extra if options.extra is None else options.extra
        if not 0 <= extra <= MAX_EXTRA:
            raise LabError(f"--extra {extra}: write a number from 0 to {MAX_EXTRA}")
        lifecycle.up(dataclasses.replace(lab, extra=extra))
    elif options.command == "down":
        lifecycle.down(lab)
    elif options.command == "reset":
        lifecycle.reset(lab, options.machines)
    elif options.command == "reboot":
        lifecycle.reboot(lab, options.machines)
    elif options.command == "status":
        rows = lifecycle.status(lab)
        if options.json:
            print(json.dumps(rows, indent=2))
        for row in rows if not options.json else ():
            print(f"{row['machine']:<16} {row['address']:<16} {row['image']:<10} {row['state']}")
    elif options.command == "machine" and options.verb == "add":
        kind = (options.image, options.app, options.tag, options.kernel_log)
        print(lifecycle.add(lab, options.machine, *kind))
    elif options.command == "machine":
        for name in options.machines:
            lifecycle.remove(lab, name)
    elif options.command == "build":
        lifecycle.build()
    else:
        argv = options.argv[1:] if options.argv[:1] == ["--"] else options.argv
        if options.command == "ssh":
            command = lifecycle.ssh(lab, options.machine, argv)
        else:
            command = [*machine.enter(lab, lab.machine(options.machine)), *(argv or ["bash"])]
        return subprocess.run(command, check=False).returncode
    return 0


def main() -> int:
    """Parse the command line and do it."""
    options = parser().parse_args()
    try:
        return act(load(options.name, options.range), options)
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
