# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""A machine's identity is read from certificates as istiod makes them."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest
from ansible_collections.brownfield.mesh.plugins.module_utils import identity
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

SPIFFE_ID = "spiffe://cluster.local/ns/shop/sa/shop-api"
BEGIN = datetime.datetime(2026, 3, 4, 5, 6, 7, tzinfo=datetime.timezone.utc)
END = BEGIN + datetime.timedelta(days=1)


def _pem(*uris: str) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .issuer_name(x509.Name([]))
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(BEGIN)
        .not_valid_after(END)
    )
    if uris:
        names = [x509.UniformResourceIdentifier(uri) for uri in uris]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=True)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def test_the_first_certificate_of_a_chain_is_the_machines(tmp_path: Path) -> None:
    file = tmp_path / "cert-chain.pem"
    file.write_bytes(_pem(SPIFFE_ID) + _pem("spiffe://cluster.local/ns/istio-system/sa/ca"))
    assert identity.read(str(file)) == identity.Identity(
        SPIFFE_ID, int(BEGIN.timestamp()), int(END.timestamp())
    )


@pytest.mark.parametrize("uris", [(), ("https://example.com/",), (SPIFFE_ID, SPIFFE_ID + "-2")])
def test_anything_but_one_spiffe_id_is_no_identity(tmp_path: Path, uris: tuple[str, ...]) -> None:
    file = tmp_path / "cert-chain.pem"
    file.write_bytes(_pem(*uris))
    assert identity.read(str(file)) is None


@pytest.mark.parametrize("content", [None, b"", b"no certificate", _pem(SPIFFE_ID)[:200]])
def test_what_cannot_be_read_is_no_identity(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "cert-chain.pem"
    if content is not None:
        file.write_bytes(content)
    assert identity.read(str(file)) is None


def test_validity_is_what_is_left_and_negative_outside() -> None:
    one = identity.Identity(SPIFFE_ID, 100, 200)
    assert one.valid_for(100) == 100
    assert one.valid_for(150) == 50
    assert one.valid_for(201) < 0
    assert one.valid_for(99) < 0
