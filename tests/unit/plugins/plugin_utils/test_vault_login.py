# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""What the controller asks of Vault for a machine, and what it says when it may not."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.brownfield.mesh.plugins.module_utils.spec import Vault
from ansible_collections.brownfield.mesh.plugins.module_utils.vault import Client, VaultError
from ansible_collections.brownfield.mesh.plugins.plugin_utils import vault_login
from ansible_collections.brownfield.mesh.plugins.plugin_utils.errors import IdentityError

from tests.support.bridge import issue, pem

CA = pem(issue(authority=True).certificate)
VAULT = Vault("https://vault.example:8200", "ca.pem", "machine", "billing", auth_mount="vms")
ENVIRONMENT = {"VAULT_TOKEN": "hvs.canary"}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """The requests; Vault answers each as it would."""
    found: list[tuple[Any, ...]] = []

    def call(self: Client, *request: Any, **more: Any) -> dict[str, Any]:
        found.append((*request, more))
        if request[1].endswith("/role-id"):
            return {"data": {"role_id": "the role"}}
        return {"wrap_info": {"token": "hvs.wrapped"}}

    monkeypatch.setattr(Client, "call", call)
    return found


def test_a_secret_for_one_log_in_of_this_machine_wrapped_for_minutes(asked: list[Any]) -> None:
    given = vault_login.wrapped(VAULT, CA, "billing-1", ENVIRONMENT)
    assert given == {"role_id": "the role", "wrapping_token": "hvs.wrapped"}
    method, path, body, token, wrap, _ = asked[1]
    assert (method, path) == ("POST", "auth/vms/role/billing/secret-id")
    assert body == {"metadata": '{"machine": "billing-1"}', "num_uses": 1, "ttl": "120s"}
    assert (token, wrap) == ("hvs.canary", "120s")


def test_without_a_token_nothing_is_asked(asked: list[Any]) -> None:
    with pytest.raises(IdentityError, match=r"billing-1 needs .* set VAULT_TOKEN .* update auth"):
        vault_login.wrapped(VAULT, CA, "billing-1", {})
    assert asked == []


@pytest.mark.parametrize(("status", "advised"), [(403, True), (503, False)])
def test_a_refusal_names_the_machine_and_the_rights(
    monkeypatch: pytest.MonkeyPatch, status: int, advised: bool
) -> None:
    def refuse(*request: Any, **more: Any) -> None:
        raise VaultError("Vault says no", status)

    monkeypatch.setattr(Client, "call", refuse)
    with pytest.raises(
        IdentityError, match=r"^billing-1: no log-in to Vault: Vault says"
    ) as caught:
        vault_login.wrapped(VAULT, CA, "billing-1", ENVIRONMENT)
    assert ("VAULT_TOKEN must be a token that may read" in str(caught.value)) == advised
    assert "canary" not in str(caught.value)
