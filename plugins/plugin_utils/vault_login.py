# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""A machine's first log-in to Vault: a secret that is wrapped for it, so that only the machine ever
sees it, and that it was not seen before is sure."""

from __future__ import annotations

import json
from collections.abc import Mapping

from ansible_collections.brownfield.mesh.plugins.module_utils.spec import Vault
from ansible_collections.brownfield.mesh.plugins.module_utils.vault import (
    Client,
    VaultError,
    text_at,
)
from ansible_collections.brownfield.mesh.plugins.plugin_utils.errors import IdentityError

# Long enough for one join; a wrapped secret that nobody opened is worth nothing after it.
WRAPPED_SECONDS = 120
VARIABLE = "VAULT_TOKEN"


def wrapped(vault: Vault, ca: str, machine: str, environment: Mapping[str, str]) -> dict[str, str]:
    """``role_id`` and ``wrapping_token`` for ``machine``. ``ca`` is the authority of Vault's own
    certificate (PEM). Raises IdentityError."""
    role = "auth/%s/role/%s" % (vault.mount, vault.role)
    token = environment.get(VARIABLE, "")
    rights = "may read %s/role-id and update %s/secret-id" % (role, role)
    if not token:
        raise IdentityError(
            "%s needs a log-in to Vault; set %s in the controller's environment to a token that %s"
            % (machine, VARIABLE, rights)
        )
    # Vault repeats the metadata in its audit log, and gives it to the token.
    body = {
        "metadata": json.dumps({"machine": machine}),
        "num_uses": 1,
        "ttl": "%ds" % WRAPPED_SECONDS,
    }
    try:
        client = Client(vault.address, ca)
        role_id = text_at(client.call("GET", role + "/role-id", token=token), "data", "role_id")
        wrap = "%ds" % WRAPPED_SECONDS
        answer = client.call("POST", role + "/secret-id", body, token, wrap)
        return {"role_id": role_id, "wrapping_token": text_at(answer, "wrap_info", "token")}
    except VaultError as error:
        advice = "; %s must be a token that %s" % (VARIABLE, rights) if error.status == 403 else ""
        raise IdentityError("%s: no log-in to Vault: %s%s" % (machine, error, advice)) from None
