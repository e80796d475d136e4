# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Lists that the user brings are judged before they travel."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.brownfield.mesh.plugins.plugin_utils import revocation
from ansible_collections.brownfield.mesh.plugins.plugin_utils.errors import IdentityError
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from tests.support.bridge import Pair, issue, pem, revocation_list

ROOT = issue(authority=True)
MIDDLE = issue(ROOT, authority=True)
LOWER = issue(MIDDLE, authority=True)
STRANGER = issue(authority=True)
LEAF = issue(ROOT, "spiffe://cluster.local/ns/a/sa/b")


def without_lists() -> Pair:
    """An authority as istiod makes its own: its key usage is keyCertSign alone."""
    old = ROOT.certificate
    usage = x509.KeyUsage(False, False, False, False, False, True, False, False, False)
    made = (
        x509.CertificateBuilder()
        .subject_name(old.subject)
        .issuer_name(old.subject)
        .public_key(ROOT.key.public_key())
        .serial_number(7)
        .not_valid_before(old.not_valid_before_utc)
        .not_valid_after(old.not_valid_after_utc)
        .add_extension(x509.BasicConstraints(True, None), True)
        .add_extension(usage, True)
        .sign(ROOT.key, hashes.SHA256())
    )
    return Pair(made, ROOT.key)


def judged(folder: Path, *parts: str, root: Pair = ROOT) -> str:
    file = folder / "list.pem"
    file.write_text("".join(parts))
    return revocation.read([file], pem(root.certificate))


def test_lists_of_roots_and_of_authorities_below_them(tmp_path: Path) -> None:
    of_root, of_lower = revocation_list(ROOT, [LEAF]), revocation_list(LOWER)
    above = pem(LOWER.certificate) + pem(MIDDLE.certificate)
    assert judged(tmp_path, of_root) == of_root
    # What travels are lists alone.
    assert judged(tmp_path, of_root, above, of_lower) == of_root + of_lower


@pytest.mark.parametrize(
    ("parts", "why"),
    [
        (["nothing"], "holds no revocation list"),
        ([revocation_list(ROOT)[:-30]], "is no list in PEM form"),
        ([revocation_list(ROOT, signer=STRANGER)], "is signed neither by a root"),
        ([revocation_list(MIDDLE)], "certificate stands in the same file"),
        ([revocation_list(LOWER), pem(LOWER.certificate)], "is signed neither"),
        ([revocation_list(STRANGER), pem(STRANGER.certificate)], "is signed neither"),
        ([revocation_list(ROOT, begins=-90, lives=-1)], "have its authority sign another"),
    ],
)
def test_what_is_refused(tmp_path: Path, parts: list[str], why: str) -> None:
    with pytest.raises(IdentityError, match=why) as caught:
        judged(tmp_path, *parts)
    assert "list.pem" in str(caught.value)


def test_an_authority_that_may_not_sign_lists(tmp_path: Path) -> None:
    with pytest.raises(IdentityError, match=r"may not sign lists .cRLSign"):
        judged(tmp_path, revocation_list(ROOT), root=without_lists())


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(IdentityError, match="cannot be read"):
        revocation.read([tmp_path / "none"], pem(ROOT.certificate))


def test_what_is_too_long_to_travel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(revocation, "MAX_BYTES", 100)
    with pytest.raises(IdentityError, match="longer than 100 bytes"):
        judged(tmp_path, revocation_list(ROOT))
