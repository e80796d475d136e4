# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""A real Vault revokes a certificate, and a machine with a real Envoy refuses it."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.brownfield.mesh.plugins.module_utils import crl, spec
from ansible_collections.brownfield.mesh.plugins.module_utils.bridge import renew
from ansible_collections.brownfield.mesh.plugins.module_utils.bridge.state import (
    IDENTITY_FILE,
    REVOKED,
    Authority,
    Revocation,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.desired import File, MachineError
from ansible_collections.brownfield.mesh.plugins.module_utils.spec import to_data
from ansible_collections.brownfield.mesh.plugins.module_utils.vault import Client, VaultError
from cryptography import x509

from tests.integration.vault.conftest import ROOT
from tests.support.bridge import SPIFFE_ID, Pair, pem, request
from tests.support.envoys import CALLED, CALLER, Two, two, until
from tests.support.vault import Server


@pytest.fixture
def pair(vault: Server) -> Iterator[Two]:
    """Two bridges with certificates of Vault; the one that is called fetches its lists."""
    vault.role(CALLER, allowed_uri_sans=[CALLER, CALLED])
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mesh")))
        made = two(folder, stack, spec.Bridge(revocation=spec.Revocation()))
        for proxy in (made.client, made.server):
            proxy.machine = replace(proxy.machine, bridges=(CALLER, CALLED))
            give(proxy, signed(vault, proxy.identity.spiffe_id))
        wanted = replace(
            made.server.identity,
            authority=Authority(vault.vault(), vault.ca, 3600, 300),
            revocation=Revocation("", "refuse"),
        )
        content = json.dumps(to_data(wanted))
        made.server.box.host.write(File(IDENTITY_FILE, content, 0o644))
        made.start(stack)
        assert made.call()
        yield made
    vault.role(SPIFFE_ID)


def signed(vault: Server, name: str) -> tuple[Pair, Pair]:
    """A certificate of Vault's, and the authority above it."""
    csr, key = request(name)
    body = {"csr": csr, "uri_sans": name, "ttl": "1h", "format": "pem"}
    data = vault.call("POST", "pki/sign/machine", body)["data"]
    leaf, issuer = (
        x509.load_pem_x509_certificate(data[kind].encode())
        for kind in ("certificate", "issuing_ca")
    )
    return Pair(leaf, key), Pair(issuer, None)


def give(proxy: Any, chain: tuple[Pair, Pair]) -> None:
    proxy.give(*chain, roots=pem(ROOT.certificate))


def revoke(vault: Server, pair: Pair) -> None:
    serial = "%x" % pair.certificate.serial_number
    serial = serial if len(serial) % 2 == 0 else "0" + serial
    colons = ":".join(serial[at : at + 2] for at in range(0, len(serial), 2))
    vault.call("POST", "pki/revoke", {"serial_number": colons})


def test_revoked_by_vault_refused_by_the_machine(vault: Server, pair: Two) -> None:
    host = pair.server.box.host
    assert renew.update(host, time.time()) == "other revocation lists are in use now"
    (first,) = crl.read(host.read(REVOKED) or "")
    until(pair.call, pair.server.log)
    assert renew.update(host, time.time()) == ""
    stolen = signed(vault, CALLER)
    give(pair.client, stolen)
    until(pair.call, pair.server.log)
    revoke(vault, stolen[0])
    renew.update(host, time.time())
    until(lambda: not pair.call(), pair.server.log)
    until(lambda: "certificate_revoked" in pair.server.log, pair.server.log)
    (second,) = crl.read(host.read(REVOKED) or "")
    assert second.age > first.age
    give(pair.client, signed(vault, CALLER))
    until(pair.call, pair.server.log)


def test_another_issuer_brings_its_list_before_it_signs(vault: Server, pair: Two) -> None:
    host = pair.server.box.host
    before = vault.call("GET", "pki/config/issuers")["data"]["default"]
    renew.update(host, time.time())
    old = len(crl.read(host.read(REVOKED) or ""))
    try:
        vault.below(ROOT)
        assert renew.update(host, time.time())
        assert len(crl.read(host.read(REVOKED) or "")) == old + 1
        assert pair.call()  # whose certificate is of the issuer before
        give(pair.client, signed(vault, CALLER))
        until(pair.call, pair.server.log)
    finally:
        vault.call("POST", "pki/config/issuers", {"default": before})


def test_vault_away_or_lying_leaves_the_lists_as_they_are(
    vault: Server, pair: Two, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = pair.server.box.host
    renew.update(host, time.time())
    good = host.read(REVOKED)
    call = Client.call
    answers: list[tuple[str, Any, str]] = [
        ("list=true", {"data": {"keys": ["../../etc/passwd"]}}, "no usable data.keys"),
        ("list=true", {"data": {"keys": "x"}}, "lacks data.keys"),
        ("/crl", {"data": {"crl": "rubbish"}}, "gives 0 lists"),
    ]
    for end, answer, why in answers:

        def tampered(self: Client, method: str, path: str, *rest: Any, **more: Any) -> Any:
            found = call(self, method, path, *rest, **more)
            return answer if path.endswith(end) else found  # noqa: B023

        monkeypatch.setattr(Client, "call", tampered)
        with pytest.raises(MachineError, match="revocation lists not fetched: .*" + why):
            renew.update(host, time.time())
        assert host.read(REVOKED) == good

    def away(self: Client, *rest: Any, **more: Any) -> Any:
        raise VaultError("cannot be used: timed out")

    monkeypatch.setattr(Client, "call", away)
    with pytest.raises(MachineError, match="cannot be used"):
        renew.update(host, time.time())
    assert host.read(REVOKED) == good
    assert pair.call()
