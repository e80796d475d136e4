# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Where a bridge's certificate comes from: one small interface, and the providers behind it.

A provider either knows the machine's certificate beforehand (files) or issues one for a key that
the machine made (an authority). Every certificate is judged here, before it travels.
"""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from ansible_collections.brownfield.mesh.plugins.module_utils.spec import Identity
from ansible_collections.brownfield.mesh.plugins.plugin_utils.errors import IdentityError

with contextlib.suppress(ImportError):  # ansible-core brings it; its sanity test imports without
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
    from cryptography.x509.oid import ExtendedKeyUsageOID as Usage

if TYPE_CHECKING:
    Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey

# As istiod does: clocks differ (istio:security/pkg/pki/util/generate_cert.go).
BACKDATED = datetime.timedelta(minutes=2)
RSA_BITS = 2048
# Longer than that, a key on a controller is no key for tries.
SHORT = datetime.timedelta(days=90)


@dataclass(frozen=True)
class Issued:
    """A certificate with its chain (PEM), and its key where the machine did not make it. The key
    is a secret: it is handed on and kept nowhere."""

    certificate: str
    key: str = ""

    def __repr__(self) -> str:
        return "Issued()"


class Provider(Protocol):
    """What gives machines certificates. All of it may raise IdentityError."""

    def known(self) -> str:
        """The machine's certificate with its chain (PEM), or '' where it is issued on request."""

    def issuer(self) -> str:
        """The authority by which certificates are to be signed (PEM, or its name), or '' where the
        provider brings them."""

    def issue(self, request: str) -> Issued:
        """The certificate for a signing request (PEM, empty where the certificate is known)."""

    def finding(self) -> str:
        """What a user should change about it though it works, or ''."""


def of(identity: Identity, spiffe_id: str, roots: str, paths: Sequence[Path]) -> Provider:
    """The provider that ``identity`` names; ``paths`` are where its certificate and key lie, and
    ``roots`` is what the mesh trusts (PEM). Raises IdentityError."""
    certificate, key = paths
    provider: type[Files | LocalAuthority] = (
        Files if identity.provider == "files" else LocalAuthority
    )
    return provider(identity, spiffe_id, certificates(roots, "the mesh's root"), certificate, key)


class _Pair:
    """A certificate and its key, in two PEM files of the user's."""

    def __init__(
        self,
        identity: Identity,
        spiffe_id: str,
        roots: list[x509.Certificate],
        certificate: Path,
        key: Path,
    ) -> None:
        self._identity = identity
        self._spiffe_id = spiffe_id
        self._roots = roots
        self._key_path = key
        self._pem = _read(certificate)
        self._chain = certificates(self._pem, str(certificate))
        self._where = str(certificate)
        _check_validity(self._chain[0], self._where)
        _check_chain(self._chain, roots, self._where)

    def _key(self) -> Key:
        try:
            key = serialization.load_pem_private_key(_read(self._key_path).encode(), None)
        except (TypeError, ValueError):
            raise IdentityError(
                "%s holds no private key that can be read without a password" % self._key_path
            ) from None
        if not isinstance(
            key, (ec.EllipticCurvePrivateKey, rsa.RSAPrivateKey, ed25519.Ed25519PrivateKey)
        ):
            raise IdentityError("%s: use a key of kind EC, RSA or Ed25519" % self._key_path)
        if key.public_key() != self._chain[0].public_key():
            raise IdentityError("%s is not the key of %s" % (self._key_path, self._where))
        return key


class Files(_Pair):
    """The machine's certificate and key, brought by the user."""

    def known(self) -> str:
        """The certificate, when it is this machine's and good."""
        _check_leaf(self._chain[0], self._spiffe_id, self._where)
        return self._pem

    def issuer(self) -> str:
        """Nothing: the certificate is known."""
        return ""

    def finding(self) -> str:
        """Nothing: the authority is elsewhere."""
        return ""

    def issue(self, request: str) -> Issued:
        """Certificate and key as they are."""
        self._key()
        return Issued(self.known(), _read(self._key_path))


