# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Revocation lists on the machine: which Envoy is to have, and whether a new one may replace an
old one.

Where Envoy looks at lists, it refuses each peer whose authority has none, or one that is over or
not signed by it; so a list is judged before it is kept. An empty file switches the check off.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

from ansible_collections.brownfield.mesh.plugins.module_utils import crl
from ansible_collections.brownfield.mesh.plugins.module_utils.bridge.state import (
    LISTS,
    REVOKED,
    WantedIdentity,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.crl import ListError, RevocationList
from ansible_collections.brownfield.mesh.plugins.module_utils.desired import (
    File,
    Host,
    MachineError,
)

CANDIDATE = LISTS + "/candidate"
END = ".pem"
# A list of which less than this part of its time is left should have been replaced.
LATE = 0.1


def for_envoy(host: Host, wanted: WantedIdentity, now: float) -> str:
    """The lists that Envoy is to have (PEM); '' for none."""
    lists = _wanted(host, wanted)
    asked = wanted.revocation
    # Without one of them all peers of its authority would be refused: it is all lists or none.
    if asked and asked.when_stale == "ignore" and any(one.ends <= now for one in lists):
        return ""
    return "".join(one.pem for one in lists)


def missing(host: Host, wanted: WantedIdentity) -> bool:
    """Whether the machine is to fetch lists and has none yet."""
    return bool(wanted.revocation and wanted.authority and not _kept(host))


def problems(host: Host, wanted: WantedIdentity, now: float) -> list[str]:
    """What is wrong with the lists, in words."""
    found = []
    for one in _wanted(host, wanted):
        if one.ends <= now:
            ignores = wanted.revocation and wanted.revocation.when_stale == "ignore"
            what = "no list is looked at" if ignores else "all peers of its authority are refused"
            found.append("%s was over %s, %s" % (one.shown, crl.utc(one.ends), what))
        elif one.ends - now < (one.ends - one.begins) * LATE:
            found.append("%s is over %s and was not replaced yet" % (one.shown, crl.utc(one.ends)))
    return found


def set_back(host: Host, text: str) -> str:
    """Why ``text`` (PEM) may not replace the lists in use, or ''."""
    return _older(_read(host.read(REVOKED)), crl.read(text))


def keep(host: Host, wanted: WantedIdentity, name: str, text: str, issuer: str, chain: str) -> None:
    """Take over the list of Vault's issuer ``name``, whose certificate is ``issuer``, below
    ``chain`` (PEM). An issuer that the mesh does not know does not concern it. Raises MachineError;
    what was kept stays then."""
    path = "%s/%s%s" % (LISTS, name, END)
    try:
        lists = crl.read(text)
    except ListError as error:
        raise MachineError("what Vault's issuer %s gives %s" % (name, error)) from None
    if len(lists) != 1:
        raise MachineError("Vault's issuer %s gives %d lists" % (name, len(lists)))
    files = {
        "list": text,
        "issuer": issuer,
        "chain": chain,
        "roots": wanted.roots,
    }
    os.makedirs(host.path(CANDIDATE), mode=0o755, exist_ok=True)
    try:
        for kind, content in files.items():
            host.write(File("%s/%s" % (CANDIDATE, kind), content, 0o644))
        at = {kind: host.path("%s/%s" % (CANDIDATE, kind)) for kind in files}
        leads = ["openssl", "verify", "-no-CApath", "-CAfile", at["roots"]]
        if not host.succeeds([*leads, "-untrusted", at["chain"], at["issuer"]]):
            return
        # Of OpenSSL before 3.2 the exit code does not tell.
        check = ["openssl", "crl", "-in", at["list"], "-noout", "-verify", "-CAfile", at["issuer"]]
        if "verify OK" not in host.words(check):
            raise MachineError("%s is not signed by Vault's issuer %s" % (lists[0].shown, name))
        usage = host.words(["openssl", "x509", "-in", at["issuer"], "-noout", "-ext", "keyUsage"])
        if "Key Usage" in usage and "CRL Sign" not in usage:
            raise MachineError(
                "Vault's issuer %s may not sign lists, so that Envoy takes none of it; have it"
                " signed with the key usage cRLSign" % name
            )
    finally:
        host.remove(CANDIDATE)
    older = _older(_read(host.read(path)), lists)
    if older:
        raise MachineError(older)
    host.write(File(path, lists[0].pem, 0o644))


def kept(host: Host, name: str) -> str:
    """The list of Vault's issuer ``name`` (PEM), or ''."""
    return host.read("%s/%s%s" % (LISTS, name, END)) or ""


def forget(host: Host, names: Iterable[str], now: float) -> None:
    """Forget lists of issuers other than ``names`` once they are over: their certificates may live
    on until then."""
    for name in _names(host):
        if name not in names and all(one.ends <= now for one in _read(kept(host, name))):
            host.remove("%s/%s%s" % (LISTS, name, END))


def _wanted(host: Host, wanted: WantedIdentity) -> list[RevocationList]:
    if wanted.revocation is None:
        return []
    fetched = _kept(host) if wanted.authority else []
    return crl.newest([*crl.read(wanted.revocation.lists), *fetched])


def _kept(host: Host) -> list[RevocationList]:
    return [one for name in _names(host) for one in _read(kept(host, name))]


def _names(host: Host) -> list[str]:
    folder = host.path(LISTS)
    names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
    return [name[: -len(END)] for name in names if name.endswith(END) and not name.startswith(".")]


def _read(text: str | None) -> tuple[RevocationList, ...]:
    """Lists that were judged once; what somebody has broken since is none."""
    try:
        return crl.read(text or "")
    except ListError:
        return ()


def _older(before: Iterable[RevocationList], after: Iterable[RevocationList]) -> str:
    back = [
        "%s would be replaced by an older one, %s; nothing was replaced" % (old.shown, new.shown)
        for old, new in crl.set_back(before, after)
    ]
    return "; ".join(back)
