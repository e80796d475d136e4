# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""The environment Terraform runs in, built on purpose, and what Azure's provider needs of it."""

from __future__ import annotations

import re
from collections.abc import Mapping

# Of Terraform's own settings only these pass from the controller's environment: where things are,
# and the registries' credentials. All others change what a run does or prints.
_KEPT = re.compile(
    r"TF_(CLI_CONFIG_FILE|PLUGIN_CACHE_DIR|PLUGIN_CACHE_MAY_BREAK_DEPENDENCY_LOCK_FILE|DATA_DIR"
    r"|REGISTRY_\w+|TOKEN_\w+|HTTP_\w+)\Z"
)
# What stands for an option of the task, by the start of its name.
OWNED = {
    "TF_CLI_ARGS": "the task's options say what is run",
    "TF_IN_AUTOMATION": "it is always set",
    "TF_INPUT": "there is never a prompt",
    "TF_LOG": "logs hold secrets",
    "TF_VAR_": "use variables",
    "TF_WORKSPACE": "use workspace",
}
_SECRET = re.compile(
    r"secret|password|passwd|passphrase|token|credential|access_?key|private_?key|api_?key"
    r"|sas_|conn_str|connection_string|(^|_)key$",
    re.IGNORECASE,
)
# A backend's settings that Terraform would write in clear into its data folder and every plan, and
# by which variable of the environment they come instead.
BACKEND_SECRETS = {
    "access_key": "ARM_ACCESS_KEY (azurerm) or AWS_ACCESS_KEY_ID (s3)",
    "client_certificate_password": "ARM_CLIENT_CERTIFICATE_PASSWORD",
    "client_secret": "ARM_CLIENT_SECRET",
    "conn_str": "PG_CONN_STR",
    "oidc_token": "ARM_OIDC_TOKEN",
    "password": "TF_HTTP_PASSWORD",
    "sas_token": "ARM_SAS_TOKEN",
    "secret_key": "AWS_SECRET_ACCESS_KEY",
    "token": "AWS_SESSION_TOKEN",
}


def build(
    controller: Mapping[str, str], given: Mapping[str, str], workspace: str
) -> dict[str, str]:
    """All variables of Terraform's environment: the controller's, without what would change the
    run or belongs to Ansible, then the task's ``environment``, then ours."""
    passed = {
        name: value
        for name, value in controller.items()
        if not name.startswith("ANSIBLE_") and (not name.startswith("TF_") or _KEPT.match(name))
    }
    return {
        **passed,
        **given,
        "TF_IN_AUTOMATION": "1",
        "TF_INPUT": "0",
        "TF_WORKSPACE": workspace,
        "CHECKPOINT_DISABLE": "1",
    }


def problems(given: Mapping[str, str], backend: Mapping[str, object]) -> list[str]:
    """What the task's ``environment`` and ``backend`` may not hold, each with what to do."""
    found = []
    for name in given:
        reason = next((why for start, why in OWNED.items() if name.startswith(start)), None)
        if reason:
            found.append(f"environment: take {name} out ({reason})")
    for name in backend:
        if name in BACKEND_SECRETS:
            found.append(
                f"backend: take {name} out, Terraform would keep it in clear; give it by"
                f" environment, as {BACKEND_SECRETS[name]}"
            )
    return found


def is_secret(name: str) -> bool:
    """Whether a value of this name is held back from every text, going by the name alone."""
    return _SECRET.search(name) is not None


def missing_for_azure(environment: Mapping[str, str]) -> list[str]:
    """Variables that Azure's provider lacks when nobody is logged in by the Azure CLI.

    Source: the provider's documentation, authentication by client secret, certificate, OIDC,
    managed identity.
    """

    def has(*names: str) -> bool:
        return any(environment.get(name) for name in names)

    def on(*names: str) -> bool:
        return any(environment.get(name, "").lower() in ("true", "1") for name in names)

    found = []
    if not has("ARM_SUBSCRIPTION_ID"):
        found.append("ARM_SUBSCRIPTION_ID")
    if on("ARM_USE_MSI", "ARM_USE_AKS_WORKLOAD_IDENTITY"):
        return found
    if not has("ARM_TENANT_ID"):
        found.append("ARM_TENANT_ID")
    if not has("ARM_CLIENT_ID", "ARM_CLIENT_ID_FILE_PATH"):
        found.append("ARM_CLIENT_ID")
    if on("ARM_USE_OIDC"):
        if not has("ARM_OIDC_TOKEN", "ARM_OIDC_TOKEN_FILE_PATH", "ARM_OIDC_REQUEST_URL",
                   "ACTIONS_ID_TOKEN_REQUEST_URL"):  # fmt: skip
            found.append("ARM_OIDC_TOKEN or ARM_OIDC_TOKEN_FILE_PATH")
    elif not has("ARM_CLIENT_SECRET", "ARM_CLIENT_SECRET_FILE_PATH", "ARM_CLIENT_CERTIFICATE",
                 "ARM_CLIENT_CERTIFICATE_PATH"):  # fmt: skip
        found.append(
            "ARM_CLIENT_SECRET (or ARM_USE_OIDC, ARM_USE_MSI, ARM_CLIENT_CERTIFICATE_PATH)"
        )
    return found
