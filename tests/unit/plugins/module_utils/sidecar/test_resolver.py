# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Drop-ins that the machine itself decides on: its resolver, its systemd."""

from __future__ import annotations

import configparser

import pytest
from ansible_collections.brownfield.mesh.plugins.module_utils.sidecar import backoff, resolver

from tests.support.machine import Machine

STUB = "../run/systemd/resolve/stub-resolv.conf"


def apply(box: Machine, dns: str) -> int:
    changes = resolver.changes(box.host, dns)
    for change in changes:
        change.act()
    return len(changes)


@pytest.mark.parametrize(
    ("target", "dns", "files"),
    [
        (STUB, "names", 2),
        ("/run/systemd/resolve/stub-resolv.conf", "names", 2),
        ("/run/systemd/resolve/resolv.conf", "names", 0),
        ("", "names", 0),
        (STUB, "off", 0),
    ],
)
def test_resolved_is_told_only_where_it_resolves(
    box: Machine, target: str, dns: str, files: int
) -> None:
    if target:
        box.path("/etc/resolv.conf").symlink_to(target)
    else:
        box.path("/etc/resolv.conf").write_text("nameserver 192.0.2.53\n")
    assert apply(box, dns) == files
    assert apply(box, dns) == 0


def test_names_switched_off_take_the_files_away(box: Machine) -> None:
    box.path("/etc/resolv.conf").symlink_to(STUB)
    before = box.tree()
    apply(box, "names")
    assert apply(box, "off") == 2
    assert box.tree() == before


@pytest.mark.parametrize(("version", "there"), [("252", False), ("254", True), ("257", True)])
def test_growing_intervals_where_systemd_knows_them(
    box: Machine, version: str, there: bool
) -> None:
    box.outputs["systemctl --version"] = (0, "systemd %s (%s-1)\n" % (version, version))
    for change in backoff.changes(box.host):
        change.act()
    path = box.path(backoff.FILE.path)
    assert path.exists() is there
    assert backoff.changes(box.host) == []
    if there:
        parsed = configparser.ConfigParser()
        parsed.optionxform = str  # type: ignore[assignment,method-assign]
        parsed.read(path)
        assert dict(parsed["Service"]) == {"RestartSteps": "8", "RestartMaxDelaySec": "10s"}


def test_a_machine_without_systemctl_has_no_version(box: Machine) -> None:
    box.outputs["systemctl --version"] = (127, "")
    assert backoff.systemd_version(box.host) == 0
