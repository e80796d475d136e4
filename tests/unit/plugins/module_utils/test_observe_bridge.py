# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""The look at a bridge: what it says of a machine that is right, and of each thing that is not."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.brownfield.mesh.plugins.module_utils import crl, observe_bridge
from ansible_collections.brownfield.mesh.plugins.module_utils.bridge.state import KEY
from ansible_collections.brownfield.mesh.plugins.module_utils.desired import Host
from ansible_collections.brownfield.mesh.plugins.module_utils.observe_bridge import (
    check_revocation,
    observe,
    statistics,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.spec import Call, Identity, Machine
from ansible_collections.brownfield.mesh.plugins.plugin_utils import bridge_state

from tests.support.bridge import BILLING, MACHINE, SPIFFE_ID, issue, revocation_list
from tests.support.egress import BRIDGE, BRIDGED, SFTP, WEB

UNITS = """\
Id=mesh-bridge.service
ActiveState=active
User=mesh-bridge
NoNewPrivileges=yes
ExecMainStartTimestampMonotonic=4242

Id=mesh-bridge-firewall.service
ActiveState=active
"""
STATS = """\
server.live: 1
listener_manager.total_listeners_warming: 0
http.inward.rbac.allowed: 5
http.inward.rbac.denied: 2
tcp.rbac.allowed: 7
tcp.rbac.denied: 1
listener.inward.ssl.fail_verify_san: 3
listener.inward.no_filter_chain_match: 4
"""
_, RULES = bridge_state.firewall(BILLING)
LISTED = RULES.replace("counter reject", "counter packets 6 bytes 360 reject")


class Look:
    """A machine that is right, until a test changes what it says."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.answers = {"systemctl": UNITS, "nft": LISTED, "systemd-analyze": "exposure level for"
                        " mesh-bridge.service: 1.1 OK"}  # fmt: skip
        self.stats = STATS
        certificate = {
            "subject_alt_names": [{"uri": SPIFFE_ID}],
            "valid_from": "2020-01-01T00:00:00Z",
            "expiration_time": "2120-01-01T00:00:00Z",
        }
        self.certificate: dict[str, Any] = certificate
        key = root / KEY.lstrip("/")
        key.parent.mkdir(parents=True)
        key.touch(0o600)
        ports = "".join(" 0: 00000000:%04X 0:0 0A\n" % port.port for port in BILLING.ports)
        (root / "proc/net").mkdir(parents=True)
        (root / "proc/net/tcp").write_text("sl\n" + ports)

    def run(self, argv: Sequence[str]) -> tuple[int, str, str]:
        return 0, self.answers[argv[0]], ""

    def ask(self, path: str) -> str:
        if path == "/stats":
            return self.stats
        return json.dumps({"certificates": [{"cert_chain": [self.certificate]}]})

    def looked(self, machine: Machine = MACHINE) -> dict[str, Any]:
        return observe(machine, BILLING, Host(str(self.root) + "/", self.run), self.ask)

    def failed(self) -> list[str]:
        return [item["id"] for item in self.looked()["checks"] if not item["passed"]]


@pytest.fixture
def look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Look:
    monkeypatch.setattr(observe_bridge, "HANDOVER_SECONDS", 0.1)
    monkeypatch.setattr(observe_bridge, "MERGE_SECONDS", 0.01)
    return Look(tmp_path)


def test_a_machine_that_is_right(look: Look) -> None:
    assert look.failed() == []
    seen = look.looked()
    assert len(seen["checks"]) == 11
    assert seen["certificate"]["spiffe_id"] == SPIFFE_ID
    assert seen["listening"] == [5432, 8080, 9000]
    assert seen["counters"] == {
        "started": 4242,
        "rbac_allowed_http/http.inward.rbac.allowed": 5,
        "rbac_denied_http/http.inward.rbac.denied": 2,
        "rbac_allowed_tcp/tcp.rbac.allowed": 7,
        "rbac_denied_tcp/tcp.rbac.denied": 1,
        "rbac_denied_tcp/listener.inward.ssl.fail_verify_san": 3,
        "no_filter_chain_match": 4,
        "firewall_rejected": 6,
    }


def test_a_bridge_that_does_not_answer(look: Look) -> None:
    look.stats = ""
    assert look.failed() == ["billing-1/proxy/serving"]
    assert look.looked()["counters"] is None


def test_a_bridge_that_answers_after_a_moment(look: Look) -> None:
    """A hot restart takes the administration over."""
    answers = ["", "", STATS]
    assert statistics(lambda path: answers.pop(0) if path == "/stats" else "") is not None
    assert answers == []


def test_what_an_old_process_has_counted_is_waited_for(look: Look) -> None:
    answers = [STATS + "server.parent_connections: 2\n", STATS.replace("allowed: 5", "allowed: 6")]
    values = statistics(lambda path: answers.pop(0))
    assert values is not None
    assert values["http.inward.rbac.allowed"] == 6


@pytest.mark.parametrize(
    ("command", "old", "new", "failed"),
    [
        (
            "systemctl",
            "ActiveState=active\nUser",
            "ActiveState=failed\nUser",
            "unit/mesh-bridge.service",
        ),
        ("systemctl", "User=mesh-bridge", "User=root", "sandbox/properties"),
        ("systemd-analyze", "1.1", "1.6", "sandbox/exposure"),
        ("nft", ", 9000", "", "firewall/rules"),
        ("nft", LISTED, "", "firewall/rules"),
    ],
)
def test_what_is_not_right_is_found(
    look: Look, command: str, old: str, new: str, failed: str
) -> None:
    look.answers[command] = look.answers[command].replace(old, new)
    assert look.failed() == ["billing-1/" + failed]


def test_a_key_that_others_may_read(look: Look) -> None:
    (look.root / KEY.lstrip("/")).chmod(0o640)
    assert look.failed() == ["billing-1/identity/key"]


def test_an_identity_of_another(look: Look) -> None:
    look.certificate["subject_alt_names"] = [{"uri": SPIFFE_ID + "x"}]
    assert look.failed() == ["billing-1/identity/certificate"]


def test_a_certificate_that_nothing_uses_is_not_missed(look: Look) -> None:
    def judged(*calls: Call) -> bool:
        workload = replace(BRIDGED, calls=calls)
        seen = observe(BRIDGE, workload, Host(str(look.root) + "/", look.run), look.ask)
        return any(item["id"].endswith("identity/certificate") for item in seen["checks"])

    assert judged(Call(WEB.port, external=WEB.host))
    assert not judged(Call(SFTP.port, external=SFTP.host))


def test_listeners_that_wait_for_a_certificate(look: Look) -> None:
    look.stats = STATS.replace("warming: 0", "warming: 2")
    assert look.failed() == ["billing-1/proxy/serving"]


@pytest.mark.parametrize(
    ("timer", "service", "failed"),
    [
        ("active", "inactive", []),
        ("active", "activating", []),
        ("active", "failed", ["identity/renewal"]),
        ("inactive", "inactive", ["unit/mesh-identity.timer"]),
    ],
)
def test_the_renewal_runs_and_went_well(
    look: Look, timer: str, service: str, failed: list[str]
) -> None:
    machine = replace(MACHINE, mesh=replace(MACHINE.mesh, identity=Identity("vault")))
    states = (("mesh-identity.timer", timer), ("mesh-identity.service", service))
    look.answers["systemctl"] += "".join("\nId=%s\nActiveState=%s\n" % pair for pair in states)
    found = [item["id"] for item in look.looked(machine)["checks"] if not item["passed"]]
    assert [name.split("/", 1)[1] for name in found] == failed
    assert "renewal" not in json.dumps(look.looked())


def test_lists_in_use_are_shown_and_one_that_is_over_is_found() -> None:
    authority = issue(authority=True)
    lists = crl.read(revocation_list(authority, number=3))
    found = check_revocation("billing-1", lists[0].pem, lists[0].ends - 1)
    assert found.passed
    assert "the list 3 of authority" in found.seen
    assert not check_revocation("billing-1", lists[0].pem, lists[0].ends + 1).passed
    for text in ("", "rubbish", "-----BEGIN X509 CRL-----"):
        assert not check_revocation("billing-1", text, 0).passed
