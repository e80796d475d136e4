# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Entries of the journal in, exact counts out, whoever wrote them and whatever they say.

The entries are those of Debian 12 (OpenSSH 9.2, sudo 1.9.13, systemd 252) and of Envoy 1.40.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.brownfield.mesh.plugins.module_utils.desired import Host
from ansible_collections.brownfield.mesh.plugins.module_utils.watch import logs
from ansible_collections.brownfield.mesh.plugins.module_utils.watch.logs import CursorGone, Record
from hypothesis import given
from hypothesis import strategies as st

PID1 = {"_PID": "1", "_UID": "0", "_EXE": "/usr/lib/systemd/systemd"}
SSHD = {"SYSLOG_IDENTIFIER": "sshd", "_UID": "0", "_EXE": "/usr/sbin/sshd", "_PID": "7"}
SUDO = {"SYSLOG_IDENTIFIER": "sudo", "_UID": "1000", "_EXE": "/usr/bin/sudo", "_PID": "8"}
BRIDGE = {"_SYSTEMD_UNIT": "mesh-bridge.service", "_UID": "998", "_PID": "9"}
SIDECAR = {"_SYSTEMD_UNIT": "mesh-proxy.service", "_UID": "999", "_PID": "10"}
KERNEL = {"_TRANSPORT": "kernel", "SYSLOG_IDENTIFIER": "kernel", "SYSLOG_FACILITY": "0"}
LINE = {
    "time": "2026-11-23T10:00:00.000Z", "cluster": "application_5432", "caller": None,
    "from": "192.0.2.9:4711", "flags": "-", "why": None, "failure": None,
}  # fmt: skip


def bridged(**differs: Any) -> dict[str, Any]:
    return {**BRIDGE, "MESSAGE": json.dumps({**LINE, **differs})}


def text(status: int, flags: str, why: str) -> dict[str, Any]:
    line = f'[2026-11-23T10:00:00.000Z] "GET /x HTTP/1.1" {status} {flags} {why} - "-" 0 19 0 -'
    return {**SIDECAR, "MESSAGE": line + ' "-" "curl/7.88.1" "id" "shop-api" "-" inbound|8080||'}


