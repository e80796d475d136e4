# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Revocation lists that the user brings: each is judged here, before it travels."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Sequence
from pathlib import Path

from ansible_collections.brownfield.mesh.plugins.module_utils import crl
from ansible_collections.brownfield.mesh.plugins.plugin_utils.errors import IdentityError
from ansible_collections.brownfield.mesh.plugins.plugin_utils.identity_providers import (
    certificates,
    leads_to,
    may_sign_lists,
)

with contextlib.suppress(ImportError):  # ansible-core brings it; its sanity test imports without
    from cryptography import x509

# They travel with each run.
MAX_BYTES = 1 << 18
_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\s*")


def read(paths: Sequence[Path], roots: str) -> str:
    """The lists in these files (PEM). Each must be signed by a root of the mesh, or by an authority
    below one, whose certificate stands in the same file. Raises IdentityError."""
    known = certificates(roots, "the mesh's root")
    found = [one for path in paths for one in _read(path, known)]
    text = "".join(one.pem for one in found)
    if len(text) > MAX_BYTES:
        raise IdentityError(
            "mesh.bridge.revocation.lists: they are longer than %d bytes together" % MAX_BYTES
        )
    return text


def _read(path: Path, roots: Sequence[x509.Certificate]) -> Sequence[crl.RevocationList]:
    try:
        text = path.read_text("utf-8")
        lists = crl.read(text)
    except (OSError, UnicodeDecodeError) as error:
        raise IdentityError("%s cannot be read: %s" % (path, error)) from None
    except crl.ListError as error:
        raise IdentityError("%s: it %s" % (path, error)) from None
    if not lists:
        raise IdentityError("%s holds no revocation list in PEM form" % path)
    given = "".join(_CERTIFICATE.findall(text))
    chain = certificates(given, str(path)) if given else []
    authorities = [*roots, *(one for one in chain if leads_to(one, chain, roots))]
    for one in lists:
        signed = x509.load_pem_x509_crl(one.pem.encode())
        signers = [authority for authority in authorities if _signed(signed, authority)]
        if signers and not any(map(may_sign_lists, signers)):
            raise IdentityError(
                "%s: %s is of an authority that may not sign lists (cRLSign is not in its key"
                " usage), as istiod's own; Envoy takes none of it" % (path, one.shown)
            )
        if not signers:
            raise IdentityError(
                "%s: %s is signed neither by a root of the mesh nor by an authority below one whose"
                " certificate stands in the same file; put it there, behind the list"
                % (path, one.shown)
            )
        if one.ends <= time.time():
            raise IdentityError(
                "%s: %s was over %s; have its authority sign another"
                % (path, one.shown, crl.utc(one.ends))
            )
    return lists


def _signed(signed: x509.CertificateRevocationList, authority: x509.Certificate) -> bool:
    try:
        key = authority.public_key()
        same = signed.issuer == authority.subject
        return same and signed.is_signature_valid(key)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return False
