# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""What a machine runs to be watched: on loopback, in a sandbox, with the collectors chosen."""

from __future__ import annotations

import dataclasses
import json
import subprocess
from pathlib import Path

import pytest
import yaml
from ansible_collections.brownfield.mesh.plugins.module_utils.reachability import Case
from ansible_collections.brownfield.mesh.plugins.module_utils.spec import (
    Artifact,
    Machine,
    Vantage,
    from_data,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.watch.prober import Probes
from ansible_collections.brownfield.mesh.plugins.module_utils.watch.ship import Loki
from ansible_collections.brownfield.mesh.plugins.module_utils.watch.state import (
    EXPORTER_UNIT,
    LOGS_UNIT,
    LOKI_FILE,
    MACHINE_FILE,
    PROBE_TIMER,
    PROBE_UNIT,
    PROBES_FILE,
    STATE_UNIT,
    Installation,
    Pair,
    Unit,
)
from ansible_collections.brownfield.mesh.plugins.plugin_utils.monitoring import exporter

from tests.support.fleet import PAYMENTS_DB

MACHINE = Machine('db "1"', PAYMENTS_DB.key, "192.0.2.13")
ARTIFACT = Artifact("node_exporter", "a" * 64, url="https://mirror.example/x.deb")
# systemd's score, ten times: it may not get worse.
EXPOSURE = {EXPORTER_UNIT: 14, STATE_UNIT: 28, PROBE_UNIT: 28, LOGS_UNIT: 28}
CASE = Case("a -> b:1 by name", "a", "b", "b.x.svc", "", 1, "http", "name", "refused", "rbac")
PROBES = Probes(60, 32, (CASE,))
STATE = exporter.render(MACHINE, PAYMENTS_DB, [ARTIFACT], ["cpu", "filesystem"], 30, PROBES)
UNITS = {unit.name: unit for unit in STATE.units}
VANTAGE = exporter.render_vantage(
    Vantage("o", "192.0.2.15"), [ARTIFACT], ["cpu"], PROBES, ["two\n", "one\n"]
)


def test_it_listens_on_loopback_only_with_the_chosen_collectors() -> None:
    (line,) = [x for x in UNITS[EXPORTER_UNIT].content.split("\n") if x.startswith("ExecStart=")]
    assert "--web.listen-address=127.0.0.1:19100" in line
    assert "--collector.disable-defaults" in line
    assert [w for w in line.split() if w.count(".") == 1 and w.startswith("--collector.")][1:] == [
        "--collector.cpu",
        "--collector.filesystem",
        "--collector.textfile",
        "--collector.time",
    ]


def test_the_machine_file_is_json_whatever_the_name() -> None:
    (file,) = [file for file in STATE.files if file.path == MACHINE_FILE]
    assert json.loads(file.content)["machine"] == 'db "1"'


def test_another_archive_or_collector_means_a_restart() -> None:
    other = Artifact("node_exporter", "b" * 64, url="https://mirror.example/x.deb")
    for changed in (
        exporter.render(MACHINE, PAYMENTS_DB, [other], ["cpu", "filesystem"], 30, PROBES),
        exporter.render(MACHINE, PAYMENTS_DB, [ARTIFACT], ["cpu"], 30, PROBES),
    ):
        assert changed.units[0].digest != STATE.units[0].digest
        assert changed.units[1].digest == STATE.units[1].digest


def test_a_collector_that_is_no_name_is_refused() -> None:
    with pytest.raises(ValueError, match="mesh_node_exporter_collectors"):
        exporter.render(
            MACHINE, PAYMENTS_DB, [ARTIFACT], ["cpu --web.listen-address=:1"], 30, PROBES
        )


@pytest.mark.parametrize(
    ("state", "name"),
    [(state, unit.name) for state in (STATE, VANTAGE) for unit in state.units],
)
def test_systemd_knows_every_key(tmp_path: Path, state: Installation, name: str) -> None:
    for unit in state.units:
        # The programs are not on this host.
        content = unit.content.replace("/opt/mesh-watch/bin/node_exporter", "/bin/true")
        (tmp_path / unit.name).write_text(content)
    argv = ["systemd-analyze", "verify", "--man=no", str(tmp_path / name)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60)
    assert str(tmp_path) not in done.stderr and name not in done.stderr


@pytest.mark.parametrize(
    ("unit", "most"),
    [
        (unit, EXPOSURE[unit.name])
        for unit in (*STATE.units, *VANTAGE.units)
        if unit.name in EXPOSURE
    ],
)
def test_the_sandbox_is_as_tight_as_it_was(tmp_path: Path, unit: Unit, most: int) -> None:
    name = unit.name
    (tmp_path / name).write_text(unit.content)
    argv = ["systemd-analyze", "security", "--offline=true", "--threshold=%d" % most, "--no-pager"]
    done = subprocess.run([*argv, str(tmp_path / name)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout[-300:]


def _rendered(probes: Probes) -> exporter.Installation:
    return exporter.render(MACHINE, PAYMENTS_DB, [ARTIFACT], ["cpu", "filesystem"], 30, probes)


def test_the_prober_reads_the_cases_that_were_given() -> None:
    (file,) = [file for file in STATE.files if file.path == PROBES_FILE]
    assert from_data(Probes, json.loads(file.content)) == PROBES
    assert file.mode == 0o600


def test_other_cases_mean_a_new_round_and_nothing_else() -> None:
    changed = _rendered(dataclasses.replace(PROBES, cases=()))
    assert [unit.name for unit in changed.units if unit.digest != UNITS[unit.name].digest] == [
        PROBE_UNIT
    ]
    assert "RandomizedDelaySec=15000ms" in UNITS[PROBE_TIMER].content


@pytest.mark.parametrize("name", [STATE_UNIT, LOGS_UNIT, PROBE_UNIT])
def test_who_stops_a_service_half_way_raises_no_alarm(name: str) -> None:
    # systemd calls a oneshot that was stopped failed, and MeshUnitFailed would tell of it.
    assert "SuccessExitStatus=SIGTERM\n" in UNITS[name].content


def test_every_wrong_number_is_named_at_once() -> None:
    with pytest.raises(ValueError, match=r"probe_seconds.*probe_cases"):
        _rendered(Probes(0, 0, ()))


def shipping(loki: Loki) -> tuple[str, bool, str]:
    """The unit that reads the journal, whether Loki's file is secret, and everything else."""
    state = exporter.render(MACHINE, PAYMENTS_DB, [ARTIFACT], [], 30, PROBES, loki)
    (unit,) = [unit.content for unit in state.units if unit.name == LOGS_UNIT]
    (file,) = [file for file in state.files if file.path == LOKI_FILE]
    others = [one for one in state.files if one.path != LOKI_FILE]
    return unit, file.secret and file.mode == 0o600, repr(others) + repr(state.units)


def test_the_journal_is_sent_only_where_it_is_wanted() -> None:
    assert "watch.ship" not in UNITS[LOGS_UNIT].content
    assert LOKI_FILE in STATE.gone
    unit, is_secret, others = shipping(Loki("https://loki.example", username="a", password="zq7x"))
    # Counting does not depend on Loki: it comes first.
    assert unit.index("watch.logs") < unit.index("watch.ship")
    assert is_secret and "zq7x" not in others


@pytest.mark.parametrize(
    ("loki", "words"),
    [
        (Loki("loki.example"), "url is none"),
        (Loki("http://loki.example", username="a", password="zq7x"), "in plain"),
        (Loki("https://loki.example", password="zq7x"), "without a username"),
        (Loki("https://a:zq7x@loki.example"), "holds a user"),
    ],
)
def test_a_loki_that_cannot_be_asked_so_is_refused(loki: Loki, words: str) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        shipping(loki)
    assert "zq7x" not in str(caught.value)


def test_a_vantage_demands_a_certificate_of_whoever_asks() -> None:
    files = {file.path: file.content for file in VANTAGE.files}
    tls = yaml.safe_load(files[exporter.WEB_FILE])["tls_server_config"]
    assert tls["client_auth_type"] == "RequireAndVerifyClientCert"
    assert files[tls["client_ca_file"]] == "one\ntwo\n"
    (unit,) = [unit for unit in VANTAGE.units if unit.name == EXPORTER_UNIT]
    assert "--web.config.file=/etc/mesh-watch/web.yml" in unit.content
    assert "LoadCredential=key:/etc/mesh-watch/vantage.key" in unit.content
    assert tls["key_file"] == "/run/credentials/mesh-node-exporter.service/key"
    assert VANTAGE.pair == Pair(
        "/etc/mesh-watch/vantage.key", "/etc/mesh-watch/vantage.crt", "192.0.2.15"
    )


def test_a_vantage_has_nothing_that_asks_for_a_proxy() -> None:
    names = [unit.name for unit in VANTAGE.units]
    assert names == [EXPORTER_UNIT, PROBE_UNIT, PROBE_TIMER]
    assert MACHINE_FILE not in [file.path for file in VANTAGE.files]
