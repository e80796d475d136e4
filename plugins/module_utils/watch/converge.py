# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Bring an installation onto a machine, and take it away again.

What each unit was last started with is written down as the last step, so that a run killed anywhere
is finished by the next one.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.brownfield.mesh.plugins.module_utils import carry, desired, observe
from ansible_collections.brownfield.mesh.plugins.module_utils.desired import (
    Change,
    File,
    Host,
    Link,
    MachineError,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.watch import pair, programs
from ansible_collections.brownfield.mesh.plugins.module_utils.watch.state import (
    LIBRARY,
    PYTHON,
    TARGETS,
    UNITS,
    VANTAGE_CERTIFICATES,
    VANTAGES,
    Installation,
    Unit,
    folders,
)

READY_SECONDS = 20
READY_INTERVAL_SECONDS = 0.1
STOPPED = ("inactive", "failed", "unknown", "")


def converge(
    host: Host, wanted: Installation, pushed: Mapping[str, str], check: bool
) -> dict[str, Any]:
    """Compare and, unless something is needed from the controller or ``check``, apply.

    ``pushed`` maps archives to the files that the controller brought. Returns changed, diff and
    needs. Raises MachineError.
    """
    host.require_root()
    missing = programs.missing(host, wanted)
    needs = [
        programs.need(archive, programs.chosen(archive))
        for archive in missing
        if programs.chosen(archive).path and archive.name not in pushed
    ]
    if needs and not check:
        return {"changed": False, "diff": [], "needs": needs}
    changes = [change for path in folders(wanted.home) for change in _folder(host, path)]
    changes += [programs.change(host, wanted, archive, pushed) for archive in missing]
    files = [*wanted.files, *(library() if wanted.library else ())]
    files += [File("%s/%s" % (UNITS, u.name), u.content, 0o644) for u in wanted.units]
    for file in files:
        changes += desired.compare_drop_in(host, file)
    made = pair.compare(host, wanted.pair, _reader(host, wanted)) if wanted.pair else []
    changes += made
    changes += _removals(host, wanted.gone)
    for unit in wanted.units:
        if unit.wanted_by:
            changes += desired.compare_link(host, Link(_wants(unit), "%s/%s" % (UNITS, unit.name)))
    started = _started(host, wanted.home)
    changes += _dropped(host, wanted, started)
    stale = [
        unit
        for unit in wanted.units
        if _is_stale(host, wanted, unit, started) or (made and _knows_pair(wanted, unit))
    ]
    shown = [Change(unit.name, "", "started with these files\n", lambda: None) for unit in stale]
    reloaded = started.get(wanted.reloads) == _digest(wanted)
    if wanted.reloads and not reloaded:
        shown.append(Change(wanted.reloads, "", "reloaded with these files\n", lambda: None))
    if not check:
        for change in changes:
            change.act()
        if changes or shown:
            _restart(host, wanted, stale)
    every = [*changes, *shown]
    return {"changed": bool(every), "diff": desired.diff_of(every), "needs": needs}


def retire(
    host: Host,
    home: str,
    units: Sequence[str],
    states: Sequence[str],
    check: bool,
    outside: Sequence[str] = (),
) -> dict[str, Any]:
    """Take an installation away; ``states`` are the units' StateDirectories, ``outside`` its files
    in folders of others.

    Returns changed and diff. Raises MachineError.
    """
    host.require_root()
    paths = [path for unit in units for path in _wanted_by(unit)]
    paths += ["%s/%s" % (UNITS, unit) for unit in units]
    paths += ["/var/lib/private/" + name for name in states]
    paths += ["/var/lib/" + name for name in states]
    paths += ["/opt/" + home, "/var/lib/" + home]
    paths[:0] = [*outside, *programs.data_files(host, home)]
    changes = [
        Change(unit, "running\n", "", lambda unit=unit: _stop(host, unit))  # type: ignore[misc]
        for unit in units
        if _state(host, unit) not in STOPPED
    ]
    changes += _removals(host, paths)
    changes += _forgotten(host, home)
    changes += _removals(host, ["/etc/" + home])
    if changes and not check:
        for change in changes:
            change.act()
        host.run(["systemctl", "daemon-reload"])
        host.run(["systemctl", "reset-failed", *units], check=False)
    return {"changed": bool(changes), "diff": desired.diff_of(changes)}


def targets(
    host: Host,
    machines: str,
    vantages: Sequence[Mapping[str, Any]],
    certificates: Mapping[str, str],
    installed: bool,
) -> list[Change]:
    """Whom Prometheus is to watch, where there is anybody to read it: on a machine with monitoring,
    or that is to be one (``installed``).

    ``machines`` is the file of machines. ``vantages`` are the groups of the other one, of which
    those are watched whose certificate is known; ``certificates`` are what they show by name.
    """
    if not installed and host.rights(os.path.dirname(TARGETS)) is None:
        return []
    known = pair.known(host, certificates)
    asked = [one for one in vantages if one["labels"]["machine"] in known]
    files = {
        TARGETS: machines,
        VANTAGES: json.dumps(asked, indent=1, sort_keys=True) + "\n",
        VANTAGE_CERTIFICATES: pair.bundle(host, known),
    }
    return [
        change
        for path, content in files.items()
        for change in desired.compare_file(host, File(path, content, 0o644))
    ]


def library() -> list[File]:
    """The collection's code that is loaded here, as files."""
    loaded = [name for name in sys.modules if name.startswith(carry.ROOM + ".")]
    return carry.files(loaded, LIBRARY)


def _folder(host: Host, path: str) -> list[Change]:
    def act() -> None:
        os.makedirs(host.path(path), exist_ok=True)
        os.chmod(host.path(path), 0o755)

    rights = host.rights(path)
    if rights is not None and rights[0] == 0o755:
        return []
    return [Change(path, "", "directory mode 0755\n", act)]


def _wants(unit: Unit) -> str:
    return "%s/%s.wants/%s" % (UNITS, unit.wanted_by, unit.name)


def _wanted_by(unit: str) -> list[str]:
    """Where links may be by which a unit is started."""
    return ["%s/%s.wants/%s" % (UNITS, t, unit) for t in ("multi-user.target", "timers.target")]


def _started_path(home: str) -> str:
    return "/etc/%s/started.json" % home


def _started(host: Host, home: str) -> dict[str, str]:
    """What each unit was last started with."""
    try:
        return dict(json.loads(host.read(_started_path(home)) or "{}"))
    except (ValueError, TypeError):
        return {}


def _digest(wanted: Installation) -> str:
    """What stands for all files together."""
    content = "\0".join("%s\0%s" % (file.path, file.content) for file in wanted.files)
    return hashlib.sha256(content.encode("utf-8")).hexdigest()


def _dropped(host: Host, wanted: Installation, started: Mapping[str, str]) -> list[Change]:
    """Units of ours that an earlier run has started, and that are wanted no more."""
    names = {unit.name for unit in wanted.units}
    changes = []
    for name in sorted(set(started) - names):
        path = "%s/%s" % (UNITS, name)
        # What it reloaded was the user's, and stays.
        if name.startswith("mesh-") and os.path.lexists(host.path(path)):
            changes.append(Change(name, "running\n", "", lambda name=name: _stop(host, name)))  # type: ignore[misc]
            changes += _removals(host, (*_wanted_by(name), path))
    return changes


def _forgotten(host: Host, home: str) -> list[Change]:
    """Units of the user's that have read files of ours read anew, without them: what they hold in
    memory would go on. The record of who has read them is left for a run after a killed one."""
    readers = [
        name
        for name in sorted(_started(host, home))
        if not name.startswith("mesh-") and _state(host, name) == "active"
    ]
    if not readers:
        return []
    inside = sorted(os.listdir(host.path("/etc/" + home)))
    paths = ["/etc/%s/%s" % (home, name) for name in inside]
    changes = _removals(host, [path for path in paths if path != _started_path(home)])
    for name in readers:

        def act(name: str = name) -> None:
            host.run(["systemctl", "reload", name])

        changes.append(Change(name, "", "reloaded without these files\n", act))
    return changes


def _is_stale(host: Host, wanted: Installation, unit: Unit, started: Mapping[str, str]) -> bool:
    """Whether the unit does not run, or runs with something else than is wanted."""
    return started.get(unit.name) != _digest_of(host, wanted, unit) or bool(
        unit.wanted_by and _state(host, unit.name) != "active"
    )


def _digest_of(host: Host, wanted: Installation, unit: Unit) -> str:
    """What stands for all that the unit is started with, the machine's own key too."""
    if wanted.pair is None or not _knows_pair(wanted, unit):
        return unit.digest
    content = host.read(wanted.pair.certificate) or ""
    return "%s %s" % (unit.digest, hashlib.sha256(content.encode()).hexdigest()[:16])


def _knows_pair(wanted: Installation, unit: Unit) -> bool:
    return wanted.pair is not None and wanted.pair.key in unit.content


def _reader(host: Host, wanted: Installation) -> str:
    """Whose the machine's own key is: the user of a unit of the user's, or root."""
    if not wanted.reloads:
        return "root"
    argv = ["systemctl", "show", "--property=User", "--value", wanted.reloads]
    user = host.run(argv, check=False).strip()
    return user if host.has_user(user) else "root"


def _restart(host: Host, wanted: Installation, stale: Sequence[Unit]) -> None:
    for command in wanted.checks:
        host.run(command)
    if wanted.library:  # once, and not at each start; without it all works, slower
        host.run([PYTHON, "-m", "compileall", "-q", LIBRARY], check=False)
    host.run(["systemctl", "daemon-reload"])
    for unit in stale:
        host.run(["systemctl", "restart", unit.name])
    for unit in stale:
        _wait_ready(host, unit)
    started = {unit.name: _digest_of(host, wanted, unit) for unit in wanted.units}
    if wanted.reloads:
        host.run(["systemctl", "reload", wanted.reloads])
        started[wanted.reloads] = _digest(wanted)
    text = json.dumps(started, indent=2, sort_keys=True) + "\n"
    if host.read(_started_path(wanted.home)) != text:
        host.write(File(_started_path(wanted.home), text, 0o644))


def _removals(host: Host, paths: Sequence[str]) -> list[Change]:
    return [
        Change(path, path + "\n", "", lambda path=path: _remove(host, path))  # type: ignore[misc]
        for path in paths
        if os.path.lexists(host.path(path))
    ]


def _remove(host: Host, path: str) -> None:
    host.remove(path)
    # A folder that was made for it goes with it; one with anything else in it stays.
    folder = os.path.dirname(host.path(path))
    while path.startswith(("/usr/share/", "/etc/grafana/")) and not os.listdir(folder):
        os.rmdir(folder)
        folder = os.path.dirname(folder)


def _wait_ready(host: Host, unit: Unit) -> None:
    end = time.monotonic() + READY_SECONDS
    while unit.port and not _is_ready(unit):
        if time.monotonic() > end:
            words = host.run(
                ["journalctl", "-u", unit.name, "-n", "8", "-o", "cat", "--no-pager"], check=False
            )
            raise MachineError(
                "%s does not answer after %d s. Its last words:\n%s"
                % (unit.name, READY_SECONDS, words.strip())
            )
        time.sleep(READY_INTERVAL_SECONDS)


def _is_ready(unit: Unit) -> bool:
    if unit.ready:
        return observe.get(unit.port, unit.ready)[0] == 200
    try:
        socket.create_connection(("127.0.0.1", unit.port), 5).close()
    except OSError:
        return False
    return True


def _state(host: Host, unit: str) -> str:
    return host.run(["systemctl", "is-active", unit], check=False).strip()


def _stop(host: Host, unit: str) -> None:
    host.run(["systemctl", "stop", unit])
