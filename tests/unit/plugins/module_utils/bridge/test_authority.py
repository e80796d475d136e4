# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""What a machine takes for a certificate out of Vault's answer. The rest is tried on a real one."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.brownfield.mesh.plugins.module_utils.bridge.authority import (
    MAX_CHAIN,
    Login,
    chain_of,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.vault import VaultError
from hypothesis import given
from hypothesis import strategies as st

from tests.support.bridge import SPIFFE_ID, issue, pem

ROOT = issue(authority=True)
MIDDLE = issue(ROOT, authority=True)
LEAF = issue(MIDDLE, SPIFFE_ID)
ROOTS = pem(issue(authority=True).certificate) + pem(ROOT.certificate)


def answer(certificate: Any, *above: Any) -> dict[str, Any]:
    return {"data": {"certificate": certificate, "ca_chain": list(above)}}


def test_the_chain_goes_along_and_the_roots_stay_out() -> None:
    leaf, middle, root = (pem(pair.certificate) for pair in (LEAF, MIDDLE, ROOT))
    assert chain_of(answer(leaf.strip(), middle.strip(), root.strip()), ROOTS) == leaf + middle
    assert chain_of({"data": {"certificate": leaf}}, ROOTS) == leaf


@pytest.mark.parametrize(
    "given_answer",
    [
        {},
        {"data": []},
        answer(""),
        answer(7),
        answer(pem(LEAF.key)),
        answer(pem(LEAF.certificate) + pem(LEAF.key)),
        answer(pem(LEAF.certificate), pem(LEAF.key)),
        answer(pem(LEAF.certificate), None),
        answer(pem(LEAF.certificate), *[pem(MIDDLE.certificate)] * (MAX_CHAIN + 1)),
        {"data": {"certificate": pem(LEAF.certificate), "ca_chain": {"0": "x"}}},
    ],
)
def test_anything_else_is_refused(given_answer: Any) -> None:
    with pytest.raises(VaultError, match="Vault's answer"):
        chain_of(given_answer, ROOTS)


@given(
    st.recursive(
        st.none() | st.text() | st.just(pem(LEAF.certificate)) | st.just(pem(LEAF.key)),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["data", "certificate", "ca_chain"]), inner)
        ),
        max_leaves=8,
    )
)
def test_whatever_it_takes_is_certificates(given_answer: Any) -> None:
    try:
        chain = chain_of(given_answer, ROOTS)
    except VaultError:
        return
    assert chain.replace(pem(LEAF.certificate), "") == ""


def test_a_log_in_shows_nothing() -> None:
    assert "canary" not in repr(Login("canary", "canary"))
