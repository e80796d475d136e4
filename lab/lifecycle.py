"""A lab's life: up, reset, down, status. Each can be killed half way, and repeated."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace

from lab import (
    cgroup,
    config,
    control,
    deb,
    gateway,
    image,
    inventory,
    machine,
    network,
    pki,
    tools,
)
from lab.config import (
    CONTROL,
    GATEWAY,
    GATEWAYS,
    STATE,
    Lab,
    LabError,
    Machine,
    cache_dir,
    save,
)
from lab.kubernetes import Api
from lab.run import locked, say, step


def build() -> None:
    """Build what labs are made of, where the cache lacks it. Raises LabError."""
    busy = "another command builds what labs are made of"
    with locked(cache_dir() / "lock", busy, 3600):
        for name in image.IMAGES:
            image.path(name)
        tools.go_tools("kubernetes")
        control.rendered()
        deb.package()


def up(lab: Lab) -> None:
    """Start what is not running. Builds what is missing from the cache first. Raises LabError."""
    start = time.monotonic()
    build()
    with _alone(lab) as lab, ThreadPoolExecutor() as pool:
        save(lab)
        pki.make(lab)
        pki.host_keys(lab)
        network.up(lab)
        fresh = not gateway.ready(lab)
        if fresh:  # first, since everything waits for it
            _boot_control_plane(lab)
        written = pool.submit(inventory.write, lab)
        missing = [m for m in (*lab.machines, *lab.added) if not machine.running(lab, m)]
        routers = [m for m in missing if m.app in GATEWAYS]
        started = pool.submit(_start, lab, [m for m in missing if m not in routers])
        if fresh:
            with step("control plane"):
                api = control.configure(lab)
            with step("gateway"):
                gateway.configure(lab, api)
        written.result()
        started.result()
        _start(lab, routers)  # last: they need the control plane
    say(f"  lab {lab.name!r} is up: {time.monotonic() - start:.1f} s")


def _boot_control_plane(lab: Lab) -> None:
    for item, boot in ((CONTROL, control.start), (GATEWAY, gateway.start)):
        if not machine.running(lab, item):
            machine.remove(lab, item)
            boot(lab)


def _start(lab: Lab, machines: Sequence[Machine]) -> None:
    def fresh(item: Machine) -> None:
        machine.remove(lab, item)
        if item.app in GATEWAYS:
            router, api = gateway.of_app(item), Api(lab)
            api.apply([control.namespace(router.namespace)])
            gateway.start(lab, router)
            machine.wait_reachable(lab, item)
            gateway.configure(lab, api, router)
            config.record(lab, item)
            return
        machine.prepare(lab, item)
        machine.connect(lab, item)
        machine.boot(lab, item)
        machine.wait_reachable(lab, item)
        if item in lab.added:  # last: who killed this half way finds no such machine
            config.record(lab, item)

    if machines:
        what = machines[0].name if len(machines) == 1 else f"{len(machines)} machines"
        with step(what), ThreadPoolExecutor(8) as pool:
            list(pool.map(fresh, machines))


def reset(lab: Lab, names: Sequence[str]) -> None:
    """Replace machines (none named: all workload machines) by fresh ones. Raises LabError."""
    machines = [lab.machine(name) for name in names] or list(lab.machines)
    for item in (CONTROL, GATEWAY):
        if item in machines:
            raise LabError(f"{item.name} cannot be reset alone; use `lab down` and `lab up`")
        if not machine.running(lab, item):
            raise LabError(f"lab {lab.name!r} is not up; `make lab-up` starts it")
    with _alone(lab) as lab:
        _start(lab, machines)


def add(lab: Lab, name: str, image: str, app: str, tag: str, kernel_log: bool = False) -> str:
    """The address of a machine beside the lab's own, made when it is not there. Raises LabError."""
    with _alone(lab) as lab:
        if not machine.running(lab, GATEWAY):
            raise LabError(f"lab {lab.name!r} is not up; `make lab-up` starts it")
        item = lab.to_add(name, image, app, tag, kernel_log)
        known = {m.name for m in lab.everything}
        for left in machine.of_lab(lab):  # by an `add` that was killed
            if left.name not in known:
                machine.remove(lab, left)
        if item not in lab.added:
            lab = replace(lab, added=(*lab.added, item))
        if not machine.running(lab, item):
            pki.host_keys(lab)
            _start(lab, [item])
    return lab.address(item)


def remove(lab: Lab, name: str) -> None:
    """Take an added machine away, or what is left of it. Raises LabError."""
    with _alone(lab) as lab:
        if name in (m.name for m in (CONTROL, GATEWAY, *lab.machines)):
            raise LabError(f"machine {name!r} belongs to the lab; only added ones can be removed")
        item = Machine(name, 0)
        lab.record(item).unlink(missing_ok=True)
        machine.remove(lab, item)
        pki.forget_host_key(lab, item)


def reboot(lab: Lab, names: Sequence[str]) -> None:
    """Reboot machines. Raises LabError when one does not come back."""
    for name in names:
        with step(f"reboot of {name}"):
            machine.reboot(lab, lab.machine(name))


def down(lab: Lab) -> None:
    """Take everything of this lab away, whatever state it is in. Raises LabError."""
    with _alone(lab), ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda item: machine.remove(lab, item), machine.of_lab(lab)))
        network.down(lab)
        cgroup.remove_unused(lab)
        shutil.rmtree(lab.dir, ignore_errors=True)
        if not any(entry.is_dir() for entry in STATE.iterdir()):
            network.restore_limit()


def status(lab: Lab) -> list[dict[str, str]]:
    """Every machine with its group, image, address and state."""
    rows = []
    for item in lab.everything:
        state = "off"
        if machine.running(lab, item):
            try:
                ask = "systemctl is-system-running || true"
                state = machine.execute(lab, item, "sh", "-c", ask).strip()
            except LabError:
                state = "starting"
        rows.append(
            {
                "machine": item.name,
                "group": item.group,
                "image": item.image,
                "address": lab.address(item),
                "state": state,
            }
        )
    return rows


def ssh(lab: Lab, name: str, argv: Sequence[str]) -> list[str]:
    """The command that logs in to the machine as its administrator `ops`."""
    return [
        "ssh", "-i", str(lab.ssh_key), "-o", f"UserKnownHostsFile={lab.dir}/known_hosts",
        "-o", "StrictHostKeyChecking=yes", f"ops@{lab.address(lab.machine(name))}", *argv,
    ]  # fmt: skip


@contextmanager
def _alone(lab: Lab) -> Iterator[Lab]:
    """Hold the lab's lock, so that two commands do not work on one lab. Raises LabError.

    Gives the lab as it is now: another command may have added a machine before this one's turn.
    """
    if os.geteuid() != 0:
        raise LabError("the lab needs root: it makes machines, networks and mounts")
    path = STATE / f"{lab.name}.lock"
    with locked(path, f"another command works on lab {lab.name!r}", 120):
        try:
            yield replace(lab, added=config.added(lab))
        finally:
            path.unlink()
            if not any(STATE.iterdir()):
                STATE.rmdir()
