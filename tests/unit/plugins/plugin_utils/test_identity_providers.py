# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Certificates are judged before they travel, and an authority signs for the machine alone."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.brownfield.mesh.plugins.plugin_utils import identity_providers
from ansible_collections.brownfield.mesh.plugins.plugin_utils.errors import IdentityError
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID as Usage

from tests.support.bridge import SPIFFE_ID, Pair, identity_of, issue, pem, request

ROOT = issue(authority=True)
OTHER = issue(authority=True)
MIDDLE = issue(ROOT, authority=True)
GOOD = issue(ROOT, SPIFFE_ID)

Brought = tuple[Path, Path]


def provider(brought: Brought, kind: str = "files", **more: int) -> identity_providers.Provider:
    made = identity_of(kind, **more)
    return identity_providers.of(made, SPIFFE_ID, pem(ROOT.certificate), brought)


def test_a_good_pair_is_handed_on_as_it_is(tmp_path: Path) -> None:
    brought = GOOD.write(tmp_path, "good")
    files = provider(brought)
    assert files.known() == brought[0].read_text()
    issued = files.issue("")
    assert (issued.certificate, issued.key) == (brought[0].read_text(), brought[1].read_text())


def test_a_chain_leads_to_the_root(tmp_path: Path) -> None:
    leaf = issue(MIDDLE, SPIFFE_ID)
    assert provider(leaf.write(tmp_path, "chain", MIDDLE)).known().count("BEGIN") == 2
    with pytest.raises(IdentityError, match="does not lead to a root of the mesh"):
        provider(leaf.write(tmp_path, "short"))
    with pytest.raises(IdentityError, match="are no chain"):
        provider(leaf.write(tmp_path, "wrong", OTHER))


def test_a_leaf_is_no_authority(tmp_path: Path) -> None:
    fake = Pair(issue(GOOD, SPIFFE_ID).certificate, issue().key)
    with pytest.raises(IdentityError, match="no chain"):
        provider(fake.write(tmp_path, "fake", GOOD))


BAD: dict[str, tuple[Callable[[], Pair], str]] = {
    "of another authority": (lambda: issue(OTHER, SPIFFE_ID), "does not lead to a root"),
    "another's": (lambda: issue(ROOT, SPIFFE_ID + "x"), "the SPIFFE ID %sx" % SPIFFE_ID),
    "nobody's": (lambda: issue(ROOT), "SPIFFE ID none"),
    "over": (lambda: issue(ROOT, SPIFFE_ID, begins=-9, lives=-1), "ended on"),
    "yet to come": (lambda: issue(ROOT, SPIFFE_ID, begins=99), "valid only from"),
    "for servers only": (
        lambda: issue(ROOT, SPIFFE_ID, usages=[Usage.SERVER_AUTH]),
        "not for both server and client",
    ),
    "weak": (lambda: issue(ROOT, SPIFFE_ID, bits=1024), "less than 2048 bits"),
    "without its key": (
        lambda: Pair(GOOD.certificate, issue().key),
        "is not the key of",
    ),
}


@pytest.mark.parametrize(("make", "words"), BAD.values(), ids=list(BAD))
def test_a_bad_pair_is_refused_for_its_reason(
    make: Callable[[], Pair], words: str, tmp_path: Path
) -> None:
    brought = make().write(tmp_path, "bad")
    with pytest.raises(IdentityError, match=words) as caught:
        provider(brought).issue("")
    assert "PRIVATE" not in str(caught.value)


def test_a_certificate_without_usages_is_for_everything(tmp_path: Path) -> None:
    assert provider(issue(ROOT, SPIFFE_ID, usages=()).write(tmp_path, "any")).known()


def test_files_that_are_something_else(tmp_path: Path) -> None:
    certificate, key = GOOD.write(tmp_path, "good")
    with pytest.raises(IdentityError, match="cannot be read"):
        provider((tmp_path / "missing", key))
    (tmp_path / "text").write_text("hello")
    with pytest.raises(IdentityError, match="holds no certificate"):
        provider((tmp_path / "text", key))
    locked = GOOD.key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"secret"),
    )
    key.write_bytes(locked)
    for path in (key, tmp_path / "text"):
        with pytest.raises(IdentityError, match="without a password"):
            provider((certificate, path)).issue("")


def test_the_authority_signs_for_this_machine_whatever_is_asked(tmp_path: Path) -> None:
    asked, key = request()
    authority = provider(ROOT.write(tmp_path, "ca"), "local_ca", lifetime="3h")
    assert authority.known() == ""
    issued = authority.issue(asked)
    assert issued.key == ""
    (made,) = x509.load_pem_x509_certificates(issued.certificate.encode())
    made.verify_directly_issued_by(ROOT.certificate)
    assert made.public_key() == key.public_key()
    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [name.value for name in names] == [SPIFFE_ID]
    assert not made.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    life = made.not_valid_after_utc - made.not_valid_before_utc
    assert life <= datetime.timedelta(hours=3, minutes=2, seconds=1)
    # What it signed, it would take.
    (tmp_path / "signed.crt").write_text(issued.certificate)
    (tmp_path / "signed.key").write_text(pem(key))
    assert provider((tmp_path / "signed.crt", tmp_path / "signed.key")).issue("").key


