# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Revocation lists: read as another reader reads them, compared, and refused when they are none."""

from __future__ import annotations

import base64
import datetime

import pytest
from ansible_collections.brownfield.mesh.plugins.module_utils import crl
from ansible_collections.brownfield.mesh.plugins.module_utils.crl import ListError
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from hypothesis import given
from hypothesis import strategies as st

from tests.support.bridge import issue, revocation_list

A, B = issue(authority=True), issue(authority=True)  # of the same name
LEAF = issue(A, "spiffe://cluster.local/ns/a/sa/b")


@given(st.integers(0, 2**159 - 1), st.booleans(), st.integers(60, 10**10))
def test_read_as_another_reader_reads_it(number: int, revokes: bool, lives: int) -> None:
    text = revocation_list(A, [LEAF] if revokes else [], number, lives=lives)
    other = x509.load_pem_x509_crl(text.encode())
    (one,) = crl.read("words before\n" + text)
    assert (one.pem, one.name, one.number) == (text, "authority", number)
    assert one.begins == other.last_update_utc.timestamp()
    assert other.next_update_utc is not None
    assert one.ends == other.next_update_utc.timestamp()


def test_authorities_of_one_name_are_told_apart_by_their_keys() -> None:
    of_a, again, of_b = crl.read(
        revocation_list(A) + revocation_list(A, number=2) + revocation_list(B)
    )
    assert of_a.authority == again.authority != of_b.authority
    assert crl.newest([of_a, of_b, again]) == [again, of_b]
    assert crl.newest([again, of_a]) == [again]


def test_what_goes_back_is_named() -> None:
    first, second = crl.read(revocation_list(A, number=9) + revocation_list(A, number=10))
    assert crl.set_back([second], [first]) == [(second, first)]
    assert crl.set_back([first], [second, first]) == []
    assert crl.set_back([first], []) == []
    assert crl.set_back([second], crl.read(revocation_list(B))) == []


@pytest.mark.parametrize("end", ["", "=", "AAAA"])
def test_what_is_no_list(end: str) -> None:
    content = revocation_list(A).splitlines()
    broken = "\n".join([content[0], content[1] + end, content[-1]])
    with pytest.raises(ListError, match="no list in PEM form"):
        crl.read(broken)
    with pytest.raises(ListError, match="no list in PEM form"):
        crl.read(revocation_list(A).replace("END X509 CRL", "END"))
    assert crl.read("nothing") == ()


@given(st.binary(max_size=200))
def test_no_content_is_a_traceback(content: bytes) -> None:
    text = base64.b64encode(content).decode()
    with pytest.raises(ListError):
        crl.read("-----BEGIN X509 CRL-----\n%s\n-----END X509 CRL-----" % text)


def test_a_change_of_a_list_is_no_list() -> None:
    """Envoy refuses everybody by a list with a critical extension."""
    now = datetime.datetime.now(datetime.timezone.utc)
    made = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(A.certificate.subject)
        .last_update(now)
        .next_update(now + datetime.timedelta(hours=1))
        .add_extension(x509.DeltaCRLIndicator(3), critical=True)
        .sign(A.key, hashes.SHA256())
    )
    with pytest.raises(ListError, match="not a whole list"):
        crl.read(made.public_bytes(serialization.Encoding.PEM).decode())
