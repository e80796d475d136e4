# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""A certificate from Vault, got by the machine itself: log in, have a key of its own signed, check,
bring into use.

With ``approle`` the controller supplies a wrapped secret once, which is used up by the first
log-in; what is kept is a token that can do no more than the role says, and that the machine renews.
With ``jwt`` each log-in is by the token in a file, with ``azure`` by the machine's managed
identity, and nothing is kept.
"""

from __future__ import annotations

import json
import re
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Optional

from ansible_collections.brownfield.mesh.plugins.module_utils.bridge import (
    azure,
    credentials,
    revocation,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.bridge.state import (
    IDENTITY_FILE,
    TOKEN,
    Authority,
    WantedIdentity,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.desired import (
    File,
    Host,
    MachineError,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.spec import Vault, from_data
from ansible_collections.brownfield.mesh.plugins.module_utils.vault import (
    Client,
    VaultError,
    number_at,
    text_at,
)

MAX_JWT = 1 << 16
MAX_CHAIN = 8
MAX_ISSUERS = 16
_NO_LIST = "unable to find CRL for issuer"
_ISSUER = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_PEM = re.compile(r"-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----\s*")


@dataclass(frozen=True)
class Login:
    """What the controller supplies for the first log-in by AppRole. Empty: nothing."""

    role_id: str = ""
    wrapping_token: str = ""

    def __repr__(self) -> str:
        return "Login()"


def read(host: Host) -> Optional[WantedIdentity]:
    """The identity as the controller last wrote it down on this machine, or None."""
    text = host.read(IDENTITY_FILE)
    return from_data(WantedIdentity, json.loads(text)) if text else None


def can_log_in(host: Host, authority: Authority) -> bool:
    """Whether the machine has what it logs in with; Vault is not asked."""
    return not authority.vault.keeps_token or host.rights(TOKEN) is not None


def logged_out(host: Host, authority: Authority) -> bool:
    """Whether Vault no longer takes the token that the machine keeps. Raises MachineError."""
    if not authority.vault.keeps_token:
        return False
    try:
        _client(authority).call("GET", "auth/token/lookup-self", token=host.read(TOKEN) or "")
    except VaultError as error:
        if error.status == 403:
            return True
        raise MachineError(str(error)) from None
    return False


def issue(host: Host, wanted: WantedIdentity, login: Login) -> None:
    """Get a certificate and bring it into use. Raises MachineError; what is in use stays then."""
    authority = wanted.authority
    if authority is None:
        raise MachineError("no authority is known to this machine; run onboard")
    with credentials.alone(host):
        try:
            client = _client(authority)
            if not authority.vault.keeps_token:
                token = _by_platform(host, client, authority.vault)
            elif login.wrapping_token:
                token = _by_secret(host, client, authority, login)
            else:
                token = _by_token(host, client, authority)
            try:
                chain = _sign(host, client, wanted, authority, token)
            finally:
                if not authority.vault.keeps_token:
                    _revoke(client, token)
        except VaultError as error:
            raise MachineError(str(error)) from None
        credentials.install(host, wanted, chain, "")


def fetch_lists(host: Host, wanted: WantedIdentity) -> None:
    """Take over the revocation lists of Vault's issuers, for which nobody needs to log in. They
    come into use with ``credentials.install``. Raises MachineError; what was kept stays then, and
    one bad list keeps no other from being taken."""
    authority = wanted.authority
    if authority is None or wanted.revocation is None:
        return
    mount, failed = authority.vault.pki_mount, []
    try:
        client = _client(authority)
        issuers = _issuers(client.call("GET", "%s/issuers?list=true" % mount))
    except VaultError as error:
        raise MachineError(str(error)) from None
    for issuer in issuers:
        try:
            _fetch_list(host, client, wanted, mount, issuer)
        except (VaultError, MachineError) as error:
            failed.append(str(error))
    revocation.forget(host, issuers, time.time())
    if failed:
        raise MachineError("; ".join(failed))


def log_out(host: Host) -> None:
    """Revoke the token that the machine keeps. When Vault is away it ends by itself."""
    # What lies on the machine may be half of something.
    with suppress(VaultError, ValueError, TypeError, KeyError, AttributeError):
        wanted, token = read(host), host.read(TOKEN)
        if wanted and wanted.authority and token:
            _revoke(_client(wanted.authority), token)


def chain_of(answer: Any, roots: str) -> str:
    """The certificate with what issued it (PEM), without ``roots``, out of the answer to a signing
    request. Raises VaultError."""
    found = [text_at(answer, "data", "certificate")]
    above = answer["data"].get("ca_chain") or []
    if not isinstance(above, list) or len(above) > MAX_CHAIN:
        raise VaultError("Vault's answer has no usable data.ca_chain")
    for item in [*found, *above]:
        if not isinstance(item, str) or not _PEM.fullmatch(item.strip() + "\n"):
            raise VaultError("Vault's answer holds something else than certificates")
    known = {"".join(pem.split()) for pem in _PEM.findall(roots)}
    found += [pem for pem in above if "".join(pem.split()) not in known]
    return "".join(pem.strip() + "\n" for pem in found)


def _issuers(answer: Any) -> list[str]:
    data = answer.get("data")
    names = data.get("keys") if isinstance(data, dict) else None
    if not isinstance(names, list) or len(names) > MAX_ISSUERS:
        raise VaultError("Vault's answer lacks data.keys, or has more than %d" % MAX_ISSUERS)
    # They become names of files.
    if not all(isinstance(name, str) and _ISSUER.fullmatch(name) for name in names):
        raise VaultError("Vault's answer has no usable data.keys")
    return names


def _fetch_list(
    host: Host, client: Client, wanted: WantedIdentity, mount: str, issuer: str
) -> None:
    path = "%s/issuer/%s" % (mount, issuer)
    try:
        text = text_at(client.call("GET", path + "/crl"), "data", "crl").strip() + "\n"
    except VaultError as error:
        # One without a key, such as a root above the others (vault:builtin/logical/pki).
        if _NO_LIST in str(error):
            return
        raise
    if text == revocation.kept(host, issuer):
        return
    answer = client.call("GET", path + "/json")
    certificate, chain = text_at(answer, "data", "certificate"), chain_of(answer, "")
    revocation.keep(host, wanted, issuer, text, certificate, chain)


def _by_platform(host: Host, client: Client, vault: Vault) -> str:
    """Log in by what the machine's platform says of it."""
    if vault.login == "azure":
        said = azure.identity(vault.azure_resource, vault.azure_client_id)
    else:
        said = {"jwt": _jwt(host, vault)}
    body = {"role": vault.role, **said}
    answer = client.call("POST", "auth/%s/login" % vault.mount, body, secrets=(said["jwt"],))
    return text_at(answer, "auth", "client_token")


