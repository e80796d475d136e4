# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Counts what the journal says of log-ins, sudo, units, the proxy and the kernel, as metrics.

Run on the machine by a timer: ``python3 -m ...watch.logs``. journald's cursor outlives rotation,
and fields of its own (those that begin with ``_``) say who wrote an entry: whose words these are is
decided by them, never by the words, which anybody may write.
Fields: systemd.journal-fields(7); messages of systemd: its catalog; of OpenSSH: auth.c, packet.c.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, Optional

from ansible_collections.brownfield.mesh.plugins.module_utils.bridge.state import (
    FIREWALL_UNIT,
    IDENTITY_UNIT,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.bridge.state import (
    UNIT as BRIDGE_UNIT,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.desired import File, Host
from ansible_collections.brownfield.mesh.plugins.module_utils.sidecar.state import (
    CAPTURE_UNIT,
    PROXY_UNIT,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.watch import textfile
from ansible_collections.brownfield.mesh.plugins.module_utils.watch.state import TEXTFILES
from ansible_collections.brownfield.mesh.plugins.module_utils.watch.textfile import Sample

PATH = TEXTFILES + "/logs.prom"
# Counts and cursor in one file: they are replaced together, so that nothing counts twice.
RECORD = TEXTFILES + "/logs.json"
# A record is kept after so many entries, so that a flood that outlasts one run gets on.
BATCH = 50000
OTHER = "other"

# systemd's message ids (src/systemd/sd-messages.h).
UNIT_FAILED = "d9b373ed55a64feb8242e02dbe79a49c"
UNIT_RESTARTED = "5eb03494b6584870a536b337290809b3"
UNITS = (PROXY_UNIT, CAPTURE_UNIT, BRIDGE_UNIT, FIREWALL_UNIT, IDENTITY_UNIT)
SSH = ("sshd", "sshd-session")
SUDO = "/usr/bin/sudo"

HELP = {
    "mesh_log_ssh_total": "Log-ins by SSH: accepted, failed attempts, connections given up.",
    "mesh_log_sudo_total": "Commands by sudo: run and refused.",
    "mesh_log_unit_failures_total": "How often a unit failed.",
    "mesh_log_unit_restarts_total": "How often systemd started a unit anew by itself.",
    "mesh_log_proxy_refusals_total": "What the proxy refused or could not pass on, by reason.",
    "mesh_log_kernel_total": "What the kernel said is wrong, by kind.",
    "mesh_log_gaps_total": "How often the place to read on from was lost.",
    "mesh_log_timestamp_seconds": "When the journal was last read.",
}
# Every series there is: one that begins at zero has an increase from its first entry on.
SERIES: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("mesh_log_ssh_total", "result", ("accepted", "failed", "given_up")),
    ("mesh_log_sudo_total", "result", ("run", "refused")),
    ("mesh_log_unit_failures_total", "unit", (*UNITS, OTHER)),
    ("mesh_log_unit_restarts_total", "unit", (*UNITS, OTHER)),
    ("mesh_log_proxy_refusals_total", "reason", ("rbac", "tls", "no_route", "upstream", OTHER)),
    ("mesh_log_kernel_total", "kind", ("oom", "io", "segfault", "hung")),
)

_SSH = (
    ("accepted", re.compile(r"Accepted [^ ]+ for ")),
    ("failed", re.compile(r"Failed [^ ]+ for ")),
    # A try by key that fails is no line of its own; the end of its connection is.
    (
        "given_up",
        re.compile(
            r"(Connection (closed|reset) by|Disconnected from) (authenticating|invalid) user "
        ),
    ),
)
# USER : [REASON ; ]TTY=... ; PWD=... ; USER=... ; COMMAND=... (sudoers(5), "Log format").
_SUDO = re.compile(r"\s*[^:]+ : (?P<first>[^;]*) ;.* COMMAND=", re.DOTALL)
_KERNEL = (
    ("oom", re.compile(r"Out of memory|Memory cgroup out of memory|oom-kill:")),
    (
        "io",
        re.compile(r"I/O error|Remounting filesystem read-only|EXT4-fs error|XFS .*[Cc]orruption"),
    ),
    ("segfault", re.compile(r"\bsegfault at |general protection fault")),
    ("hung", re.compile(r"blocked for more than \d+ seconds|soft lockup")),
)
# Envoy's access log as Istio writes it: "METHOD PATH PROTOCOL" CODE FLAGS DETAILS ... (istio.io,
# "Getting Envoy's Access Logs").
_ACCESS = re.compile(r'\[[0-9T:.\-Z]+\] "[^"]*" (?P<status>\d+) (?P<flags>\S+) (?P<why>\S+) ')
_COMMAND = [
    "journalctl", "--output=json", "--no-pager", "--quiet", "--all",
    "--output-fields=MESSAGE,MESSAGE_ID,SYSLOG_FACILITY,SYSLOG_IDENTIFIER,UNIT,_EXE,_PID,"
    "_SYSTEMD_UNIT,_TRANSPORT,_UID",
]  # fmt: skip
# Whatever else is written costs nothing: journald's index leaves it out.
_MATCHES = [
    *(word for name in SSH for word in ("SYSLOG_IDENTIFIER=" + name, "_UID=0", "+")),
    "_EXE=" + SUDO, "+",
    "MESSAGE_ID=" + UNIT_FAILED, "_PID=1", "+",
    "MESSAGE_ID=" + UNIT_RESTARTED, "_PID=1", "+",
    "_SYSTEMD_UNIT=" + PROXY_UNIT, "+",
    "_SYSTEMD_UNIT=" + BRIDGE_UNIT, "+",
    "_TRANSPORT=kernel", "SYSLOG_FACILITY=0",
]  # fmt: skip

Entry = Mapping[str, Any]


@dataclass
class Record:
    """Where reading goes on, and what was counted so far, by metric and label value."""

    cursor: str = ""
    gaps: int = 0
    counts: dict[str, dict[str, int]] = field(default_factory=dict)

    def add(self, found: tuple[str, str]) -> None:
        """Count one entry."""
        name, value = found
        own = self.counts.setdefault(name, {})
        own[value] = own.get(value, 0) + 1


def classify(entry: Entry) -> Optional[tuple[str, str]]:
    """The metric and label value that an entry of the journal counts for, or None."""
    message = text_of(entry.get("MESSAGE"))
    source = text_of(entry.get("SYSLOG_IDENTIFIER"))
    is_root = text_of(entry.get("_UID")) == "0"
    unit = text_of(entry.get("_SYSTEMD_UNIT"))
    if text_of(entry.get("_TRANSPORT")) == "kernel":
        # Programs that write to /dev/kmsg come by the same way, never with the kernel's facility.
        is_kernel = text_of(entry.get("SYSLOG_FACILITY")) == "0"
        found = _first("mesh_log_kernel_total", _KERNEL, message, anywhere=True)
        return found if is_kernel else None
    if text_of(entry.get("_PID")) == "1":
        about = text_of(entry.get("UNIT"))
        names = {
            UNIT_FAILED: "mesh_log_unit_failures_total",
            UNIT_RESTARTED: "mesh_log_unit_restarts_total",
        }
        name = names.get(text_of(entry.get("MESSAGE_ID")))
        return (name, about if about in UNITS else OTHER) if name else None
    if source in SSH and is_root:
        return _first("mesh_log_ssh_total", _SSH, message)
    if text_of(entry.get("_EXE")) == SUDO:
        return _sudo(message)
    if unit in (PROXY_UNIT, BRIDGE_UNIT):
        return _proxy(message)
    return None


def text_of(value: Any) -> str:
    """A field as text: journald writes bytes that are no UTF-8 as numbers, and repeated fields as
    lists of those."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and value and all(isinstance(one, int) for one in value):
        return bytes(one & 0xFF for one in value).decode("utf-8", "replace")
    if isinstance(value, list) and value:
        return text_of(value[0])
    return ""


def _first(
    name: str,
    forms: Iterable[tuple[str, re.Pattern[str]]],
    message: str,
    anywhere: bool = False,
) -> Optional[tuple[str, str]]:
    for value, form in forms:
        if form.search(message) if anywhere else form.match(message):
            return name, value
    return None


def _sudo(message: str) -> Optional[tuple[str, str]]:
    found = _SUDO.match(message)
    if not found:
        return None
    run = found.group("first").startswith(("TTY=", "PWD="))
    return "mesh_log_sudo_total", "run" if run else "refused"


def _proxy(message: str) -> Optional[tuple[str, str]]:
    """A line of the access log that tells of a refusal: a bridge's is JSON, a sidecar's text."""
    status, flags, why, failure = 0, "", "", ""
    if message.startswith("{"):
        try:
            line = json.loads(message)
        except (ValueError, RecursionError):
            return None
        if not isinstance(line, dict) or "flags" not in line:
            return None
        flags, why, failure = (str(line.get(key) or "") for key in ("flags", "why", "failure"))
        number = line.get("status")
        status = number if isinstance(number, int) else 0
    else:
        found = _ACCESS.match(message)
        if not found:
            return None
        status, flags, why = int(found["status"]), found["flags"], found["why"]
    reason = _reason(status, set(flags.split(",")) - {"-", ""}, why, failure)
    return ("mesh_log_proxy_refusals_total", reason) if reason else None


def _reason(status: int, flags: set[str], why: str, failure: str) -> str:
    """Envoy's response flags and details as one of our reasons; '' for what was served."""
    if why.startswith("rbac_access_denied"):
        return "rbac"
    if "TLS_error" in failure or "CERTIFICATE" in failure or "TLS" in why:
        return "tls"
    if flags & {"NR", "NC"}:
        return "no_route"
    if flags & {"UH", "UF", "UO", "URX", "UC", "UT", "UR"}:
        return "upstream"
    if flags & {"RL", "UAEX", "DPE", "IH", "OM", "DO"}:
        return OTHER
    return ""


def count(entries: Iterable[Entry], record: Record) -> Iterator[Record]:
    """Count ``entries`` into ``record``; it comes out after each BATCH of them, and at the end."""
    for number, entry in enumerate(entries, 1):
        found = classify(entry)
        if found:
            record.add(found)
        record.cursor = text_of(entry.get("__CURSOR")) or record.cursor
        if number % BATCH == 0:
            yield record
    yield record


def parse(lines: Iterable[bytes]) -> Iterator[Entry]:
    """The journal's entries, one in each line; what is none is passed over."""
    for line in lines:
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(entry, dict):
            yield entry


def render(record: Record, now: float) -> str:
    """The metrics' text."""
    samples = [
        Sample(name, record.counts.get(name, {}).get(value, 0), [(label, value)])
        for name, label, values in SERIES
        for value in values
    ]
    samples.append(Sample("mesh_log_gaps_total", record.gaps))
    samples.append(Sample("mesh_log_timestamp_seconds", now))
    return textfile.render(samples, HELP)


def read_record(text: Optional[str]) -> Record:
    """The last record; a new one where there is none that can be read."""
    try:
        data = json.loads(text or "")
        counts = {
            name: {value: int(data["counts"].get(name, {}).get(value, 0)) for value in values}
            for name, _, values in SERIES
        }
        return Record(str(data["cursor"]), int(data["gaps"]), counts)
    except (ValueError, TypeError, KeyError, AttributeError):
        return Record()


def journal(cursor: str) -> Iterator[bytes]:
    """The lines after ``cursor``; without one, the last entry alone, from which to go on. Raises
    OSError when there is no journalctl, and CursorGone."""
    if not cursor:
        yield from _lines(["--lines=1"])
        return
    # journalctl goes to the next entry there is, and says nothing, when this one was vacuumed.
    for entry in parse(_lines(["--cursor", cursor, "--lines=1"])):
        if text_of(entry.get("__CURSOR")) == cursor:
            break
    else:
        raise CursorGone(cursor)
    yield from _lines(["--after-cursor", cursor, *_MATCHES])


def _lines(place: list[str]) -> Iterator[bytes]:
    with subprocess.Popen([*_COMMAND, *place], stdout=subprocess.PIPE) as process:
        if process.stdout is None:
            return  # never, with a pipe; said for the types
        with closing(process.stdout):
            yield from process.stdout


class CursorGone(Exception):
    """The journal cannot go on from the last entry that was read."""


def main(
    host: Optional[Host] = None,
    lines: Callable[[str], Iterable[bytes]] = journal,
    now: Callable[[], float] = time.time,
) -> None:
    """Count what is new and write the files, each whole or not at all."""
    host = host or Host()
    os.makedirs(host.path(TEXTFILES), mode=0o755, exist_ok=True)
    record = read_record(host.read(RECORD))
    if record.cursor:
        try:
            for state in count(parse(lines(record.cursor)), record):
                _keep(host, state)
        except CursorGone:
            # What lies between is not known.
            record.gaps += 1
            record.cursor = ""
    if not record.cursor:
        for entry in parse(lines("")):
            record.cursor = text_of(entry.get("__CURSOR"))
    _keep(host, record)
    host.write(File(PATH, render(record, now()), 0o644))


def _keep(host: Host, record: Record) -> None:
    content = {"cursor": record.cursor, "gaps": record.gaps, "counts": record.counts}
    host.write(File(RECORD, json.dumps(content), 0o600))


if __name__ == "__main__":
    main()
