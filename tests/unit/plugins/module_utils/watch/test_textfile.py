# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""What a machine says of itself: exactly what is known, in a format that can be read back."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.brownfield.mesh.plugins.module_utils import last_run, observe
from ansible_collections.brownfield.mesh.plugins.module_utils.bridge import firewall
from ansible_collections.brownfield.mesh.plugins.module_utils.bridge import state as bridge_state
from ansible_collections.brownfield.mesh.plugins.module_utils.desired import Host
from ansible_collections.brownfield.mesh.plugins.module_utils.sidecar.state import (
    CAPTURE_UNIT,
    CERTIFICATE,
    PROXY_UNIT,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.watch import textfile
from ansible_collections.brownfield.mesh.plugins.module_utils.watch.textfile import Sample
from hypothesis import given
from hypothesis import strategies as st

from tests.support.machine import Machine, certificate

SPIFFE_ID = "spiffe://cluster.local/ns/payments/sa/payments-db"
LABELS = {"machine": "payments-db-1", "workload": "payments-db", "mode": "sidecar"}
STATS = (
    "cluster.xds-grpc.upstream_rq_active: 1\n"
    "cluster_manager.cds.update_rejected: 2\n"
    "listener_manager.lds.update_rejected: 1\n"
)
LINE = re.compile(r'([a-z_]+)(?:\{((?:[a-z_]+="(?:[^"\\\n]|\\.)*",?)*)\})? (-?[0-9.e+-]+)')
LABEL = re.compile(r'([a-z_]+)="((?:[^"\\\n]|\\.)*)"')


def read(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """The exposition format, read back strictly."""
    found = {}
    for line in text.split("\n"):
        if not line or line.startswith("# "):
            continue
        match = LINE.fullmatch(line)
        assert match, line
        labels = frozenset(
            (key, re.sub(r"\\(.)", lambda m: "\n" if m[1] == "n" else m[1], value))
            for key, value in LABEL.findall(match[2] or "")
        )
        found[match[1], labels] = float(match[3])
    return found


def plain(samples: list[Sample]) -> dict[str, float]:
    """Values by name, where there is one of each."""
    return {sample.name: float(sample.value) for sample in samples}


@pytest.fixture
def box(tmp_path: Path) -> Machine:
    """A machine that has joined."""
    made = Machine(tmp_path)
    made.path(CERTIFICATE).parent.mkdir(parents=True)
    made.path(CERTIFICATE).write_text(certificate(SPIFFE_ID, -3600, 7200))
    made._save({"active": [PROXY_UNIT, CAPTURE_UNIT], "guard": False, "rules": "nft"})
    return made


def collect(box: Machine, stats: str | None = STATS, ready: int = 200) -> list[Sample]:
    def get(port: int, path: str) -> tuple[int, str]:
        if port == observe.STATUS_PORT:
            return ready, ""
        return (0, "refused") if stats is None else (200, stats)

    versions = {"agent": "1.31", "envoy": "1.40.0"}
    return textfile.collect(box.host, LABELS, 1795416808.6, get, lambda: versions)


def test_a_healthy_machine(box: Machine) -> None:
    samples = collect(box)
    values = plain(samples)
    assert values["mesh_proxy_ready"] == 1
    assert values["mesh_control_plane_connected"] == 1
    assert values["mesh_configuration_rejected"] == 3
    assert values["mesh_capture_on"] == 1
    assert values["mesh_capture_unconfirmed"] == 0
    end, start = "mesh_certificate_not_after_seconds", "mesh_certificate_not_before_seconds"
    assert values[end] - values[start] == 10800
    info = next(dict(s.labels) for s in samples if s.name == "mesh_machine_info")
    assert info == {**LABELS, "agent": "1.31", "envoy": "1.40.0"}
    assert "mesh_state_timestamp_seconds 1795416808.6\n" in textfile.render(samples)


def test_what_is_not_known_is_missing_and_not_zero(box: Machine) -> None:
    box.path(CERTIFICATE).write_text("half a cert")
    values = plain(collect(box, None, 0))
    assert values["mesh_proxy_ready"] == 0
    assert not [name for name in values if "certificate" in name or "control_plane" in name]
    assert "mesh_configuration_rejected" not in values


def test_capture_that_is_gone(box: Machine) -> None:
    box._save({"active": [PROXY_UNIT, CAPTURE_UNIT], "guard": False, "rules": ""})
    assert plain(collect(box))["mesh_capture_on"] == 0


def test_failed_units_are_named_up_to_a_number(box: Machine) -> None:
    argv = "systemctl list-units --state=failed --plain --no-legend --no-pager"
    lines = "".join("unit-%02d.service loaded failed failed A unit\n" % n for n in range(50))
    box.outputs[argv] = (0, lines)
    units = [dict(s.labels)["unit"] for s in collect(box) if s.name == "mesh_unit_failed"]
    assert units == ["unit-%02d.service" % n for n in range(textfile.MAX_UNITS)]


def test_the_last_run_and_what_changed_since(box: Machine) -> None:
    """Nothing of it before a run has written it down; paths are named up to a number."""
    assert not [s for s in collect(box) if s.name.startswith(("mesh_run_", "mesh_drifted"))]
    left = {"/etc/gone-%02d" % number: "0644 0:0 sha256:0" for number in range(50)}
    record = {"began": 17, "finished": False, "left": left}
    box.path(last_run.RECORD).parent.mkdir(parents=True, exist_ok=True)
    box.path(last_run.RECORD).write_text(json.dumps(record))
    samples = collect(box)
    values = plain([sample for sample in samples if not sample.labels])
    assert (values["mesh_run_timestamp_seconds"], values["mesh_run_finished"]) == (17, 0)
    paths = [dict(s.labels)["path"] for s in samples if s.name == "mesh_drifted"]
    assert paths == sorted(left)[: textfile.MAX_PATHS]


def test_a_machine_that_watches_says_who_answers_in_plain(box: Machine) -> None:
    asked: list[str] = []

    def ask(targets: str) -> dict[str, bool]:
        asked.append(targets)
        return {"a": True, "b": False}

    samples = textfile.collect(
        box.host, LABELS, 1.0, lambda *_: (0, ""), lambda: {"agent": "", "envoy": ""}, ask
    )
    found = {dict(s.labels)["peer"]: s.value for s in samples if s.name == "mesh_plaintext_open"}
    assert (asked, found) == (["[]"], {"a": True, "b": False})


def test_every_metric_has_its_help(box: Machine) -> None:
    text = textfile.render(collect(box))
    for sample in collect(box):
        assert text.count("# TYPE %s gauge\n" % sample.name) == 1


@given(st.text(), st.floats(allow_nan=False, allow_infinity=False))
def test_any_label_comes_back_as_it_was(value: str, number: float) -> None:
    text = textfile.render([Sample("mesh_unit_failed", number, [("unit", value)])])
    wanted = value.encode("utf-8", "replace").decode()
    assert read(text) == {("mesh_unit_failed", frozenset([("unit", wanted)])): number}


def test_the_file_is_written_whole_for_all_to_read(box: Machine, monkeypatch: Any) -> None:
    monkeypatch.setattr(observe, "get", lambda *_: (0, ""))
    textfile.main(box.host)
    file = box.path(textfile.PATH)
    assert file.stat().st_mode & 0o777 == 0o644
    assert [entry.name for entry in file.parent.iterdir()] == ["mesh.prom"]
    assert read(file.read_text())


BRIDGE = {**LABELS, "mode": "bridge"}
MARKED = 'tcp dport { 5432 } counter reject comment "of ours 1234"\n'


def of_bridge(box: Machine, loaded: str = MARKED, live: int = 1) -> dict[str, float]:
    box.path(bridge_state.CERTIFICATE).parent.mkdir(parents=True)
    box.path(bridge_state.CERTIFICATE).write_text(certificate(SPIFFE_ID, -3600, 7200))
    box.path(bridge_state.FIREWALL).parent.mkdir(parents=True)
    box.path(bridge_state.FIREWALL).write_text(MARKED)
    stats = "server.live: %d\nlistener_manager.total_listeners_warming: 0\n" % live
    answers = {"/stats": stats, "/server_info": ""}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(firewall, "rules", lambda host: loaded)
        units = {bridge_state.UNIT, bridge_state.FIREWALL_UNIT}
        patch.setattr(Host, "succeeds", lambda host, argv: bool(units & set(argv)))
        found = textfile.collect(box.host, BRIDGE, 1.0, administration=answers.__getitem__)
    return plain(found)


def test_a_healthy_bridge(box: Machine) -> None:
    values = of_bridge(box)
    assert values["mesh_proxy_ready"] == values["mesh_application_closed"] == 1
    assert values["mesh_certificate_not_after_seconds"]
    assert "mesh_capture_on" not in values
    assert "mesh_control_plane_connected" not in values


def test_an_open_application_behind_a_bridge_is_told(box: Machine) -> None:
    assert of_bridge(box, loaded="")["mesh_application_closed"] == 0


def test_other_rules_than_the_files_are_not_ours(box: Machine) -> None:
    loaded = MARKED.replace("1234", "5678")
    assert of_bridge(box, loaded=loaded)["mesh_application_closed"] == 0


def test_a_bridge_that_does_not_serve_is_not_ready(box: Machine) -> None:
    assert of_bridge(box, live=0)["mesh_proxy_ready"] == 0
