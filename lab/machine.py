"""Machines: systemd in a container of its own network, on an overlay of a shared image.

What runs is found by truth, not by pid files: a machine's processes are in its control group, its
namespace and cable carry its name. So a start or stop that was killed half way can simply be
repeated.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path

from lab import cgroup, image, network
from lab.config import CONTROL, GATEWAYS, Lab, LabError, Machine
from lab.run import run, wait_for

APPS = Path(__file__).parent / "apps"
NETNS = Path("/run/netns")
# What journald reads, and the right to read it (kernel.dmesg_restrict).
KERNEL_LOG = ("--bind=/dev/kmsg", "--capability=CAP_SYSLOG")


def running(lab: Lab, machine: Machine) -> bool:
    """Whether the machine, or what is to reboot it, has a process on this host."""
    return cgroup.running(cgroup.of_machine(lab, machine))


def execute(lab: Lab, machine: Machine, *argv: str, stdin: str = "") -> str:
    """Standard output of a command run as root inside the machine. Raises LabError."""
    return run([*enter(lab, machine), *argv], stdin=stdin)


def enter(lab: Lab, machine: Machine) -> list[str]:
    """What to put before a command that shall run inside the machine. Raises LabError."""
    pid = cgroup.init_pid(cgroup.of_machine(lab, machine))
    if not pid:
        raise LabError(f"machine {machine.name} is not running; `make lab-up` starts it")
    return ["nsenter", "-t", str(pid), "-m", "-u", "-i", "-n", "-p", "--"]


def journal(lab: Lab, machine: Machine) -> str:
    """The last lines of the machine's journal, for messages."""
    try:
        return execute(lab, machine, "journalctl", "--no-pager", "-n", "25", "-o", "cat")
    except LabError as error:
        return str(error)


def prepare(lab: Lab, machine: Machine, files: Mapping[str, str] | None = None) -> None:
    """Mount a fresh file system for the machine and write what makes it this machine."""
    root = lab.root(machine)
    base = root.parent
    shutil.rmtree(base / "upper", ignore_errors=True)
    shutil.rmtree(base / "work", ignore_errors=True)
    for folder in ("upper", "work", "root"):
        (base / folder).mkdir(parents=True, exist_ok=True)
    layers = f"lowerdir={image.path(machine.image)},upperdir={base}/upper,workdir={base}/work"
    run(["mount", "-t", "overlay", f"{lab.name}-{machine.name}", "-o", layers, str(root)])
    _identity(lab, machine, root)
    _resolver(lab, machine, root)
    _app(machine, root)
    for name, content in (files or {}).items():
        write(root, name, content)


def write(root: Path, name: str, content: str, mode: int = 0o644) -> None:
    """Write a file below a machine's root, with its folders."""
    path = root / name.lstrip("/")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.write_text(content)
    path.chmod(mode)


def environment_file(values: Mapping[str, str]) -> str:
    """A systemd EnvironmentFile that gives exactly these values."""
    lines = []
    for name, value in sorted(values.items()):
        quoted = re.sub(r'([\\"`$])', r"\\\1", value)
        lines.append(f'{name}="{quoted}"\n')
    return "".join(lines)


def _identity(lab: Lab, machine: Machine, root: Path) -> None:
    write(root, "/etc/hostname", machine.name + "\n")
    write(root, "/etc/hosts", f"127.0.0.1 localhost\n::1 localhost\n127.0.1.1 {machine.name}\n")
    write(root, "/etc/machine-id", secrets.token_hex(16) + "\n", 0o444)
    keys = lab.dir / "host_keys"
    for suffix, mode in (("", 0o600), (".pub", 0o644)):
        write(
            root,
            f"/etc/ssh/ssh_host_ed25519_key{suffix}",
            (keys / f"{machine.name}{suffix}").read_text(),
            mode,
        )
    public = lab.ssh_key.with_suffix(".pub").read_text()
    write(root, "/root/.ssh/authorized_keys", public, 0o600)
    write(root, "/home/ops/.ssh/authorized_keys", public)
    # Many logins at once are what a mesh of machines looks like to a benchmark.
    write(root, "/etc/ssh/sshd_config.d/lab.conf", "MaxStartups 100\nUseDNS no\n")


def _resolver(lab: Lab, machine: Machine, root: Path) -> None:
    address = lab.address(CONTROL)
    if machine.image == "trixie":
        write(root, "/etc/systemd/resolved.conf.d/lab.conf", f"[Resolve]\nDNS={address}\n")
        (root / "etc/resolv.conf").unlink(missing_ok=True)
        (root / "etc/resolv.conf").symlink_to("../run/systemd/resolve/stub-resolv.conf")
    else:
        write(root, "/etc/resolv.conf", f"nameserver {address}\n")


def _app(machine: Machine, root: Path) -> None:
    if machine.app == "postgresql":
        write(root, "/etc/postgresql/15/main/conf.d/lab.conf", "listen_addresses = '*'\n")
        _enable(root, "postgresql.service", "/lib/systemd/system/postgresql.service")
    elif machine.app not in ("", *GATEWAYS):
        name = machine.app
        write(root, f"/opt/{name}/{name}.py", (APPS / f"{name}.py").read_text())
        unit = f"/etc/systemd/system/{name}.service"
        write(root, unit, (APPS / f"{name}.service").read_text())
        _enable(root, f"{name}.service", unit)