class LocalAuthority(_Pair):
    """An authority whose key lies on the controller: for tries, not for production."""

    def known(self) -> str:
        """Nothing: each machine makes its key."""
        return ""

    def issuer(self) -> str:
        """The authority: when it is another than before, each machine gets a new certificate."""
        return _pem(self._chain[0])

    def finding(self) -> str:
        """A root that lives long: whoever has read its key once speaks for any machine until its
        end, and no other authority can take it back."""
        authority = self._chain[0]
        left = authority.not_valid_after_utc - datetime.datetime.now(datetime.UTC)
        if left <= SHORT or not _signs_itself(authority):
            return ""
        return (
            "%s is a root that signs itself and lives %d days more, and its key lies on this"
            " controller. That is for tries. Sign with an authority below the mesh's root, that"
            " lives %d days or less, or in production with the provider vault or cert_manager"
            % (self._where, left.days, SHORT.days)
        )

    def issue(self, request: str) -> Issued:
        """Sign the request's key for this machine; whatever else the request says is passed by."""
        authority = self._chain[0]
        if not _is_authority(authority):
            raise IdentityError("%s is not the certificate of an authority" % self._where)
        signer = self._key()
        asked = _asked(request)
        now = datetime.datetime.now(datetime.UTC)
        end = now + datetime.timedelta(seconds=self._identity.lifetime_seconds)
        name = x509.UniformResourceIdentifier(self._spiffe_id)
        extensions: list[tuple[x509.ExtensionType, bool]] = [
            (x509.SubjectAlternativeName([name]), True),
            (x509.BasicConstraints(ca=False, path_length=None), True),
            (_key_usage(), True),
            (x509.ExtendedKeyUsage([Usage.SERVER_AUTH, Usage.CLIENT_AUTH]), False),
            # By which peers tell it from another authority of the same name.
            (_key_identifier(authority), False),
        ]
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([]))
            .issuer_name(authority.subject)
            .public_key(asked.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - BACKDATED)
            .not_valid_after(min(end, authority.not_valid_after_utc))
        )
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical)
        own_digest = isinstance(signer, ed25519.Ed25519PrivateKey)
        made = builder.sign(signer, None if own_digest else hashes.SHA256())
        chain = [made, *(one for one in self._chain if one not in self._roots)]
        return Issued("".join(map(_pem, chain)))


