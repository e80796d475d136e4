# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Certificate, key, roots and revocation lists on the machine: what is there, a request for what
is not, a swap.

They lie in a folder of their own, and a link leads to the folder in use: they change as one, by
renaming the link, which is what Envoy watches for. A folder is complete before the link leads
to it, so that no half of an identity is ever in use.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Optional

from ansible_collections.brownfield.mesh.plugins.module_utils import identity
from ansible_collections.brownfield.mesh.plugins.module_utils.bridge import revocation
from ansible_collections.brownfield.mesh.plugins.module_utils.bridge.state import (
    CERTIFICATE,
    CURRENT,
    IDENTITIES,
    ISSUER,
    KEY,
    LISTS,
    NEXT_KEY,
    REVOKED,
    ROOTS,
    STATE,
    USER,
    Authority,
    WantedIdentity,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.desired import (
    Directory,
    File,
    Host,
    Link,
    MachineError,
    compare_directory,
    compare_link,
)

# A run renews a certificate that is signed on request when less than this part of its life is left:
# before the alarm MeshCertificateEnding (0.35), and behind the machine's timer, if it has one.
RENEW_AT = 1 / 2
RENEW_BEHIND_TIMER = 1 / 3
# A certificate that lives shorter than so many looks of the timer would not be renewed safely.
MIN_LOOKS = 4


def usable(host: Host, wanted: WantedIdentity) -> bool:
    """Whether the machine has the identity it is to have, and its key."""
    found = identity.read(host.path(CERTIFICATE))
    if found is None or found.spiffe_id != wanted.spiffe_id or not _fit(host):
        return False
    if wanted.certificate:
        return host.read(CERTIFICATE) == wanted.certificate
    if wanted.issuer and host.read(ISSUER) != wanted.issuer:
        return False
    left = found.valid_for(time.time())
    part = RENEW_AT if wanted.authority is None else RENEW_BEHIND_TIMER
    if left <= (found.not_after - found.not_before) * part:
        return False
    # A chain was judged by the roots beside it when it came into use.
    return host.read(ROOTS) == wanted.roots or _leads_to(host, wanted.roots)


def current(host: Host, wanted: WantedIdentity) -> bool:
    """Whether the identity is usable, and roots and revocation lists are those wanted."""
    return (
        usable(host, wanted)
        and host.read(ROOTS) == wanted.roots
        and not revocation.missing(host, wanted)
        and host.read(REVOKED) == revocation.for_envoy(host, wanted, time.time())
    )


def request(host: Host, wanted: WantedIdentity) -> str:
    """A certificate signing request (PEM) for a key that is made here and stays here."""
    if host.rights(NEXT_KEY) is None:
        made = identity.new_key(host)
        os.makedirs(host.path(IDENTITIES), mode=0o750, exist_ok=True)
        host.write(File(NEXT_KEY, made, 0o600, secret=True))
    # Whose it is says the authority; some want to be asked for it.
    command = ["openssl", "req", "-new", "-key", host.path(NEXT_KEY), "-subj", "/"]
    return host.run([*command, "-addext", "subjectAltName=URI:" + wanted.spiffe_id])


def install(host: Host, wanted: WantedIdentity, certificate: str, key: str) -> None:
    """Bring the identity into use. Empty texts mean what the machine has: its key that waits for
    the certificate, or with no certificate either, the pair in use with other roots and lists.

    Raises MachineError when they do not belong together; what is in use stays in use then.
    """
    if not certificate:
        certificate, key = host.read(CERTIFICATE) or "", host.read(KEY) or ""
    elif not key:
        key = host.read(NEXT_KEY) or ""
    lists = revocation.for_envoy(host, wanted, time.time())
    content = certificate + wanted.roots + wanted.issuer + lists
    name = hashlib.sha256(content.encode()).hexdigest()[:16]
    folder = "%s/%s" % (IDENTITIES, name)
    for change in compare_directory(host, Directory(folder, 0o750, "root", USER)):
        change.act()
    host.write(File(folder + "/key.pem", key, 0o600, USER, USER, secret=True))
    host.write(File(folder + "/cert-chain.pem", certificate, 0o644))
    host.write(File(folder + "/roots.pem", wanted.roots, 0o644))
    host.write(File(folder + "/issuer.pem", wanted.issuer, 0o644))
    host.write(File(folder + "/revoked.pem", lists, 0o644))
    problem = _problem(host, folder, wanted) or revocation.set_back(host, lists)
    if problem:
        host.remove(folder)
        raise MachineError(problem)
    for change in compare_link(host, Link(CURRENT, name)):
        change.act()
    host.remove(NEXT_KEY)
    if wanted.revocation is None:
        host.remove(LISTS)


@contextmanager
def alone(host: Host) -> Iterator[None]:
    """One at a time: the timer may fire while onboard runs."""
    handle = os.open(host.path(STATE), os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def tidy(host: Host) -> None:
    """Take folders away that are no longer in use."""
    used = os.readlink(host.path(CURRENT))
    for name in os.listdir(host.path(IDENTITIES)):
        path = "%s/%s" % (IDENTITIES, name)
        if name != used and not os.path.islink(host.path(path)) and os.path.isdir(host.path(path)):
            host.remove(path)


def serial(host: Host) -> str:
    """The serial number of the certificate in use, or ''."""
    return identity.serial(host.path(CERTIFICATE))


def _problem(host: Host, folder: str, wanted: WantedIdentity) -> Optional[str]:
    found = identity.read(host.path(folder + "/cert-chain.pem"))
    if found is None or found.spiffe_id != wanted.spiffe_id:
        whose = found.spiffe_id if found else "none"
        return "the certificate's SPIFFE ID is %s, not %s; nothing was replaced" % (
            whose,
            wanted.spiffe_id,
        )
    if not _fit(host, folder):
        return "certificate and key do not belong together; nothing was replaced"
    return _unfit(host, folder, found, wanted.authority) if wanted.authority else None


def _unfit(
    host: Host, folder: str, found: identity.Identity, authority: Authority
) -> Optional[str]:
    """Why the mesh would refuse what the authority gave, or why it would end unrenewed."""
    chain, roots = (host.path("%s/%s" % (folder, n)) for n in ("cert-chain.pem", "roots.pem"))
    command = ["openssl", "verify", "-no-CApath", "-CAfile", roots, "-untrusted", chain, "-purpose"]
    for purpose in ("sslserver", "sslclient"):
        try:
            host.run([*command, purpose, chain])
        except MachineError as error:
            return (
                "the certificate is not one that the mesh takes; nothing was replaced. Have the"
                " authority of identity.vault.pki_mount signed below a root of the mesh, for server"
                " and client; when the mesh's root changes, let it trust both roots until then. %s"
                % error
            )
    left = found.valid_for(time.time())
    if left < MIN_LOOKS * authority.check_seconds:
        return (
            "the certificate lives %d s, not %d s; nothing was replaced. Raise max_ttl of the PKI's"
            " role, or lower identity.lifetime" % (left, authority.lifetime_seconds)
        )
    return None


def _fit(host: Host, folder: str = CURRENT) -> bool:
    """Whether certificate and key can be read and belong together."""
    try:
        _serving(host, folder)
    except (OSError, ssl.SSLError):
        return False
    return True


def _leads_to(host: Host, roots: str) -> bool:
    """Whether a peer that trusts ``roots`` (PEM) would take the certificate in use: tried by a
    handshake in memory, since they are not on the machine yet."""
    to_peer, to_us = ssl.MemoryBIO(), ssl.MemoryBIO()
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusting.check_hostname = False  # it has a SPIFFE ID instead
    try:
        trusting.load_verify_locations(cadata=roots)
        peer = trusting.wrap_bio(to_peer, to_us)
        us = _serving(host).wrap_bio(to_us, to_peer, server_side=True)
        for side in (peer, us, peer):
            with suppress(ssl.SSLWantReadError):
                side.do_handshake()
    except (OSError, ValueError, ssl.SSLError):
        return False
    return peer.version() is not None


def _serving(host: Host, folder: str = CURRENT) -> ssl.SSLContext:
    """A server with the identity in ``folder``. Raises OSError and ssl.SSLError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(
        host.path(folder + "/cert-chain.pem"),
        host.path(folder + "/key.pem"),
        password="",  # or it would ask for one
    )
    return context
