# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Everything that a first join brings to a machine: as reviewed, and read by whom it is for."""

from __future__ import annotations

import os
import re
import subprocess
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import pytest
from ansible_collections.brownfield.mesh.plugins.module_utils import desired
from ansible_collections.brownfield.mesh.plugins.module_utils.sidecar import (
    backoff,
    capture,
    resolver,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.sidecar.state import (
    CAPTURE_ENV,
    CAPTURE_UNIT,
    CONFIG,
    PROXY_UNIT,
    STATE,
    UNITS,
    USER,
    WRITABLE,
    SidecarState,
)
from ansible_collections.brownfield.mesh.plugins.plugin_utils.units import PIPED

from tests.support.environment import by_shell, by_systemd
from tests.support.machine import Machine
from tests.support.sidecar import CASES, described, wanted

GOLDEN = Path(__file__).parents[3] / "golden" / "sidecar"
# What is no file's content: users, folders, links.
REST = "/machine.txt"
# Ten times systemd's score. Who writes rules is root with two capabilities.
EXPOSURE = {PROXY_UNIT: 15, CAPTURE_UNIT: 31}
Unit = dict[str, dict[str, list[str]]]


@dataclass(frozen=True)
class Brought:
    """A case's state, and what a fresh machine lacks of it: path to content."""

    state: SidecarState
    files: dict[str, str]

    def unit(self, name: str) -> Unit:
        """The unit parsed: section, key, values in their order."""
        found: Unit = {}
        section = ""
        for line in self.files["%s/%s" % (UNITS, name)].splitlines():
            heading = re.fullmatch(r"\[(\w+)\]", line)
            if heading:
                section = heading[1]
                found[section] = defaultdict(list)
            elif line:
                key, value = line.split("=", 1)
                found[section][key].append(value)
        return found


@pytest.fixture(params=sorted(CASES))
def name(request: pytest.FixtureRequest) -> str:
    """A case's name."""
    return str(request.param)


@pytest.fixture
def brought(name: str, tmp_path: Path) -> Brought:
    """What the case's machine gets. The one called ``http`` is newer, and has systemd-resolved."""
    box = Machine(tmp_path)
    if name == "http":
        box.path("/etc/resolv.conf").symlink_to("../run/systemd/resolve/stub-resolv.conf")
        box.outputs["systemctl --version"] = (0, "systemd 257 (257.8-1~deb13u2)\n")
    state = CASES[name].render()
    changes = desired.compare(box.host, state.files) + backoff.changes(box.host)
    changes += resolver.changes(box.host, state.dns)
    changes += capture.settings(box.host, capture.environment(box.host, state))
    links = {link.path for link in state.files.links}
    files, rest = {}, []
    for change in changes:
        if change.what in links or not change.what.startswith("/") or "directory" in change.after:
            rest.append("%s: %s" % (change.what, change.after))
        else:
            files[change.what] = change.after
    return Brought(state, {**files, REST: "".join(rest)})


def test_golden(name: str, brought: Brought) -> None:
    """UPDATE_GOLDEN=1 writes them anew: review the difference."""
    folder = GOLDEN / name
    if os.environ.get("UPDATE_GOLDEN"):
        for path, content in brought.files.items():
            (folder / path[1:]).parent.mkdir(parents=True, exist_ok=True)
            (folder / path[1:]).write_text(content)
    expected = {
        "/" + str(path.relative_to(folder)): path.read_text()
        for path in folder.rglob("*")
        if path.is_file()
    }
    assert brought.files == expected


def test_the_files_say_what_the_specification_says(name: str, brought: Brought) -> None:
    said = described(brought.files, brought.files[CAPTURE_ENV], by_shell)
    assert said == wanted(CASES[name])


def test_systemd_reads_what_a_shell_reads(brought: Brought, tmp_path: Path) -> None:
    for path in (CONFIG + "/cluster.env", CAPTURE_ENV):
        text = brought.files[path]
        assert by_systemd(text, tmp_path / "parsed") == by_shell(text)


def test_systemd_has_nothing_to_say_of_units_and_drop_ins(brought: Brought, tmp_path: Path) -> None:
    version = backoff.systemd_version(desired.Host())
    for path, content in brought.files.items():
        known = path != backoff.FILE.path or version >= backoff.SYSTEMD_WITH_STEPS
        if path.startswith(UNITS) and known:
            file = tmp_path / path.removeprefix(UNITS + "/")
            file.parent.mkdir(parents=True, exist_ok=True)
            # Whether the machine has the agent is not the question here.
            file.write_text(content.replace(brought.state.agent, "/bin/true"))
    for unit, threshold in EXPOSURE.items():
        for arguments in (
            ["verify", "--man=no", str(tmp_path / unit)],
            ["security", "--offline=true", "--threshold=%d" % threshold, str(tmp_path / unit)],
        ):
            done = subprocess.run(
                ["systemd-analyze", "--no-pager", *arguments],
                env={**os.environ, "SYSTEMD_UNIT_PATH": "%s:" % tmp_path},
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            assert (done.returncode, done.stderr) == (0, ""), done.stdout[-300:]


def test_the_proxys_unit_names_what_is_there(name: str, brought: Brought) -> None:
    service = brought.unit(PROXY_UNIT)["Service"]
    case = CASES[name]
    template = (
        "/var/lib/istio/envoy/envoy_bootstrap_tmpl.json"
        if case.machine.mesh.proxy.package == "deb"
        else "/opt/mesh-proxy/envoy_bootstrap_tmpl.json"
    )
    assert service["ExecStart"] == [
        "%s %s proxy sidecar --domain %s.svc.cluster.local --meshConfig %s/mesh.yaml"
        " --templateFile %s --proxyLogLevel warning"
        % (" ".join(PIPED), brought.state.agent, case.workload.namespace, CONFIG, template)
    ]
    assert service["User"] == service["Group"] == [USER] == [brought.state.files.user.name]
    assert service["EnvironmentFile"] == [CONFIG + "/cluster.env"]
    assert service["Environment"] == ["MESH_PROXY_DIGEST=" + brought.state.digest]
    assert service["WorkingDirectory"] == [STATE]
    assert service["ReadWritePaths"] == [" ".join(WRITABLE)]
    folders = {folder.path: folder for folder in brought.state.files.directories}
    assert STATE in folders
    assert all((folders[path].owner, folders[path].mode) == (USER, 0o700) for path in WRITABLE)
    assert all(folders[path].owner == "root" for path in set(folders) - set(WRITABLE))


def test_capture_is_switched_by_istios_tool_alone(brought: Brought) -> None:
    service = brought.unit(CAPTURE_UNIT)["Service"]
    assert service["EnvironmentFile"] == [CAPTURE_ENV]
    assert service["ExecStart"] == [brought.state.agent + " istio-iptables"]
    off = [brought.state.agent + " istio-iptables --cleanup-only"]
    assert service["ExecStop"] == off
    *lent, before = service["ExecStartPre"]
    assert [before] == off
    # What the tool is lent to see goes again, whether it succeeds or not.
    taken = [line.replace(" add ", " del ") for line in lent]
    assert len(taken) == 2
    assert service["ExecStartPost"][1:] == taken
    assert service["ExecStopPost"][:2] == taken


def test_istiods_name_is_the_machines_last_word_in_hosts(name: str, brought: Brought) -> None:
    facts = CASES[name].facts
    *before, line = brought.files["/etc/hosts"].splitlines()
    assert before == ["127.0.0.1 localhost"]
    assert line.split("#")[0].split() == [facts.istiod_address, facts.istiod_host]


def test_nothing_is_secret_and_nothing_is_writable_by_others(brought: Brought) -> None:
    for file in brought.state.files.files:
        assert (file.mode, file.owner, file.group, file.secret) == (0o644, "root", "root", False)
    assert all("PRIVATE KEY" not in content for content in brought.files.values())


def test_the_resolver_is_told_only_where_it_runs(name: str, brought: Brought) -> None:
    told = {file.path: file.content for file in resolver.FILES}
    found = {path: text for path, text in brought.files.items() if path in told}
    assert found == (told if name == "http" else {})
    assert ("CAPTURE_ALL_DNS" in by_shell(brought.files[CAPTURE_ENV])) is (name == "http")