def _signs_itself(certificate: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(certificate)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _key_identifier(authority: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    try:
        own = authority.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    except x509.ExtensionNotFound:
        key = authority.public_key()
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(key)  # type: ignore[arg-type]
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own)


def _key_usage() -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=True,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise IdentityError("%s cannot be read: %s" % (path, error)) from None


def certificates(pem: str, where: str) -> list[x509.Certificate]:
    """The certificates in ``pem``, which came from ``where``. Raises IdentityError."""
    try:
        return x509.load_pem_x509_certificates(pem.encode())
    except ValueError:
        raise IdentityError("%s holds no certificate in PEM form" % where) from None


def judge(
    pem: str, request: str, spiffe_id: str, roots: Sequence[x509.Certificate], where: str
) -> None:
    """Raises IdentityError unless the chain in ``pem``, which came from ``where``, is for the key
    of ``request`` (PEM), and peers would take it as ``spiffe_id``."""
    chain = certificates(pem, where)
    _check_validity(chain[0], where)
    _check_chain(chain, roots, where)
    _check_leaf(chain[0], spiffe_id, where)
    if chain[0].public_key() != _asked(request).public_key():
        raise IdentityError("%s is not for the key that the machine made" % where)


def asked_names(request: str) -> list[str]:
    """The names that a signing request (PEM) asks for, as KIND:NAME; what is no name, such as to
    be an authority, by its kind alone. Raises IdentityError."""
    asked = _asked(request)
    found = [attribute.rfc4514_attribute_name for attribute in asked.subject]
    for extension in asked.extensions:
        if isinstance(extension.value, x509.SubjectAlternativeName):
            found += [_name(one) for one in extension.value]
        else:
            found.append(extension.oid.dotted_string)
    return found


def _name(name: x509.GeneralName) -> str:
    kind = "URI" if isinstance(name, x509.UniformResourceIdentifier) else type(name).__name__
    return "%s:%s" % (kind, name.value)


def _asked(request: str) -> x509.CertificateSigningRequest:
    try:
        asked = x509.load_pem_x509_csr(request.encode())
    except ValueError:
        raise IdentityError("the machine's signing request cannot be read") from None
    if not asked.is_signature_valid:
        raise IdentityError("the machine's signing request is not signed by its key")
    return asked


def _check_leaf(leaf: x509.Certificate, spiffe_id: str, where: str) -> None:
    names = _names(leaf)
    if names != [spiffe_id]:
        raise IdentityError(
            "%s has the SPIFFE ID %s, but the machine's is %s"
            % (where, ", ".join(names) or "none", spiffe_id)
        )
    if not {Usage.SERVER_AUTH, Usage.CLIENT_AUTH} <= _usages(leaf):
        raise IdentityError("%s is not for both server and client" % where)
    key = leaf.public_key()
    if isinstance(key, rsa.RSAPublicKey) and key.key_size < RSA_BITS:
        raise IdentityError("%s: its RSA key has less than %d bits" % (where, RSA_BITS))


def _check_validity(certificate: x509.Certificate, where: str) -> None:
    now = datetime.datetime.now(datetime.UTC)
    if now < certificate.not_valid_before_utc:
        raise IdentityError("%s is valid only from %s" % (where, certificate.not_valid_before_utc))
    if now >= certificate.not_valid_after_utc:
        raise IdentityError("%s ended on %s" % (where, certificate.not_valid_after_utc))


def _check_chain(
    chain: Sequence[x509.Certificate], roots: Sequence[x509.Certificate], where: str
) -> None:
    """Each certificate is issued by the next, and the last by one of the roots, or is one."""
    for one, issuer in zip(chain, chain[1:]):
        if not _issued(one, issuer):
            raise IdentityError(
                "%s: its certificates are no chain; write the machine's first, then what issued it"
                % where
            )
    last = chain[-1]
    if not any(last == root or _issued(last, root) for root in roots):
        raise IdentityError(
            "identity.certificate: %s does not lead to a root of the mesh; add its intermediates,"
            " or have the mesh trust its root. When the mesh's root changes, let it trust both"
            " until no certificate is from the old one" % where
        )
    # OpenSSL and Envoy take the first root of that name, and look no further.
    alike = [root for root in roots if root.subject == last.issuer and root != last]
    if last not in roots and len(alike) > 1 and not _names_its_key(last):
        raise IdentityError(
            "identity.certificate: %s does not say which of the mesh's %d roots of the same name"
            " signed it, so that peers may take the wrong one; have it signed again with an"
            " authority key identifier (RFC 5280, 4.2.1.1)" % (where, len(alike))
        )


def leads_to(
    one: x509.Certificate, chain: Sequence[x509.Certificate], roots: Sequence[x509.Certificate]
) -> bool:
    """Whether ``one`` is an authority that leads to a root by way of those in ``chain``."""
    rest = [other for other in chain if other != one]
    return _is_authority(one) and (
        any(one == root or _issued(one, root) for root in roots)
        or any(_issued(one, other) and leads_to(other, rest, roots) for other in rest)
    )


def may_sign_lists(authority: x509.Certificate) -> bool:
    """Whether Envoy would take revocation lists of this authority (RFC 5280, 4.2.1.3, cRLSign)."""
    try:
        return authority.extensions.get_extension_for_class(x509.KeyUsage).value.crl_sign
    except x509.ExtensionNotFound:
        return True


def _names_its_key(certificate: x509.Certificate) -> bool:
    try:
        certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier)
    except x509.ExtensionNotFound:
        return False
    return True


def _issued(one: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        one.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return _is_authority(issuer)


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _names(certificate: x509.Certificate) -> list[str]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return names.get_values_for_type(x509.UniformResourceIdentifier)


def _usages(certificate: x509.Certificate) -> set[x509.ObjectIdentifier]:
    try:
        return set(certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)
    except x509.ExtensionNotFound:  # then it is for everything (RFC 5280, 4.2.1.12)
        return {Usage.SERVER_AUTH, Usage.CLIENT_AUTH}
