# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""The machine's certificate, read without the openssl command."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from ansible_collections.brownfield.mesh.plugins.module_utils import identity
from cryptography import x509
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.machine import certificate

SPIFFE_ID = "spiffe://cluster.local/ns/payments/sa/payments-db"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the certificate lies."""
    return tmp_path / "cert-chain.pem"


def test_it_says_what_the_library_says(path: Path) -> None:
    pem = certificate(SPIFFE_ID, begins=-7200, lives=3600)
    path.write_text(pem + certificate("spiffe://root"))
    wanted = x509.load_pem_x509_certificate(pem.encode())
    found = identity.read(str(path))
    assert found == identity.Identity(
        SPIFFE_ID,
        int(wanted.not_valid_before_utc.timestamp()),
        int(wanted.not_valid_after_utc.timestamp()),
    )


@given(seconds=st.integers(60, 10**9))
@settings(max_examples=20)
def test_any_life_is_read(tmp_path_factory: pytest.TempPathFactory, seconds: int) -> None:
    path = tmp_path_factory.mktemp("certs") / "cert.pem"
    path.write_text(certificate(SPIFFE_ID, lives=seconds))
    found = identity.read(str(path))
    assert found is not None
    assert abs(found.valid_for(time.time()) - seconds) < 60


@pytest.mark.parametrize(
    "pem",
    [
        "",
        "no certificate",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        certificate(""),
        certificate("https://example.com"),
        certificate(SPIFFE_ID, more=["spiffe://cluster.local/ns/a/sa/b"]),
    ],
    ids=["empty", "text", "broken", "no name", "no SPIFFE ID", "two SPIFFE IDs"],
)
def test_what_is_no_identity(path: Path, pem: str) -> None:
    path.write_text(pem)
    assert identity.read(str(path)) is None


def test_no_file_is_no_identity(path: Path) -> None:
    assert identity.read(str(path)) is None


def test_before_it_begins_and_after_it_ends_it_is_not_valid() -> None:
    one = identity.Identity(SPIFFE_ID, 100, 200)
    assert one.valid_for(99) < 0
    assert one.valid_for(150) == 50
    assert one.valid_for(201) < 0