def _enable(root: Path, unit: str, target: str) -> None:
    wants = root / "etc/systemd/system/multi-user.target.wants"
    wants.mkdir(parents=True, exist_ok=True)
    (wants / unit).unlink(missing_ok=True)
    (wants / unit).symlink_to(target)


def enable(root: Path, unit: str) -> None:
    """Let a unit written to /etc/systemd/system start at boot."""
    _enable(root, unit, f"/etc/systemd/system/{unit}")


def connect(lab: Lab, machine: Machine) -> None:
    """Give the machine a network namespace and a cable to the lab's bridge."""
    netns, link = lab.netns(machine), lab.link(machine)
    network.cut(link)
    commands = [
        f"netns add {netns}",
        f"link add {link} type veth peer name eth0 address {lab.mac(machine)} netns {netns}",
        f"link set {link} master {lab.bridge} up",
        f"-n {netns} link set lo up",
        f"-n {netns} address add {lab.address(machine)}/{lab.network.prefixlen} dev eth0",
        f"-n {netns} link set eth0 up",
        f"-n {netns} route add default via {lab.host_address}",
        # /proc/sys is read-only inside, so what `join` sets on other hosts is set here.
        f"netns exec {netns} sysctl -q -w net.netfilter.nf_conntrack_tcp_loose=0",
    ]
    for command in commands:
        run(["ip", *command.split()])


# Each part goes into its control group ($0). 133 says that the machine wants to be started again
# (systemd-nspawn(1), --keep-unit).
_LOOP = """\
echo 0 > "$0/loop/cgroup.procs" || exit
while (echo 0 > "$0/machine/cgroup.procs" && exec "$@"); [ $? -eq 133 ]; do :; done
"""


def boot(lab: Lab, machine: Machine, binds: Mapping[str, Path] | None = None) -> None:
    """Start the machine. ``binds`` maps paths inside to files of this host, read-only."""
    nspawn = [
        "systemd-nspawn", "--register=no", "--keep-unit", "--quiet",
        f"--machine={lab.netns(machine)}", f"--directory={lab.root(machine)}",
        f"--network-namespace-path={NETNS / lab.netns(machine)}",
        "--capability=CAP_NET_ADMIN,CAP_NET_RAW", "--resolv-conf=off", "--timezone=off",
        *(KERNEL_LOG if machine.kernel_log else ()), "--console=pipe", "--boot",
    ]  # fmt: skip
    nspawn[1:1] = [f"--bind-ro={source}:{inside}" for inside, source in (binds or {}).items()]
    group = cgroup.of_machine(lab, machine)
    cgroup.make(group)
    with (lab.root(machine).parent / "console.log").open("ab") as log:
        subprocess.Popen(
            ["sh", "-c", _LOOP, str(group), *nspawn],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            env={**os.environ, "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"},
        )


def wait_reachable(lab: Lab, machine: Machine, seconds: float = 30) -> None:
    """Wait until sshd answers. Raises LabError with the machine's journal when it does not."""

    def answers() -> bool:
        try:
            with socket.create_connection((lab.address(machine), 22), timeout=1) as connection:
                return connection.recv(4) == b"SSH-"
        except OSError:
            return False

    wait_for(f"machine {machine.name}", answers, seconds, lambda: journal(lab, machine))


def reboot(lab: Lab, machine: Machine) -> None:
    """Shut the machine down and start it again, on the same file system."""
    group = cgroup.of_machine(lab, machine)
    before = cgroup.init_pid(group)
    execute(lab, machine, "systemctl", "reboot", "--no-block")
    wait_for(
        f"reboot of {machine.name}",
        lambda: cgroup.init_pid(group) not in (0, before),
        100,
        lambda: journal(lab, machine),
    )
    wait_reachable(lab, machine)


def remove(lab: Lab, machine: Machine) -> None:
    """Stop the machine at once and take away all of it. Repeatable; touches nothing else."""
    group = cgroup.of_machine(lab, machine)
    cgroup.kill(group)
    cgroup.remove(group)
    root = lab.root(machine)
    if os.path.ismount(root):
        _remove_nspawn_files(lab, machine)
        run(["umount", str(root)])
    if (NETNS / lab.netns(machine)).exists():
        run(["ip", "netns", "delete", lab.netns(machine)])
    shutil.rmtree(root.parent, ignore_errors=True)


def _remove_nspawn_files(lab: Lab, machine: Machine) -> None:
    # What a killed systemd-nspawn leaves: its lock on the root folder, a folder to pass mounts.
    place = Path("/run/systemd/nspawn")
    root = lab.root(machine).stat()
    (place / "locks" / f"inode-{root.st_dev}:{root.st_ino}").unlink(missing_ok=True)
    for kind in ("propagate", "unix-export"):
        shutil.rmtree(place / kind / lab.netns(machine), ignore_errors=True)


def of_lab(lab: Lab) -> list[Machine]:
    """All machines that have left any trace on this host, whatever the settings say now."""
    names = {entry.name.removeprefix(f"{lab.name}.") for entry in NETNS.glob(f"{lab.name}.*")}
    for folder in (lab.dir / "machines", cgroup.of_lab(lab)):
        if folder.is_dir():
            names |= {entry.name for entry in folder.iterdir() if entry.is_dir()}
    return [Machine(name, 0) for name in sorted(names)]