CORPUS: list[tuple[dict[str, Any], tuple[str, str] | None]] = [
    (
        {**SSHD, "MESSAGE": "Accepted publickey for ops from 192.0.2.1 port 5 ssh2: ED25519 x"},
        ("mesh_log_ssh_total", "accepted"),
    ),
    (
        {**SSHD, "MESSAGE": "Failed password for root from 192.0.2.1 port 5 ssh2"},
        ("mesh_log_ssh_total", "failed"),
    ),
    (
        {**SSHD, "MESSAGE": "Failed password for invalid user x from 192.0.2.1 port 5 ssh2"},
        ("mesh_log_ssh_total", "failed"),
    ),
    (
        {**SSHD, "MESSAGE": "Connection closed by invalid user x 192.0.2.1 port 5 [preauth]"},
        ("mesh_log_ssh_total", "given_up"),
    ),
    (
        {
            **SSHD,
            "MESSAGE": "Connection reset by authenticating user root 192.0.2.1 port 5",
        },
        ("mesh_log_ssh_total", "given_up"),
    ),
    ({**SSHD, "MESSAGE": "Invalid user x from 192.0.2.1 port 5"}, None),  # its end follows
    ({**SSHD, "MESSAGE": "Connection closed by 192.0.2.1 port 5"}, None),
    ({**SSHD, "MESSAGE": "Disconnected from user ops 192.0.2.1 port 5"}, None),
    # Anybody may use the name; journald says who it was.
    (
        {**SSHD, "_UID": "1000", "MESSAGE": "Failed password for root from 192.0.2.1 port 5 ssh2"},
        None,
    ),
    ({**SSHD, "MESSAGE": "subsystem request: Failed password for root"}, None),
    (
        {**SUDO, "MESSAGE": "     ops : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/usr/bin/id"},
        ("mesh_log_sudo_total", "run"),
    ),
    (
        {**SUDO, "MESSAGE": "    root : PWD=/ ; USER=root ; COMMAND=/usr/bin/true"},
        ("mesh_log_sudo_total", "run"),
    ),
    (
        {**SUDO, "MESSAGE": "     eve : user NOT in sudoers ; PWD=/ ; USER=root ; COMMAND=/bin/sh"},
        ("mesh_log_sudo_total", "refused"),
    ),
    (
        {
            **SUDO,
            "MESSAGE": " ops : 3 incorrect password attempts ; TTY=pts/0 ; PWD=/ ; USER=root ;"
            " COMMAND=/bin/sh",
        },
        ("mesh_log_sudo_total", "refused"),
    ),
    ({**SUDO, "MESSAGE": "pam_unix(sudo:session): session opened for user root(uid=0)"}, None),
    ({**SUDO, "_EXE": "/tmp/sudo", "MESSAGE": "x : TTY=1 ; PWD=/ ; USER=root ; COMMAND=/x"}, None),
    (
        {**PID1, "MESSAGE_ID": logs.UNIT_FAILED, "UNIT": "boom.service", "MESSAGE": "x"},
        ("mesh_log_unit_failures_total", "other"),
    ),
    (
        {**PID1, "MESSAGE_ID": logs.UNIT_FAILED, "UNIT": "mesh-proxy.service", "MESSAGE": "x"},
        ("mesh_log_unit_failures_total", "mesh-proxy.service"),
    ),
    (
        {**PID1, "MESSAGE_ID": logs.UNIT_RESTARTED, "UNIT": "mesh-bridge.service", "MESSAGE": "x"},
        ("mesh_log_unit_restarts_total", "mesh-bridge.service"),
    ),
    ({**SUDO, "MESSAGE_ID": logs.UNIT_FAILED, "UNIT": "mesh-proxy.service"}, None),
    (
        bridged(why="rbac_access_denied_matched_policy[none]"),
        ("mesh_log_proxy_refusals_total", "rbac"),
    ),
    (
        bridged(flags="UF", failure="TLS_error:|268435581:SSL routines:CERTIFICATE_VERIFY_FAILED"),
        ("mesh_log_proxy_refusals_total", "tls"),
    ),
    (bridged(flags="NR"), ("mesh_log_proxy_refusals_total", "no_route")),
    (bridged(flags="UF,URX", status=503), ("mesh_log_proxy_refusals_total", "upstream")),
    (bridged(status=404), None),  # the application's own word
    (
        text(403, "-", "rbac_access_denied_matched_policy[none]"),
        ("mesh_log_proxy_refusals_total", "rbac"),
    ),
    (
        text(503, "UF,URX", "upstream_reset_before_response_started"),
        ("mesh_log_proxy_refusals_total", "upstream"),
    ),
    (text(200, "-", "via_upstream"), None),
    ({**SIDECAR, "MESSAGE": "2026-11-23T21:42:48Z\tinfo\tEnvoy aborted normally"}, None),
    ({**BRIDGE, "MESSAGE": "{not json"}, None),
    (
        {**KERNEL, "MESSAGE": "Out of memory: Killed process 4711 (java) total-vm:1kB"},
        ("mesh_log_kernel_total", "oom"),
    ),
    (
        {**KERNEL, "MESSAGE": "blk_update_request: I/O error, dev sda, sector 1 op 0x0:(READ)"},
        ("mesh_log_kernel_total", "io"),
    ),
    (
        {**KERNEL, "MESSAGE": "x[1]: segfault at 0 ip 0 sp 0 error 4 in x"},
        ("mesh_log_kernel_total", "segfault"),
    ),
    (
        {**KERNEL, "MESSAGE": "INFO: task dd:1 blocked for more than 120 seconds."},
        ("mesh_log_kernel_total", "hung"),
    ),
    ({**KERNEL, "MESSAGE": "eth0: link becomes ready"}, None),
    # A program's words, by /dev/kmsg.
    ({**KERNEL, "SYSLOG_FACILITY": "3", "MESSAGE": "Out of memory: Killed process 4711"}, None),
    ({"_TRANSPORT": "kernel", "MESSAGE": "Out of memory: Killed process 4711"}, None),
    # Not UTF-8: journald writes numbers.
    (
        {
            **SSHD,
            "MESSAGE": list(b"Failed password for invalid user \xff from 192.0.2.1"),
        },
        ("mesh_log_ssh_total", "failed"),
    ),
    ({}, None),
]


@pytest.mark.parametrize(("entry", "found"), CORPUS)
def test_each_entry_counts_for_what_it_is(
    entry: dict[str, Any], found: tuple[str, str] | None
) -> None:
    assert logs.classify(entry) == found


def test_all_that_is_counted_is_shown_from_zero_on() -> None:
    shown = {(name, value) for name, _, values in logs.SERIES for value in values}
    assert {found for _, found in CORPUS if found} <= shown
    page = logs.render(Record(), 1.0)
    assert page.count(" 0\n") == len(shown) + 1  # and the gaps
    assert "mesh_log_timestamp_seconds 1\n" in page
    assert "# TYPE mesh_log_ssh_total counter\n" in page
    assert "# TYPE mesh_log_timestamp_seconds gauge\n" in page


@given(
    st.dictionaries(
        st.sampled_from(
            ["MESSAGE", "MESSAGE_ID", "UNIT", "_EXE", "_PID", "_UID", "SYSLOG_IDENTIFIER"]
        ),
        st.one_of(
            st.text(),
            st.none(),
            st.integers(),
            st.lists(st.integers()),
            st.lists(st.text()),
            st.sampled_from(["1", "0", "sshd", "/usr/bin/sudo", logs.UNIT_FAILED, "{}", "[]"]),
        ),
    )
)
def test_no_entry_makes_a_series_that_is_not_listed(entry: dict[str, Any]) -> None:
    found = logs.classify(entry)
    shown = {(name, value) for name, _, values in logs.SERIES for value in values}
    assert found is None or found in shown


