# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""A machine's last run, written down on it: whether it finished, and how it left what is ours.

So that a run that stopped half way, and files that somebody changed since, are seen without another
run. It describes; nothing is decided by it: a run compares with what is there.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Optional

from ansible_collections.brownfield.mesh.plugins.module_utils import artifacts
from ansible_collections.brownfield.mesh.plugins.module_utils.desired import (
    MARK,
    DesiredState,
    File,
    Host,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.spec import from_data, to_data

# With what it is about, in the folder that leaving takes away.
RECORD = artifacts.RECORD_FOLDER + "/last_run.json"
HOSTS = "/etc/hosts"
# Programs are told by size and time: they have hundreds of megabytes.
READ_BYTES = 1 << 20


@dataclass(frozen=True)
class LastRun:
    """When it began (seconds since the epoch), whether it finished, and how each path was left by
    the last one that did."""

    began: int
    finished: bool
    left: Mapping[str, str] = field(default_factory=dict)


def recorded(
    host: Host,
    files: DesiredState,
    more: Sequence[str],
    work: Callable[[], dict[str, Any]],
    now: Callable[[], float] = time.time,
) -> dict[str, Any]:
    """The result of ``work``, with a record of it. ``files`` and ``more`` are what a run leaves.

    A run that asks the controller for something, or for its confirmation, goes on in a later call;
    until then, and when ``work`` raises, the record says that it did not finish. Raises
    MachineError, as ``work`` does.
    """
    host.require_root()
    before = read(host)
    began = int(now())
    _write(host, LastRun(began, False, before.left if before else {}))
    result = work()
    if not result.get("needs") and not result.get("confirm"):
        paths = {HOSTS, *more, *map(artifacts.place, artifacts.BINARIES)}
        for items in (files.directories, files.files, files.links):
            paths.update(item.path for item in items)
        _write(host, LastRun(began, True, _look(host, paths)))
    return result


def read(host: Host) -> Optional[LastRun]:
    """The record, or None when there is none that can be read."""
    try:
        return from_data(LastRun, json.loads(host.read(RECORD) or ""))
    except (ValueError, TypeError, KeyError, AttributeError, OSError):
        return None


def drift(host: Host, record: LastRun) -> list[str]:
    """The paths that are not as the last finished run left them."""
    found = _look(host, record.left)
    return sorted(path for path, left in record.left.items() if found[path] != left)


def _write(host: Host, record: LastRun) -> None:
    # A machine that was never joined has no folder yet, and nothing that could be watched.
    if os.path.isdir(host.path(artifacts.RECORD_FOLDER)):
        text = json.dumps(to_data(record), indent=1, sort_keys=True) + "\n"
        host.write(File(RECORD, text, 0o644))


def _look(host: Host, paths: Iterable[str]) -> dict[str, str]:
    return {path: _look_at(host, path) for path in sorted(paths)}


def _look_at(host: Host, path: str) -> str:
    """What there is at ``path``, in a line that changes when it does."""
    real = host.path(path)
    try:
        status = os.lstat(real)
        if stat.S_ISLNK(status.st_mode):
            return "link to %s" % os.readlink(real)
        rights = "%04o %d:%d" % (stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid)
        if not stat.S_ISREG(status.st_mode):
            return rights
        if path == HOSTS:  # others may write to it; ours are the marked lines
            lines = (host.read(path) or "").split("\n")
            return _digest("\n".join(line for line in lines if line.endswith(MARK)).encode())
        if status.st_size > READ_BYTES:
            return "%s %d bytes of %d" % (rights, status.st_size, status.st_mtime_ns)
        with open(real, "rb") as file:
            return "%s %s" % (rights, _digest(file.read()))
    except OSError as error:
        return "nothing" if isinstance(error, FileNotFoundError) else "unreadable"


def _digest(content: bytes) -> str:
    return "sha256:%s" % hashlib.sha256(content).hexdigest()
