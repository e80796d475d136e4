# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""The renewal on a machine: joining, another place for keys, another provider, leaving."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.brownfield.mesh.plugins.module_utils import carry
from ansible_collections.brownfield.mesh.plugins.module_utils.bridge import (
    authority,
    credentials,
    join,
    leave,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.bridge.authority import Login
from ansible_collections.brownfield.mesh.plugins.module_utils.bridge.join import Supply
from ansible_collections.brownfield.mesh.plugins.module_utils.bridge.state import (
    CERTIFICATE,
    IDENTITIES,
    IDENTITY_TIMER,
    IDENTITY_UNIT,
    LIBRARY,
    MEMORY,
    MEMORY_FILE,
    TOKEN,
    UNIT,
    UNITS,
    Authority,
    BridgeState,
    WantedIdentity,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.desired import (
    File,
    Host,
    MachineError,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.spec import Identity, Vault
from ansible_collections.brownfield.mesh.plugins.plugin_utils import bridge_state
from cryptography import x509

from tests.support.bridge import BILLING, BRIDGE_FACTS, MACHINE, SPIFFE_ID, Box, issue, pem
from tests.unit.plugins.module_utils.bridge.conftest import ROOT

Render = Callable[..., BridgeState]
VAULT = Vault("https://vault.example:8200", "ca.pem", "machine", "billing")


@pytest.fixture
def want(box: Box, render: Render) -> Render:
    """The state of billing-1 with Vault as its authority; what is given differs from VAULT."""

    def made(**more: Any) -> BridgeState:
        artifacts = render().artifacts
        mesh = replace(
            MACHINE.mesh,
            identity=Identity("vault", lifetime="1h", vault=replace(VAULT, **more)),
            proxy=replace(MACHINE.mesh.proxy, artifacts=artifacts),
        )
        machine = replace(MACHINE, address="127.0.0.1", mesh=mesh)
        facts = replace(BRIDGE_FACTS, root_certificate=pem(ROOT.certificate))
        state = bridge_state.render(machine, BILLING, facts, ca=pem(ROOT.certificate))
        # The machine is a folder, out of which an absolute link would lead.
        links = tuple(
            replace(link, target=str(box.path(MEMORY))) if link.target == MEMORY else link
            for link in state.files.links
        )
        return replace(state, files=replace(state.files, links=links))

    return made


@pytest.fixture(autouse=True)
def log_ins(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A Vault that takes every log-in and signs; what it was asked with."""
    found: list[str] = []

    def issued(host: Host, wanted: WantedIdentity, login: Login) -> None:
        found.append(login.wrapping_token)
        if login.wrapping_token:
            host.write(File(TOKEN, "token", 0o600))
        asked = x509.load_pem_x509_csr(credentials.request(host, wanted).encode())
        made = issue(ROOT, SPIFFE_ID)
        signed = pem(
            x509.CertificateBuilder()
            .subject_name(x509.Name([]))
            .issuer_name(ROOT.certificate.subject)
            .public_key(asked.public_key())
            .serial_number(made.certificate.serial_number)
            .not_valid_before(made.certificate.not_valid_before_utc)
            .not_valid_after(made.certificate.not_valid_after_utc)
            .add_extension(
                x509.SubjectAlternativeName([x509.UniformResourceIdentifier(SPIFFE_ID)]), True
            )
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(ROOT.key.public_key()), False
            )
            .sign(ROOT.key, made.certificate.signature_hash_algorithm)
        )
        credentials.install(host, wanted, signed, "")

    monkeypatch.setattr(authority, "issue", issued)
    monkeypatch.setattr(authority, "logged_out", lambda host, asked: False)
    return found


def supply(pushed: dict[str, str], token: str = "wrapped") -> Supply:
    return Supply(pushed=pushed, login=Login("role-id", token))


def test_a_fresh_machine_asks_for_its_first_log_in(box: Box, want: Render) -> None:
    before = box.tree()
    result = join.join(box.host, want(), Supply(), False)
    assert "identity" in result["needs"]
    assert "csr" not in result
    assert box.tree() == before


def test_by_jwt_it_needs_nothing_from_the_controller(
    box: Box, want: Render, pushed: dict[str, str], log_ins: list[str]
) -> None:
    state = want(login="jwt", jwt_path="/var/lib/platform")
    with pytest.raises(MachineError, match=r"no token at /var/lib/platform; .*jwt_path"):
        join.join(box.host, state, Supply(pushed=pushed), False)
    box.path("/var/lib/platform").write_text("token")
    result = join.join(box.host, state, Supply(pushed=pushed), False)
    assert (result["changed"], result["needs"]) == (True, [])
    assert result["checks"]["identity_valid"]
    assert log_ins == [""]


@pytest.mark.parametrize("storage", ["memory", "disk"])
def test_joining_brings_the_renewal_and_then_nothing(
    box: Box, want: Render, pushed: dict[str, str], log_ins: list[str], storage: str
) -> None:
    state = want(storage=storage)
    seen = join.join(box.host, state, Supply(pushed=pushed), True)
    result = join.join(box.host, state, supply(pushed), False)
    assert [d["before_header"] for d in seen["diff"]] == [
        d["before_header"] for d in result["diff"]
    ]
    order = [d["before_header"] for d in result["diff"]]
    # What it logs in with lives for minutes, and a download may take as long.
    assert order.index("identity") < order.index("artefact envoy")
    assert result["changed"] is True
    assert set(result["checks"].values()) == {True}
    assert IDENTITY_TIMER in box.now["active"]
    assert box.path(IDENTITIES).is_symlink() == (storage == "memory")
    assert box.path(MEMORY_FILE).exists() == (storage == "memory")
    tree = box.tree()
    again = join.join(box.host, state, Supply(), False)
    assert (again["changed"], again["needs"], again["diff"]) == (False, [], [])
    assert box.tree() == tree
    assert log_ins == ["wrapped"]


def test_a_log_in_that_is_gone_is_asked_for_though_the_certificate_is_good(
    box: Box, want: Render, pushed: dict[str, str], log_ins: list[str]
) -> None:
    state = want()
    join.join(box.host, state, supply(pushed), False)
    box.host.remove(TOKEN)
    assert join.join(box.host, state, Supply(), False)["needs"] == ["identity"]
    join.join(box.host, state, supply(pushed, "another"), False)
    assert log_ins == ["wrapped", "another"]
    assert join.join(box.host, state, Supply(), False)["changed"] is False


def test_a_certificate_that_is_gone_is_replaced_by_the_machines_own_log_in(
    box: Box, want: Render, pushed: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    state = want()
    join.join(box.host, state, supply(pushed), False)
    box.path(CERTIFICATE).unlink()
    monkeypatch.setattr(authority, "logged_out", lambda host, asked: True)
    assert join.join(box.host, state, Supply(), False)["needs"] == ["identity"]
    monkeypatch.setattr(authority, "logged_out", lambda host, asked: False)
    result = join.join(box.host, state, Supply(), False)
    assert (result["needs"], result["changed"]) == ([], True)


def test_a_certificate_that_leads_to_no_root_any_more_is_asked_for_anew(
    box: Box, want: Render, pushed: dict[str, str], log_ins: list[str]
) -> None:
    join.join(box.host, want(), supply(pushed), False)
    old, new = ROOT, issue(authority=True)

    def roots(*pairs: Any) -> BridgeState:
        state = want()
        pems = "".join(pem(pair.certificate) for pair in pairs)
        return replace(state, identity=replace(state.identity, roots=pems))

    join.join(box.host, roots(old, new), Supply(), False)
    assert log_ins == ["wrapped"]  # both are trusted: it serves on
    before = box.tree()
    # This Vault still signs below the old one: too early.
    with pytest.raises(MachineError, match=r"identity\.vault\.pki_mount .*trust both roots"):
        join.join(box.host, roots(new), Supply(), False)
    assert log_ins == ["wrapped", ""]
    assert {p: t for p, t in box.tree().items() if "next-key" not in p and "renewal" not in p} == {
        p: t for p, t in before.items() if "renewal" not in p
    }


def test_keys_move_to_another_place_and_envoy_starts_anew(
    box: Box, want: Render, pushed: dict[str, str]
) -> None:
    join.join(box.host, want(storage="disk"), supply(pushed), False)
    box.commands.clear()
    join.join(box.host, want(storage="memory"), supply(pushed), False)
    assert box.path(IDENTITIES).readlink() == box.path(MEMORY)
    assert box.ran("systemctl restart " + UNIT)
    join.join(box.host, want(storage="disk"), supply(pushed), False)
    assert not box.path(MEMORY).exists()
    assert join.join(box.host, want(storage="disk"), Supply(), False)["changed"] is False


def test_another_provider_takes_the_renewal_away(
    box: Box, want: Render, render: Render, pushed: dict[str, str]
) -> None:
    join.join(box.host, want(), supply(pushed), False)
    pair = issue(ROOT, SPIFFE_ID)
    state = render(pair)
    given = Supply(pem(pair.certificate), pem(pair.key), pushed)
    join.join(box.host, state, given, False)
    assert IDENTITY_TIMER not in box.now["active"]
    assert not box.path("%s/%s" % (UNITS, IDENTITY_TIMER)).exists()
    assert not box.path(LIBRARY).exists()
    assert join.join(box.host, state, Supply(), False)["changed"] is False


def test_a_renewal_that_has_failed_is_forgotten(
    box: Box, want: Render, pushed: dict[str, str]
) -> None:
    join.join(box.host, want(), supply(pushed), False)
    box.outputs["systemctl is-active " + IDENTITY_UNIT] = (3, "failed\n")
    leave.leave(box.host, False)
    assert box.ran("systemctl reset-failed " + IDENTITY_UNIT)


def test_leaving_takes_everything_and_logs_out(
    box: Box, want: Render, pushed: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out: list[str | None] = []
    monkeypatch.setattr(authority, "log_out", lambda host: out.append(host.read(TOKEN)))
    fresh = set(box.tree())
    join.join(box.host, want(), supply(pushed), False)
    seen = leave.leave(box.host, True)
    assert out == []
    result = leave.leave(box.host, False)
    assert seen == result
    assert out == ["token"]
    left = {p for p in set(box.tree()) - fresh if not p.endswith((".wants", "/tmpfiles.d"))}
    assert left == set()
    assert leave.leave(box.host, False)["changed"] is False


def test_the_installed_program_is_complete(box: Box, want: Render, pushed: dict[str, str]) -> None:
    join.join(box.host, want(), supply(pushed), False)
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]);"
        "from %s.bridge import renew;"
        "print(renew.__file__.startswith(sys.argv[1]))" % carry.ROOM
    )
    command = [sys.executable, "-I", "-S", "-c", code, str(box.path(LIBRARY))]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.stdout, done.stderr) == ("True\n", "")


def test_the_timer_looks_often_enough(want: Render) -> None:
    asked = want().identity.authority
    assert asked is not None
    assert (asked.lifetime_seconds, asked.check_seconds) == (3600, 300)
    short = bridge_state._authority(Identity("vault", lifetime="60s", vault=VAULT), "ca")
    assert short == Authority(VAULT, "ca", 60, 6)
