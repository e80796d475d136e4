# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""What a bridge's machine is to look like: names, firewall, units, and what a change restarts."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.brownfield.mesh.plugins.module_utils.bridge import supervisor
from ansible_collections.brownfield.mesh.plugins.module_utils.bridge.state import (
    FIREWALL,
    SUPERVISOR,
    UNIT,
    UNITS,
    BridgeState,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.spec import (
    Call,
    Port,
    from_data,
    to_data,
)
from ansible_collections.brownfield.mesh.plugins.plugin_utils import bridge_state, bridge_units

from tests.support.bridge import BILLING, BRIDGE_FACTS, ENVOY, MACHINE, SPIFFE_ID
from tests.support.egress import BRIDGE, BRIDGED, EGRESS_ADDRESS, EGRESS_FACTS

STATE = bridge_state.render(MACHINE, BILLING, BRIDGE_FACTS, "the certificate")
FILES = {file.path: file for file in STATE.files.files}


def test_it_travels_as_data() -> None:
    assert from_data(BridgeState, json.loads(json.dumps(to_data(STATE)))) == STATE


def test_only_envoy_is_installed() -> None:
    assert STATE.artifacts == (ENVOY,)


def test_the_identity_is_the_workloads_and_its_roots_are_the_meshs() -> None:
    assert STATE.identity.spiffe_id == SPIFFE_ID
    assert STATE.identity.roots == BRIDGE_FACTS.root_certificate
    assert STATE.identity.certificate == "the certificate"


def test_names_resolve_as_they_are_written_and_in_full() -> None:
    names = {line.name: line.address for line in STATE.files.hosts}
    assert set(names) == {
        "shop-api.shop",
        "shop-api.shop.svc.cluster.local",
        "db.payments.svc",
        "db.payments.svc.cluster.local",
    }
    assert names["db.payments.svc"] == names["db.payments.svc.cluster.local"]
    listens = dict(listen.split(":") for listen in STATE.listens)
    assert set(names.values()) | {"192.0.2.77"} == set(listens)
    assert listens["192.0.2.77"] == "15443"


def test_names_outside_lead_to_the_bridge_unless_they_are_reached_directly() -> None:
    state = bridge_state.render(BRIDGE, BRIDGED, EGRESS_FACTS)
    names = {line.name: line.address for line in state.files.hosts}
    outside = {"api.partner.example": 80, "ledger.example": 5000, "www.example.org": 443}
    assert set(names) == {"shop-api.shop.svc.cluster.local", *outside}
    assert {"%s:%d" % (names[name], port) for name, port in outside.items()} < set(state.listens)
    assert EGRESS_ADDRESS in state.envoy.content


def test_names_are_left_alone_when_asked() -> None:
    machine = replace(MACHINE, mesh=replace(MACHINE.mesh, dns="off"))
    assert bridge_state.render(machine, BILLING, BRIDGE_FACTS).files.hosts == ()


def test_the_supervisor_comes_as_it_is() -> None:
    assert FILES[SUPERVISOR].content == Path(supervisor.__file__).read_text()


def test_envoys_configuration_carries_what_tells_it_from_others() -> None:
    assert json.loads(STATE.envoy.content)["node"]["metadata"] == {"digest": STATE.envoy_digest}


def test_an_allow_list_renews_envoy_and_leaves_the_unit_alone() -> None:
    shorter = replace(BILLING, callers=BILLING.callers[:1])
    other = bridge_state.render(MACHINE, shorter, BRIDGE_FACTS, "the certificate")
    assert other.envoy_digest != STATE.envoy_digest
    assert other.unit_digest == STATE.unit_digest


def test_another_envoy_renews_it() -> None:
    artifacts = (replace(ENVOY, sha256="f" * 64),)
    mesh = replace(MACHINE.mesh, proxy=replace(MACHINE.mesh.proxy, artifacts=artifacts))
    other = bridge_state.render(replace(MACHINE, mesh=mesh), BILLING, BRIDGE_FACTS)
    assert other.envoy_digest != STATE.envoy_digest
    assert other.unit_digest == STATE.unit_digest


def test_only_low_ports_bring_a_capability() -> None:
    assert "CAP_" not in FILES["%s/%s" % (UNITS, UNIT)].content
    low = replace(BILLING, calls=(Call(80, host="a.b", service_account="c"),))
    state = bridge_state.render(MACHINE, low, BRIDGE_FACTS)
    unit = {file.path: file.content for file in state.files.files}["%s/%s" % (UNITS, UNIT)]
    assert "AmbientCapabilities=CAP_NET_BIND_SERVICE\n" in unit
    assert "PrivateUsers=no\n" in unit
    assert state.unit_digest != STATE.unit_digest


def test_envoys_shared_memory_is_nobody_elses() -> None:
    unit = FILES["%s/%s" % (UNITS, UNIT)].content
    assert "\nTemporaryFileSystem=/dev/shm:mode=1777," in unit


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd-analyze")
def test_a_renewal_that_is_stopped_half_way_has_not_failed() -> None:
    # systemd calls it failed otherwise, and MeshRenewalFailing would tell of it.
    assert "SuccessExitStatus=SIGTERM\n" in bridge_units.identity(True)


@pytest.mark.parametrize(
    "text", [bridge_units.bridge("0", False), bridge_units.firewall(), bridge_units.identity(True)]
)
def test_systemd_takes_the_units_without_a_word(text: str, tmp_path: Path) -> None:
    unit = tmp_path / "mesh-test.service"
    # What is executed is on the machine, not here.
    lines = [
        "ExecStart=/bin/true" if line.startswith("ExecStart=") else line
        for line in text.splitlines()
    ]
    unit.write_text("\n".join(lines) + "\n")
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert [line for line in done.stderr.splitlines() if "mesh-test" in line] == []


def test_the_firewall_closes_what_is_served_and_nothing_else() -> None:
    mark, rules = bridge_state.firewall(BILLING)
    assert FILES[FIREWALL].content == rules
    assert STATE.firewall_mark == mark
    assert rules.count("tcp dport { 5432, 8080, 9000 } counter reject") == 1
    assert rules.count('comment "%s"' % mark) == 1
    assert "table inet" in rules  # both families
    other, _ = bridge_state.firewall(replace(BILLING, ports=(Port("http", 1),)))
    assert other != mark


def test_who_serves_nothing_has_an_empty_table() -> None:
    mark, rules = bridge_state.firewall(replace(BILLING, ports=()))
    assert mark == ""
    assert "reject" not in rules