def _jwt(host: Host, vault: Vault) -> str:
    try:
        jwt = (host.read(vault.jwt_path) or "").strip()
    except OSError as error:
        raise MachineError("%s cannot be read: %s" % (vault.jwt_path, error.strerror)) from None
    if not jwt or len(jwt) > MAX_JWT:
        raise MachineError(
            "%s holds no token; have the platform write it there, or correct"
            " identity.vault.jwt_path" % vault.jwt_path
        )
    return jwt


def _by_secret(host: Host, client: Client, authority: Authority, login: Login) -> str:
    """Log in with the secret that the controller wrapped, and keep the token."""
    vault = authority.vault
    secret_id = _unwrap(client, authority, login.wrapping_token)
    body = {"role_id": login.role_id, "secret_id": secret_id}
    path = "auth/%s/login" % vault.mount
    answer = client.call("POST", path, body, secrets=(secret_id,))
    token = text_at(answer, "auth", "client_token")
    lives = number_at(answer, "auth", "lease_duration")
    if answer["auth"].get("renewable") is not True or lives < authority.lifetime_seconds:
        _revoke(client, token)
        raise MachineError(
            "the AppRole %s gives tokens that cannot be renewed, or that live %d s, shorter than a"
            " certificate; set its token_period to %ds or longer"
            % (vault.role, lives, authority.lifetime_seconds)
        )
    old = host.read(TOKEN)
    host.write(File(TOKEN, token, 0o600, secret=True))
    if old:
        _revoke(client, old)
    return token


def _unwrap(client: Client, authority: Authority, wrapping_token: str) -> str:
    """The secret_id in a wrapping token that was made for it, and that nobody opened before."""
    vault = authority.vault
    secret = {"token": wrapping_token}
    try:
        found = client.call("POST", "sys/wrapping/lookup", secret, secrets=(wrapping_token,))
        made_by = text_at(found, "data", "creation_path")
        wanted = "auth/%s/role/%s/secret-id" % (vault.mount, vault.role)
        if made_by != wanted:
            raise MachineError(
                "the wrapped secret was made by %s, not by %s: somebody may have put it in the"
                " place of ours. It was not opened. Find out in Vault's audit log who made it"
                % (made_by, wanted)
            )
        path = "sys/wrapping/unwrap"
        answer = client.call("POST", path, token=wrapping_token)
    except VaultError as error:
        if error.status not in (400, 403, 404):
            raise
        raise MachineError(
            "the wrapped secret was opened already, is over or was never made (Vault: %s). It may"
            " have been stolen: see in Vault's audit log who opened it, destroy what the AppRole %s"
            " gave (its secret_ids and tokens), then run onboard again" % (error, vault.role)
        ) from None
    return text_at(answer, "data", "secret_id")


def _by_token(host: Host, client: Client, authority: Authority) -> str:
    """The token that the machine keeps, renewed."""
    token = host.read(TOKEN)
    if not token:
        raise MachineError("the machine has no log-in to Vault; run onboard")
    try:
        client.call("POST", "auth/token/renew-self", {}, token=token)
    except VaultError as error:
        if error.status == 403:
            # Without it the next onboard brings another one.
            host.remove(TOKEN)
            raise MachineError(
                "Vault no longer takes this machine's log-in (over, or revoked); run onboard"
            ) from None
        raise
    return token


def _sign(
    host: Host, client: Client, wanted: WantedIdentity, authority: Authority, token: str
) -> str:
    vault = authority.vault
    body = {
        "csr": credentials.request(host, wanted),
        "uri_sans": wanted.spiffe_id,
        "ttl": "%ds" % authority.lifetime_seconds,
        "format": "pem",
    }
    answer = client.call("POST", "%s/sign/%s" % (vault.pki_mount, vault.pki_role), body, token)
    return chain_of(answer, wanted.roots)


def _revoke(client: Client, token: str) -> None:
    with suppress(VaultError):
        client.call("POST", "auth/token/revoke-self", {}, token=token)


def _client(authority: Authority) -> Client:
    return Client(authority.vault.address, authority.ca)
