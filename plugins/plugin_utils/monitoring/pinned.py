# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Certificates that one machine shows and another one is to know: each for its machine only."""

from __future__ import annotations

import contextlib
import ipaddress
from collections.abc import Sequence

from ansible_collections.brownfield.mesh.plugins.module_utils.watch.state import CLIENT_CERTIFICATE

with contextlib.suppress(ImportError):  # ansible-core brings it; its sanity test imports without
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding


def certificate(pem: str, address: str = "") -> str:
    """The one certificate in ``pem``, which is for ``address`` alone, or for no address at all.

    What a machine shows is believed by others: an authority's certificate would let it speak for
    all of them. Raises ValueError when it is none of its own.
    """
    try:
        (found,) = x509.load_pem_x509_certificates(pem.encode())
        constraints = found.extensions.get_extension_for_class(x509.BasicConstraints).value
        names = _names(found)
    except (ValueError, x509.ExtensionNotFound) as error:
        raise ValueError(f"is no certificate of a machine's own ({error})") from None
    wanted = [x509.IPAddress(ipaddress.ip_address(address))] if address else []
    if constraints.ca:
        raise ValueError("is an authority's certificate")
    if names != wanted:
        shown = ", ".join(str(name.value) for name in names) or "nobody"
        raise ValueError(f"is for {shown}, not for {address or 'a client'}")
    return found.public_bytes(Encoding.PEM).decode()


def clients(pems: Sequence[str]) -> list[str]:
    """The certificates of those that ask vantages, judged likewise. Raises ValueError."""
    try:
        return [certificate(pem) for pem in pems]
    except ValueError as error:
        raise ValueError(
            f"{CLIENT_CERTIFICATE} of a machine of the group mesh_monitoring {error};"
            " remove it there and run brownfield.mesh.monitor again"
        ) from None


def _names(found: x509.Certificate) -> list[x509.GeneralName]:
    try:
        return list(found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
    except x509.ExtensionNotFound:
        return []
