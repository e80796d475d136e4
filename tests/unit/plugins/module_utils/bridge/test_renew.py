# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""When a certificate is renewed, and what the program says. Renewing is tried on a real Vault."""

from __future__ import annotations

import pytest
from ansible_collections.brownfield.mesh.plugins.module_utils.bridge import renew
from ansible_collections.brownfield.mesh.plugins.module_utils.identity import Identity
from hypothesis import given
from hypothesis import strategies as st

from tests.support.bridge import Box

SERIALS = st.integers(1, 2**160).map(lambda number: "%x" % number)


@given(st.integers(0, 10**9), st.integers(60, 10**8), SERIALS)
def test_soon_after_half_of_its_life(begins: int, life: int, serial: str) -> None:
    when = renew.due(Identity("", begins, begins + life), serial)
    assert begins + life * 0.5 <= when < begins + life * 0.6


def test_a_fleet_does_not_come_all_at_once() -> None:
    times = {renew.due(Identity("", 0, 86400), "%032x" % (n * 977)) for n in range(1, 100)}
    assert len(times) > 90
    assert renew.due(Identity("", 0, 100), "") == 50


def test_before_the_join_it_says_what_to_do(box: Box, capsys: pytest.CaptureFixture[str]) -> None:
    assert renew.main(box.host) == 1
    assert capsys.readouterr().err == "this machine has not joined; run onboard\n"
