# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Sends the journal's entries that count (``logs``) to a Loki, with the counters' labels.

Run on the machine by a timer: ``python3 -m ...watch.ship``. The place in the journal moves on only
when Loki has what lies before it: an entry may come twice, which Loki takes for one, and is lost
only with the journal. API: https://grafana.com/docs/loki/latest/reference/loki-http-api/.
"""

from __future__ import annotations

import base64
import http.client
import itertools
import json
import os
import ssl
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Optional

from ansible_collections.brownfield.mesh.plugins.module_utils.desired import File, Host
from ansible_collections.brownfield.mesh.plugins.module_utils.spec import from_data
from ansible_collections.brownfield.mesh.plugins.module_utils.watch import logs, textfile
from ansible_collections.brownfield.mesh.plugins.module_utils.watch.state import (
    LOKI_FILE,
    MACHINE_FILE,
    SHIP_FILE,
    SHIP_RECORD,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.watch.textfile import Sample

JOB = "mesh-journal"
# Together below the 4 MB that Loki takes at once, whatever the characters.
BATCH = 200  # entries
LONGEST = 2048  # characters of an entry
SECONDS = 10.0  # of one call

HELP = {
    "mesh_ship_entries_total": "Entries of the journal that Loki has taken.",
    "mesh_ship_refused_total": "Calls of which Loki refused a part for good.",
    "mesh_ship_timestamp_seconds": "When Loki last had everything.",
}
# What each counter's own label is called.
_LABELS = {name: label for name, label, _ in logs.SERIES}

Stream = Mapping[str, Any]


@dataclass(frozen=True)
class Loki:
    """Where Loki is: ``url`` without a path, and what it wants to be shown. ``ca`` is PEM; without
    it the machine's own authorities count."""

    url: str
    tenant: str = ""
    username: str = ""
    password: str = ""
    ca: str = ""


@dataclass
class Record:
    """Where reading goes on, and what was sent so far."""

    cursor: str = ""
    entries: int = 0
    refused: int = 0
    timestamp: float = 0.0


class LokiError(Exception):
    """Loki did not answer, or not for now."""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A password is for one host only."""

    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        return None


def event(metric: str) -> str:
    """What a counter's entries are called: its name without what all of them have."""
    return metric[len("mesh_log_") : -len("_total")]


def streams(entries: Iterable[logs.Entry], machine: Mapping[str, str]) -> list[Stream]:
    """The entries that count, by labels: whose they are, the event, and the counter's own label.

    As many as there are counters, whoever writes what: no label comes from an entry's words.
    """
    whose = {name: machine.get(name, "") for name in ("machine", "workload", "namespace")}
    found: dict[tuple[str, str], list[list[str]]] = {}
    for entry in entries:
        counted = logs.classify(entry)
        micros = logs.text_of(entry.get("__REALTIME_TIMESTAMP"))
        if counted and micros.isdigit():
            line = logs.text_of(entry.get("MESSAGE"))[:LONGEST]
            found.setdefault(counted, []).append([micros + "000", line])
    return [
        {"stream": {"job": JOB, **whose, "event": event(name), _LABELS[name]: value}, "values": own}
        for (name, value), own in found.items()
    ]


def push(loki: Loki, sent: list[Stream]) -> bool:
    """Send streams. Whether Loki took all of them; else it never will. Raises LokiError."""
    headers = {"Content-Type": "application/json"}
    if loki.tenant:
        headers["X-Scope-OrgID"] = loki.tenant
    if loki.username:
        both = "%s:%s" % (loki.username, loki.password)
        headers["Authorization"] = "Basic " + base64.b64encode(both.encode()).decode()
    text = json.dumps({"streams": sent}, ensure_ascii=False)
    request = urllib.request.Request(
        loki.url.rstrip("/") + "/loki/api/v1/push", text.encode("utf-8", "replace"), headers
    )
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}),
        urllib.request.HTTPSHandler(context=ssl.create_default_context(cadata=loki.ca or None)),
        _NoRedirect,
    )
    try:
        with opener.open(request, timeout=SECONDS):
            return True
    except urllib.error.HTTPError as error:
        with error:
            words = error.read(300).decode("utf-8", "replace").strip()
        if error.code == 400:  # too old, too long: the rest of the call was taken
            say("Loki refused a part: " + words)
            return False
        raise LokiError("Loki answered %d: %s" % (error.code, words)) from None
    except (OSError, http.client.HTTPException) as error:
        raise LokiError("Loki cannot be reached: %s" % error) from None


def say(words: str) -> None:
    """For the journal of the machine."""
    sys.stderr.write(words + "\n")


def render(record: Record) -> str:
    """The metrics' text."""
    samples = [
        Sample("mesh_ship_entries_total", record.entries),
        Sample("mesh_ship_refused_total", record.refused),
        Sample("mesh_ship_timestamp_seconds", record.timestamp),
    ]
    return textfile.render(samples, HELP)


def read_record(text: Optional[str]) -> Record:
    """The last record; a new one where there is none that can be read."""
    try:
        return from_data(Record, json.loads(text or ""))
    except (ValueError, TypeError, KeyError, AttributeError):
        return Record()


def main(
    host: Optional[Host] = None,
    lines: Callable[[str], Iterable[bytes]] = logs.journal,
    send: Callable[[Loki, list[Stream]], bool] = push,
    now: Callable[[], float] = time.time,
) -> None:
    """Send what is new and write the files, each whole or not at all. The first run sends nothing:
    from now on counts."""
    host = host or Host()
    loki = from_data(Loki, json.loads(host.read(LOKI_FILE) or ""))
    machine = json.loads(host.read(MACHINE_FILE) or "{}")
    record = read_record(host.read(SHIP_RECORD))
    begun = now()
    try:
        if record.cursor:
            for entries in _batches(logs.parse(lines(record.cursor))):
                _send(send, loki, streams(entries, machine), record)
                record.cursor = logs.text_of(entries[-1].get("__CURSOR")) or record.cursor
                _keep(host, record)
        else:
            _begin(lines, record)
        record.timestamp = begun
    except logs.CursorGone:
        _begin(lines, record)
    except LokiError as error:
        say(str(error))
    _keep(host, record)
    host.write(File(SHIP_FILE, render(record), 0o644))


def _batches(entries: Iterator[logs.Entry]) -> Iterator[list[logs.Entry]]:
    while batch := list(itertools.islice(entries, BATCH)):
        yield batch


def _send(
    send: Callable[[Loki, list[Stream]], bool], loki: Loki, sent: list[Stream], record: Record
) -> None:
    if sent and send(loki, sent):
        record.entries += sum(len(stream["values"]) for stream in sent)
    elif sent:
        record.refused += 1


def _begin(lines: Callable[[str], Iterable[bytes]], record: Record) -> None:
    record.cursor = ""
    for entry in logs.parse(lines("")):
        record.cursor = logs.text_of(entry.get("__CURSOR"))


def _keep(host: Host, record: Record) -> None:
    content = {
        "cursor": record.cursor,
        "entries": record.entries,
        "refused": record.refused,
        "timestamp": record.timestamp,
    }
    os.makedirs(os.path.dirname(host.path(SHIP_RECORD)), mode=0o755, exist_ok=True)
    host.write(File(SHIP_RECORD, json.dumps(content), 0o600))


if __name__ == "__main__":
    main()
