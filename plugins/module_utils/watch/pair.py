# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""A key of this machine's own and its certificate, by which two programs know each other without an
authority (see ``state.Pair``)."""

from __future__ import annotations

import ssl
from collections.abc import Mapping

from ansible_collections.brownfield.mesh.plugins.module_utils import identity
from ansible_collections.brownfield.mesh.plugins.module_utils.desired import Change, File, Host
from ansible_collections.brownfield.mesh.plugins.module_utils.watch.state import (
    CLIENT_CERTIFICATE,
    VANTAGE_CERTIFICATES,
    Pair,
)

# A hundred years: it is replaced, not renewed.
DAYS = "36500"
# What OpenSSL's own configuration would make of it is an authority.
CONFIGURATION = """\
[req]
distinguished_name = subject
x509_extensions = extensions
prompt = no
[subject]
O = brownfield.mesh
[extensions]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
"""


# Before each certificate of VANTAGE_CERTIFICATES, with the name of its machine.
MARK = "# "


def known(host: Host, shown: Mapping[str, str]) -> dict[str, str]:
    """The vantages' certificates by name; the earlier one of a vantage that has ``shown`` none."""
    earlier: dict[str, str] = {}
    name = ""
    for line in (host.read(VANTAGE_CERTIFICATES) or "").splitlines(keepends=True):
        if line.startswith(MARK):
            name = line[len(MARK) :].rstrip("\n")
        else:
            earlier[name] = earlier.get(name, "") + line
    found = {one: shown[one] or earlier.get(one, "") for one in sorted(shown)}
    return {one: pem for one, pem in found.items() if pem}


def bundle(host: Host, certificates: Mapping[str, str]) -> str:
    """They as one file, each after its name. This machine's own comes first: a file without any is
    an error to Prometheus."""
    own = host.read(CLIENT_CERTIFICATE)
    found = {**({"itself": own} if own else {}), **certificates}
    return "".join("%s%s\n%s" % (MARK, one, pem) for one, pem in found.items())


def compare(host: Host, pair: Pair, owner: str) -> list[Change]:
    """Make the pair if it is not there, is for another address or does not belong together; the key
    is ``owner``'s."""
    rights = host.rights(pair.key)
    if rights == (0o600, host.uid(owner), host.gid("root")) and _serves(host, pair):
        return []
    shown = "a key that stays here, and its certificate\n"
    return [Change(pair.certificate, "", shown, lambda: _make(host, pair, owner))]


def _serves(host: Host, pair: Pair) -> bool:
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(host.path(pair.certificate), host.path(pair.key), password="")
    except (OSError, ssl.SSLError):
        return False
    return identity.addresses(host.path(pair.certificate)) == ([pair.address] * bool(pair.address))


def _make(host: Host, pair: Pair, owner: str) -> None:
    """The key comes first: one without its certificate is made anew by the next run."""
    key = identity.new_key(host)
    host.write(File(pair.key, key, 0o600, owner, secret=True))
    configuration = pair.certificate + ".cnf"
    named = "subjectAltName = IP:%s\n" % pair.address if pair.address else ""
    host.write(File(configuration, CONFIGURATION + named, 0o644))
    try:
        certificate = host.run(
            [
                *("openssl", "req", "-x509", "-days", DAYS, "-key", host.path(pair.key)),
                *("-config", host.path(configuration)),
            ]
        )
    finally:
        host.remove(configuration)
    host.write(File(pair.certificate, certificate, 0o644))