@given(st.lists(st.binary()))
def test_what_is_no_entry_is_passed_over(lines: list[bytes]) -> None:
    assert all(isinstance(entry, dict) for entry in logs.parse(lines))


class Journal:
    """Entries with cursors; ``lost`` says that it cannot go on from any."""

    def __init__(self, messages: Iterable[str]) -> None:
        self.entries = [
            {**SSHD, "MESSAGE": message, "__CURSOR": "c%d" % number}
            for number, message in enumerate(messages)
        ]
        self.lost = False

    def __call__(self, cursor: str) -> Iterator[bytes]:
        if not cursor:
            chosen = self.entries[-1:]
        elif self.lost:
            raise CursorGone("Failed to seek to cursor")
        else:
            chosen = self.entries[int(cursor[1:]) + 1 :]
        for entry in chosen:
            yield json.dumps(entry).encode() + b"\n"


FAILED = "Failed password for root from 192.0.2.1 port 5 ssh2"


def shown(host: Host, series: str) -> int:
    (line,) = [x for x in (host.read(logs.PATH) or "").split("\n") if x.startswith(series)]
    return int(line.rsplit(" ", 1)[1])


def test_what_was_before_the_first_run_does_not_count_and_nothing_counts_twice(
    tmp_path: Path,
) -> None:
    host, journal = Host(str(tmp_path)), Journal([FAILED] * 3)
    series = 'mesh_log_ssh_total{result="failed"}'
    logs.main(host, journal)
    assert shown(host, series) == 0
    for number in range(2):
        journal.entries += [
            {**one, "__CURSOR": "c%d" % (3 + number)} for one in journal.entries[:1]
        ]
        logs.main(host, journal)
        logs.main(host, journal)
        assert shown(host, series) == number + 1


def test_a_run_that_was_killed_between_its_files_neither_loses_nor_doubles(tmp_path: Path) -> None:
    host, journal = Host(str(tmp_path)), Journal([FAILED])
    logs.main(host, journal)
    journal.entries += [{**journal.entries[0], "__CURSOR": "c1"}]
    write = host.write

    def killed(file: Any) -> None:
        if file.path == logs.PATH:
            raise KeyboardInterrupt
        write(file)

    host.write = killed  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        logs.main(host, journal)
    host.write = write  # type: ignore[method-assign]
    logs.main(host, journal)
    assert shown(host, 'mesh_log_ssh_total{result="failed"}') == 1


def test_a_place_that_is_lost_is_told_and_counting_goes_on(tmp_path: Path) -> None:
    host, journal = Host(str(tmp_path)), Journal([FAILED])
    logs.main(host, journal)
    journal.lost = True
    logs.main(host, journal)
    assert shown(host, "mesh_log_gaps_total") == 1
    journal.lost = False
    journal.entries += [{**journal.entries[0], "__CURSOR": "c1"}]
    logs.main(host, journal)
    assert shown(host, 'mesh_log_ssh_total{result="failed"}') == 1


def journalctl(folder: Path, monkeypatch: pytest.MonkeyPatch, at_cursor: str) -> None:
    """As Debian's behaves: at a cursor it shows the entry there, or the next there is."""
    program = folder / "journalctl"
    program.write_text(
        '#!/bin/sh\ncase "$*" in\n'
        f'*--after-cursor*) echo \'{{"__CURSOR": "c9"}}\';;\n'
        f"*--cursor*) printf '%s' '{at_cursor}';;\n"
        '*--lines=1*) echo \'{"__CURSOR": "c8"}\';;\nesac\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


def test_reading_goes_on_after_the_entry_that_was_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journalctl(tmp_path, monkeypatch, '{"__CURSOR": "c3"}')
    assert [one["__CURSOR"] for one in logs.parse(logs.journal("c3"))] == ["c9"]
    assert [one["__CURSOR"] for one in logs.parse(logs.journal(""))] == ["c8"]


@pytest.mark.parametrize("at_cursor", ['{"__CURSOR": "c5"}', ""])
def test_entries_that_were_vacuumed_are_a_gap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_cursor: str
) -> None:
    journalctl(tmp_path, monkeypatch, at_cursor)
    with pytest.raises(logs.CursorGone):
        list(logs.journal("c3"))


@pytest.mark.parametrize("text", ["", "{", "[]", '{"cursor": 1}', '{"counts": 1, "gaps": "x"}'])
def test_a_record_that_cannot_be_read_begins_anew(text: str) -> None:
    assert logs.read_record(text) == Record()


def test_a_million_lines_are_counted_in_batches() -> None:
    entry = {**SSHD, "MESSAGE": FAILED, "__CURSOR": "c"}
    kept = [
        dict(r.counts["mesh_log_ssh_total"])
        for r in logs.count((entry for _ in range(10**6)), Record())
    ]
    assert len(kept) == 10**6 // logs.BATCH + 1
    assert kept[-1] == {"failed": 10**6}
    assert kept[0] == {"failed": logs.BATCH}
