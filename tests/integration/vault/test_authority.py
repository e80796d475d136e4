# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""A machine and a real Vault: both log-ins, renewal, an outage, and everything that must fail."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.brownfield.mesh.plugins.module_utils import identity
from ansible_collections.brownfield.mesh.plugins.module_utils.bridge import (
    authority,
    credentials,
    renew,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.bridge.authority import Login
from ansible_collections.brownfield.mesh.plugins.module_utils.bridge.state import (
    CERTIFICATE,
    IDENTITIES,
    KEY,
    TOKEN,
    UNIT,
    WantedIdentity,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.desired import MachineError
from ansible_collections.brownfield.mesh.plugins.module_utils.vault import Client, VaultError
from ansible_collections.brownfield.mesh.plugins.plugin_utils import vault_login
from ansible_collections.brownfield.mesh.plugins.plugin_utils.errors import IdentityError
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from tests.integration.vault.conftest import Want, joined
from tests.support.azure_metadata import TOKEN as TOKEN_PATH
from tests.support.azure_metadata import Metadata
from tests.support.bridge import SPIFFE_ID, Box, issue, pem
from tests.support.vault import Server

JWT_PATH = "/var/lib/platform/token"


def supplied(vault: Server) -> Login:
    """What the controller brings."""
    environment = {"VAULT_TOKEN": vault.controller_token()}
    return Login(**vault_login.wrapped(vault.vault(), vault.ca, "billing-1", environment))


def by_secret(vault: Server, box: Box, wanted: WantedIdentity) -> None:
    authority.issue(box.host, joined(box, wanted), supplied(vault))


def by_jwt(vault: Server, box: Box, wanted: WantedIdentity, subject: str = "billing") -> None:
    path = box.path(JWT_PATH)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(vault.jwt(subject) + "\n")
    authority.issue(box.host, joined(box, wanted), Login())


def serving(box: Box) -> str:
    return identity.serial(str(box.path(CERTIFICATE)))


def half_over(box: Box) -> float:
    """A time at which the certificate is to be renewed, whatever its serial number."""
    found = identity.read(str(box.path(CERTIFICATE)))
    assert found is not None
    return found.not_before + (found.not_after - found.not_before) * 0.61


@contextmanager
def unchanged(box: Box, words: str) -> Iterator[None]:
    """What is in use stays in use, and the error says ``words`` and no secret."""
    before, link = serving(box), list(box.path(IDENTITIES).glob("current/*"))
    with pytest.raises(MachineError, match=words) as caught:
        yield
    assert serving(box) == before
    assert list(box.path(IDENTITIES).glob("current/*")) == link
    assert "hvs." not in str(caught.value)
    assert "eyJ" not in str(caught.value)


def test_by_a_wrapped_secret(vault: Server, box: Box, want: Want) -> None:
    by_secret(vault, box, want())
    found = identity.read(str(box.path(CERTIFICATE)))
    assert found is not None
    assert found.spiffe_id == SPIFFE_ID
    assert 3000 < found.not_after - time.time() <= 3600
    assert box.path(KEY).stat().st_mode & 0o777 == 0o600
    assert box.path(TOKEN).stat().st_mode & 0o777 == 0o600
    assert credentials.current(box.host, want())
    chain = x509.load_pem_x509_certificates(box.path(CERTIFICATE).read_bytes())
    assert len(chain) == 2  # the root is not sent along


def test_by_a_jwt_nothing_is_kept(vault: Server, box: Box, want: Want) -> None:
    by_jwt(vault, box, want(login="jwt", jwt_path=JWT_PATH))
    assert credentials.current(box.host, want())
    assert not box.path(TOKEN).exists()


def test_by_a_managed_identity_nothing_is_kept(vault: Server, box: Box, want: Want) -> None:
    wanted = joined(box, want(login="azure"))
    with ExitStack() as stack:
        metadata = Metadata(vault.jwt())
        metadata.start(stack)
        authority.issue(box.host, wanted, Login())
        assert credentials.current(box.host, want())
        assert not box.path(TOKEN).exists()
        metadata.answers[TOKEN_PATH] = (400, {"error_description": "Identity not found"})
        with unchanged(box, r"Identity not found.*managed identity"):
            authority.issue(box.host, wanted, Login())
        metadata.answers[TOKEN_PATH] = (200, {"access_token": vault.jwt("somebody-else")})
        with unchanged(box, r"answers 4.. to POST auth/azure/login"):
            authority.issue(box.host, wanted, Login())


def test_no_secret_is_in_a_command(vault: Server, box: Box, want: Want) -> None:
    by_secret(vault, box, want())
    secrets = [box.path(TOKEN).read_text(), box.path(KEY).read_text().splitlines()[1]]
    assert [c for c in box.commands if any(secret in c for secret in secrets)] == []


def test_a_secret_that_was_opened_already_is_an_alarm(vault: Server, box: Box, want: Want) -> None:
    by_secret(vault, box, want())
    login = supplied(vault)
    thief = Client(vault.address, vault.ca)
    thief.call("POST", "sys/wrapping/unwrap", token=login.wrapping_token)
    with unchanged(box, "may have been stolen.*audit log.*run onboard again"):
        authority.issue(box.host, want(), login)


def test_a_secret_that_somebody_else_wrapped_is_not_opened(
    vault: Server, box: Box, want: Want
) -> None:
    by_secret(vault, box, want())
    forged = vault.call("POST", "sys/wrapping/wrap", {"secret_id": "x"}, wrap="60s")
    token = forged["wrap_info"]["token"]
    with unchanged(box, r"made by sys/wrapping/wrap, not by auth/approle/role/billing/secret-id"):
        authority.issue(box.host, want(), replace(supplied(vault), wrapping_token=token))
    assert vault.call("POST", "sys/wrapping/unwrap", token=token)["data"] == {"secret_id": "x"}


def test_a_secret_serves_one_log_in(vault: Server) -> None:
    login = supplied(vault)
    client = Client(vault.address, vault.ca)
    path = "auth/approle/login"
    opened = client.call("POST", "sys/wrapping/unwrap", token=login.wrapping_token)["data"]
    body = {"role_id": login.role_id, "secret_id": opened["secret_id"]}
    client.call("POST", path, body)
    with pytest.raises(VaultError, match="invalid"):
        client.call("POST", path, body)


def test_the_machines_token_can_sign_and_nothing_else(vault: Server, box: Box, want: Want) -> None:
    by_secret(vault, box, want())
    token = box.path(TOKEN).read_text()
    for method, path in (("GET", "pki/roles/machine"), ("GET", "auth/approle/role/billing")):
        with pytest.raises(VaultError) as caught:
            vault.call(method, path, token=token)
        assert caught.value.status == 403
    found = vault.call("GET", "auth/token/lookup-self", token=token)["data"]
    assert found["meta"]["machine"] == "billing-1"
    assert found["policies"] == ["default", "machine"]


def test_renewed_at_half_of_its_life_and_not_before(vault: Server, box: Box, want: Want) -> None:
    by_secret(vault, box, want())
    first, key = serving(box), box.path(KEY).read_text()
    assert renew.renew(box.host, time.time()) == ""
    assert serving(box) == first
    assert renew.renew(box.host, half_over(box)).startswith("certificate renewed; it ends 20")
    assert serving(box) != first
    assert box.path(KEY).read_text() != key
    assert box.ran("systemctl") == []
    renew.renew(box.host, half_over(box))
    assert len([p for p in box.path(IDENTITIES).iterdir() if p.is_dir()]) == 3  # two and the link


def test_a_machine_without_a_certificate_gets_one_and_its_bridge_starts_anew(
    vault: Server, box: Box, want: Want
) -> None:
    joined(box, want(login="jwt", jwt_path=JWT_PATH))
    with pytest.raises(MachineError, match=r"has none.*holds no token; have the platform"):
        renew.renew(box.host, time.time())
    box.path(JWT_PATH).parent.mkdir(parents=True)
    box.path(JWT_PATH).write_text(vault.jwt())
    renew.renew(box.host, time.time())
    assert serving(box)
    assert box.ran("systemctl") == ["systemctl --no-block restart " + UNIT]


def test_vault_away_sealed_and_back(
    vault: Server, box: Box, want: Want, capsys: pytest.CaptureFixture[str]
) -> None:
    by_secret(vault, box, want())
    vault.stop()
    with unchanged(
        box, r"not renewed; the one in use serves until 20\S+ \(\d+ s\).*cannot be used"
    ):
        renew.renew(box.host, half_over(box))
    vault.start()
    with unchanged(box, "not renewed.*sealed"):
        renew.renew(box.host, half_over(box))
    with unchanged(box, "ended 20.*the mesh refuses it"):
        renew.renew(box.host, time.time() + 7200)
    vault.unseal()
    first = serving(box)
    assert "certificate renewed" in renew.renew(box.host, half_over(box))
    assert serving(box) != first


def test_a_revoked_log_in_is_asked_for_again(vault: Server, box: Box, want: Want) -> None:
    by_secret(vault, box, want())
    assert not authority.logged_out(box.host, want().authority)  # type: ignore[arg-type]
    vault.call("POST", "auth/token/revoke", {"token": box.path(TOKEN).read_text()})
    assert authority.logged_out(box.host, want().authority)  # type: ignore[arg-type]
    with unchanged(box, "no longer takes this machine's log-in"):
        renew.renew(box.host, half_over(box))
    assert not authority.can_log_in(box.host, want().authority)  # type: ignore[arg-type]
    with unchanged(box, "no log-in to Vault; run onboard"):
        renew.renew(box.host, half_over(box))


def test_leaving_revokes(vault: Server, box: Box, want: Want) -> None:
    by_secret(vault, box, want())
    token = box.path(TOKEN).read_text()
    authority.log_out(box.host)
    with pytest.raises(VaultError) as caught:
        vault.call("GET", "auth/token/lookup-self", token=token)
    assert caught.value.status == 403


def test_a_vault_of_another_authority_is_not_believed(vault: Server, box: Box, want: Want) -> None:
    by_secret(vault, box, want())
    login = supplied(vault)
    other = pem(issue(authority=True).certificate)
    with unchanged(box, "is not believed.*identity.vault.ca"):
        authority.issue(box.host, want(ca=other), login)
    authority.issue(box.host, want(), login)  # the secret never left the machine


def test_a_role_of_the_pki_that_refuses_the_name(vault: Server, box: Box, want: Want) -> None:
    by_secret(vault, box, want())
    vault.role("spiffe://cluster.local/ns/other/sa/other")
    try:
        with unchanged(box, r"answers 400 to POST pki/sign/machine: .*not valid"):
            renew.renew(box.host, half_over(box))
    finally:
        vault.role(SPIFFE_ID)


def test_a_certificate_for_servers_only_is_refused(vault: Server, box: Box, want: Want) -> None:
    by_secret(vault, box, want())
    vault.role(SPIFFE_ID, client_flag=False)
    try:
        with unchanged(box, "not one that the mesh takes"):
            renew.renew(box.host, half_over(box))
    finally:
        vault.role(SPIFFE_ID)


def test_an_authority_outside_of_the_mesh_is_refused(vault: Server, box: Box, want: Want) -> None:
    by_secret(vault, box, want())
    other = replace(want(), roots=pem(issue(authority=True).certificate))
    with unchanged(box, "not one that the mesh takes.*below a root of the mesh"):
        authority.issue(box.host, other, supplied(vault))


def test_the_root_changes_and_the_machine_goes_along(vault: Server, box: Box, want: Want) -> None:
    new = issue(authority=True)
    old_roots, new_roots = want().roots, pem(new.certificate)
    by_secret(vault, box, want())
    first, before = serving(box), vault.call("GET", "pki/config/issuers")["data"]["default"]
    try:
        with unchanged(box, "not one that the mesh takes.*trust both roots"):
            authority.issue(box.host, replace(want(), roots=new_roots), Login())
        both = joined(box, replace(want(), roots=old_roots + new_roots))
        credentials.install(box.host, both, "", "")
        assert serving(box) == first
        vault.below(new)
        # Trust in the new one alone is no reason to fail any more: both change together.
        alone = replace(want(), roots=new_roots)
        assert not credentials.usable(box.host, alone)
        assert "certificate renewed" in renew.renew(box.host, half_over(box))
        assert serving(box) != first
        assert credentials.usable(box.host, alone)
        credentials.install(box.host, joined(box, alone), "", "")
        assert credentials.current(box.host, alone)
    finally:
        vault.call("POST", "pki/config/issuers", {"default": before})


def test_a_life_that_the_role_cuts(vault: Server, box: Box, want: Want) -> None:
    by_secret(vault, box, want())
    vault.role(SPIFFE_ID, max_ttl="1800s")
    try:
        renew.renew(box.host, half_over(box))
        found = identity.read(str(box.path(CERTIFICATE)))
        assert found is not None
        assert found.not_after - time.time() <= 1800
        vault.role(SPIFFE_ID, max_ttl="600s")
        with unchanged(box, "lives 600 s|lives 59. s"):
            renew.renew(box.host, half_over(box))
    finally:
        vault.role(SPIFFE_ID)


def test_tokens_that_end_before_the_certificate_are_refused(
    vault: Server, box: Box, want: Want
) -> None:
    with pytest.raises(MachineError, match="set its token_period to 90000s"):
        authority.issue(box.host, want(lives=90000), supplied(vault))
    assert not box.path(TOKEN).exists()


@pytest.mark.parametrize("subject", ["billing", "somebody"])
def test_a_jwt_of_somebody_else_or_a_broken_one(
    vault: Server, box: Box, want: Want, subject: str
) -> None:
    wanted = want(login="jwt", jwt_path=JWT_PATH)
    by_jwt(vault, box, wanted)
    if subject == "somebody":
        with unchanged(box, r"answers 4.. to POST auth/jwt/login"):
            by_jwt(vault, box, wanted, subject)
        return
    header, claims, _ = vault.jwt().split(".")
    box.path(JWT_PATH).write_text("%s.%s.%s" % (header, claims, "A" * 86))
    with unchanged(box, r"answers 4.. to POST auth/jwt/login"):
        authority.issue(box.host, wanted, Login())


def test_the_controller_without_a_token_or_with_the_wrong_one(vault: Server) -> None:
    for token, words in (("", "set VAULT_TOKEN"), ("hvs.wrong", "VAULT_TOKEN must be a token")):
        with pytest.raises(IdentityError, match=words) as caught:
            vault_login.wrapped(vault.vault(), vault.ca, "billing-1", {"VAULT_TOKEN": token})
        assert "billing-1" in str(caught.value)
        assert "hvs.wrong" not in str(caught.value)


def test_a_malformed_answer_never_replaces_what_serves(
    vault: Server, box: Box, want: Want, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_secret(vault, box, want())
    call = Client.call
    key = ec.generate_private_key(ec.SECP256R1())
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    strange = pem(issue(name=SPIFFE_ID).certificate)
    answers: list[Any] = [
        {},
        {"data": None},
        {"data": {"certificate": ""}},
        {"data": {"certificate": "-----BEGIN CERTIFICATE-----\n%%%\n-----END CERTIFICATE-----"}},
        {"data": {"certificate": pem(request.sign(key, hashes.SHA256()))}},
        {"data": {"certificate": strange, "ca_chain": "no list"}},
        {"data": {"certificate": strange, "ca_chain": [pem(key)]}},
        {"data": {"certificate": strange}},  # of another key
    ]
    for answer in answers:

        def tampered(self: Client, method: str, path: str, *rest: Any, **more: Any) -> Any:
            given = call(self, method, path, *rest, **more)
            return answer if path.startswith("pki/sign") else given  # noqa: B023

        monkeypatch.setattr(Client, "call", tampered)
        with unchanged(box, "not renewed"):
            renew.renew(box.host, half_over(box))