def test_an_authority_below_the_root_sends_its_certificate_along(tmp_path: Path) -> None:
    authority = provider(MIDDLE.write(tmp_path, "ca"), "local_ca")
    assert authority.issue(request()[0]).certificate.count("BEGIN") == 2


def test_a_root_for_tries_that_lives_long_is_told(tmp_path: Path) -> None:
    day = 86400
    long, short = (issue(authority=True, lives=days * day) for days in (91, 89))
    below = issue(long, authority=True, lives=91 * day)

    def found(given: Pair, root: Pair, kind: str = "local_ca") -> str:
        paths = given.write(tmp_path, "ca")
        made = identity_providers.of(identity_of(kind), SPIFFE_ID, pem(root.certificate), paths)
        return made.finding()

    assert "signs itself and lives 90 days more" in found(long, long)
    assert found(short, short) == ""
    assert found(below, long) == ""  # the mesh's root can do without it
    assert found(issue(long, SPIFFE_ID), long, "files") == ""


def test_no_certificate_outlives_its_authority(tmp_path: Path) -> None:
    short = issue(ROOT, authority=True, lives=600)
    issued = provider(short.write(tmp_path, "ca"), "local_ca").issue(request()[0])
    made = x509.load_pem_x509_certificate(issued.certificate.encode())
    assert made.not_valid_after_utc == short.certificate.not_valid_after_utc


def test_what_an_authority_does_not_sign(tmp_path: Path) -> None:
    authority = provider(ROOT.write(tmp_path, "ca"), "local_ca")
    with pytest.raises(IdentityError, match="cannot be read"):
        authority.issue("hello")
    with pytest.raises(IdentityError, match="not the certificate of an authority"):
        provider(GOOD.write(tmp_path, "leaf"), "local_ca").issue(request()[0])


def test_what_a_request_asks_for_is_seen_whole() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    builder = x509.CertificateSigningRequestBuilder()
    builder = builder.subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a")]))
    names = [x509.UniformResourceIdentifier("spiffe://a"), x509.DNSName("b")]
    for extension in (
        x509.SubjectAlternativeName(names),
        x509.BasicConstraints(ca=True, path_length=None),
    ):
        builder = builder.add_extension(extension, critical=False)
    asked = pem(builder.sign(key, hashes.SHA256()))
    assert identity_providers.asked_names(asked) == [
        "CN",
        "URI:spiffe://a",
        "DNSName:b",
        "2.5.29.19",
    ]
    assert identity_providers.asked_names(request(SPIFFE_ID)[0]) == ["URI:" + SPIFFE_ID]


def test_what_another_signed_is_judged_like_what_a_user_brings() -> None:
    asked, key = request(SPIFFE_ID)

    def judged(pair: Pair) -> None:
        identity_providers.judge(
            pem(pair.certificate), asked, SPIFFE_ID, [ROOT.certificate], "the answer"
        )

    judged(issue(ROOT, SPIFFE_ID, key=key))
    for bad, why in (
        (issue(ROOT, SPIFFE_ID), "the answer is not for the key that the machine made"),
        (issue(OTHER, SPIFFE_ID, key=key), "does not lead to a root"),
        (issue(ROOT, SPIFFE_ID + "x", key=key), "has the SPIFFE ID"),
        (issue(ROOT, SPIFFE_ID, begins=-9, lives=-1, key=key), "ended on"),
        (issue(ROOT, SPIFFE_ID, usages=[Usage.CLIENT_AUTH], key=key), "not for both"),
    ):
        with pytest.raises(IdentityError, match=why):
            judged(bad)


def test_what_is_issued_is_not_printed() -> None:
    assert "secret" not in repr(identity_providers.Issued("certificate", "secret"))


def test_roots_of_one_name_are_told_apart_by_their_keys(tmp_path: Path) -> None:
    roots = pem(OTHER.certificate) + pem(ROOT.certificate)

    def of(pair: Pair, kind: str = "files") -> identity_providers.Provider:
        brought = pair.write(tmp_path, "pair")
        return identity_providers.of(identity_of(kind), SPIFFE_ID, roots, brought)

    assert of(issue(ROOT, SPIFFE_ID)).known()
    nameless = issue(ROOT, SPIFFE_ID, names_issuer=False)
    with pytest.raises(IdentityError, match=r"identity\.certificate: .* 2 roots of the same name"):
        of(nameless)
    assert provider(nameless.write(tmp_path, "one")).known()  # with one root there is no doubt
    # What our authority signs says whose it is.
    signed = of(ROOT, "local_ca").issue(request()[0]).certificate
    assert of(Pair(x509.load_pem_x509_certificate(signed.encode()), GOOD.key)).known()


def test_an_authority_says_by_whom_certificates_are_to_be_signed(tmp_path: Path) -> None:
    brought = ROOT.write(tmp_path, "ca")
    assert provider(brought, "local_ca").issuer() == pem(ROOT.certificate)
    assert provider(GOOD.write(tmp_path, "good")).issuer() == ""
