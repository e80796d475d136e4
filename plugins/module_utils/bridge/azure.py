# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""What Azure says of the machine it runs: the instance metadata service's token and names.

The service answers at a link-local address, to the machine alone (learn.microsoft.com, "Azure
Instance Metadata Service"); what Vault wants of it says its page "Azure auth method (API)".
"""

from __future__ import annotations

import http.client
import json
import urllib.parse
from typing import Any

from ansible_collections.brownfield.mesh.plugins.module_utils.vault import VaultError

ADDRESS, PORT = "169.254.169.254", 80
TOKEN_PATH = "/metadata/identity/oauth2/token?api-version=2018-02-01&resource=%s"
COMPUTE_PATH = "/metadata/instance/compute?api-version=2021-02-01"
TIMEOUT_SECONDS = 5
MAX_BYTES = 1 << 18
_ADVICE = "is this a machine of Azure, and does its firewall let root reach it?"


def identity(resource: str, client_id: str = "") -> dict[str, str]:
    """The parts of a log-in to Vault that Azure vouches for: ``jwt`` (a secret, for ``resource``)
    and the machine's subscription, resource group and name. ``client_id`` says which managed
    identity. Raises VaultError."""
    path = TOKEN_PATH % urllib.parse.quote(resource, safe="")
    if client_id:
        path += "&client_id=" + client_id
    token = _text(
        _get(path, "give it a managed identity, or correct azure_client_id"), "access_token"
    )
    machine = _get(COMPUTE_PATH, _ADVICE)
    found = {
        "jwt": token,
        "subscription_id": _text(machine, "subscriptionId"),
        "resource_group_name": _text(machine, "resourceGroupName"),
    }
    scale_set = machine.get("vmScaleSetName")
    if isinstance(scale_set, str) and scale_set:
        return {**found, "vmss_name": scale_set}
    return {**found, "vm_name": _text(machine, "name")}


def _get(path: str, advice: str) -> dict[str, Any]:
    # By hand, so that no proxy is asked and no redirection is followed.
    connection = http.client.HTTPConnection(ADDRESS, PORT, timeout=TIMEOUT_SECONDS)
    try:
        connection.request("GET", path, headers={"Metadata": "true"})
        response = connection.getresponse()
        status, content = response.status, response.read(MAX_BYTES)
    except (OSError, http.client.HTTPException) as error:
        why = str(error) or type(error).__name__
        raise VaultError(
            "Azure's metadata service cannot be used: %s; %s" % (why, _ADVICE)
        ) from None
    finally:
        connection.close()
    try:
        answer = json.loads(content)
    except (ValueError, RecursionError):
        answer = None
    if status != 200:
        said = answer.get("error_description") if isinstance(answer, dict) else ""
        words = " (%s)" % said[:200] if isinstance(said, str) and said else ""
        raise VaultError("Azure's metadata service answers %d%s; %s" % (status, words, advice))
    if not isinstance(answer, dict):
        raise VaultError("Azure's metadata service answers no JSON object; %s" % _ADVICE)
    return answer


def _text(answer: dict[str, Any], key: str) -> str:
    value = answer.get(key)
    if not isinstance(value, str) or not value:
        raise VaultError("the answer of Azure's metadata service lacks %s; %s" % (key, _ADVICE))
    return value
