# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Which lists a machine has, and which it takes. What Envoy does by them is tried on Envoys."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
from ansible_collections.brownfield.mesh.plugins.module_utils.bridge import credentials, revocation
from ansible_collections.brownfield.mesh.plugins.module_utils.bridge.state import (
    LISTS,
    REVOKED,
    Authority,
    Revocation,
    WantedIdentity,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.desired import MachineError
from ansible_collections.brownfield.mesh.plugins.module_utils.spec import Vault

from tests.support.bridge import SPIFFE_ID, Box, issue, pem, revocation_list
from tests.unit.plugins.module_utils.bridge.conftest import ROOT

MIDDLE = issue(ROOT, authority=True)
STRANGER = issue(authority=True)
NAME = "0b9ff1f6-1d3c-4a6c-8f7e-0123456789ab"
OTHER = "1b9ff1f6-1d3c-4a6c-8f7e-0123456789ab"
AUTHORITY = Authority(Vault("https://vault:8200", "ca", "pki", "role"), "", 3600, 300)
WANTED = WantedIdentity(
    SPIFFE_ID, pem(ROOT.certificate), authority=AUTHORITY, revocation=Revocation("", "refuse")
)


def keep(box: Box, text: str, issuer: str = pem(MIDDLE.certificate), name: str = NAME) -> None:
    revocation.keep(box.host, WANTED, name, text, issuer, issuer + pem(ROOT.certificate))


def in_use(box: Box) -> str:
    return revocation.for_envoy(box.host, WANTED, time.time())


def test_a_list_is_kept_and_the_users_go_first(box: Box) -> None:
    assert revocation.missing(box.host, WANTED)
    given, own = revocation_list(ROOT), revocation_list(MIDDLE)
    keep(box, own)
    both = replace(WANTED, revocation=Revocation(given, "refuse"))
    assert revocation.for_envoy(box.host, both, time.time()) == given + own
    assert not revocation.missing(box.host, WANTED)
    assert revocation.kept(box.host, NAME) == own
    assert [p.name for p in box.path(LISTS).iterdir()] == [NAME + ".pem"]


def test_without_revocation_there_is_none(box: Box) -> None:
    keep(box, revocation_list(MIDDLE))
    none = replace(WANTED, revocation=None)
    assert revocation.for_envoy(box.host, none, time.time()) == ""
    assert not revocation.missing(box.host, none)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (revocation_list(MIDDLE, number=4), r"the list 5 .* older one, the list 4 "),
        (revocation_list(MIDDLE, number=9, signer=STRANGER), "not signed by Vault's issuer"),
        ("rubbish", "gives 0 lists"),
        (revocation_list(MIDDLE).replace("\nMI", "\nXX"), "is no list in PEM form"),
        (revocation_list(MIDDLE) * 2, "gives 2 lists"),
    ],
)
def test_what_is_worse_never_replaces_what_is_kept(box: Box, text: str, why: str) -> None:
    good = revocation_list(MIDDLE, number=5)
    keep(box, good)
    with pytest.raises(MachineError, match=why):
        keep(box, text)
    assert in_use(box) == good
    assert [p.name for p in box.path(LISTS).iterdir()] == [NAME + ".pem"]


def test_an_authority_that_the_mesh_does_not_know_is_passed_by(box: Box) -> None:
    keep(box, revocation_list(STRANGER), pem(STRANGER.certificate))
    assert in_use(box) == ""


def test_a_list_of_an_issuer_that_is_gone_stays_until_it_is_over(box: Box) -> None:
    keep(box, revocation_list(MIDDLE, lives=60))
    revocation.forget(box.host, [OTHER], time.time())
    assert in_use(box)
    revocation.forget(box.host, [NAME], time.time() + 61)
    assert in_use(box)
    revocation.forget(box.host, [OTHER], time.time() + 61)
    assert in_use(box) == ""


def test_what_is_over_or_late_is_said(box: Box) -> None:
    keep(box, revocation_list(MIDDLE, begins=0, lives=1000))
    now = time.time()
    assert revocation.problems(box.host, WANTED, now + 890) == []
    (late,) = revocation.problems(box.host, WANTED, now + 910)
    assert "was not replaced yet" in late
    (over,) = revocation.problems(box.host, WANTED, now + 1001)
    assert "all peers of its authority are refused" in over


def test_ignored_it_is_all_lists_or_none(box: Box) -> None:
    """Without the list that is over all peers of its authority would be refused."""
    ignoring = replace(WANTED, revocation=Revocation(revocation_list(ROOT), "ignore"))
    keep(box, revocation_list(MIDDLE, lives=60))
    assert revocation.for_envoy(box.host, ignoring, time.time()).count("BEGIN") == 2
    assert revocation.for_envoy(box.host, ignoring, time.time() + 61) == ""


def test_lists_change_with_the_identity_and_do_not_go_back(box: Box) -> None:
    box.path("/var/lib/mesh-bridge/identities").mkdir(parents=True)
    pair = issue(ROOT, SPIFFE_ID)
    new, old = revocation_list(ROOT, number=2), revocation_list(ROOT, number=1)
    given = replace(WANTED, authority=None, revocation=Revocation(new, "refuse"))
    credentials.install(box.host, given, pem(pair.certificate), pem(pair.key))
    assert credentials.current(box.host, given)
    assert box.host.read(REVOKED) == new
    older = replace(given, revocation=Revocation(old, "refuse"))
    assert not credentials.current(box.host, older)
    with pytest.raises(MachineError, match="would be replaced by an older one"):
        credentials.install(box.host, older, "", "")
    assert box.host.read(REVOKED) == new
    credentials.install(box.host, replace(given, revocation=None), "", "")
    assert box.host.read(REVOKED) == ""
