# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""What Terraform gets to see of the controller's environment."""

from __future__ import annotations

import pytest
from ansible_collections.brownfield.mesh.plugins.plugin_utils.terraform import environment

KEPT = {
    "PATH": "/bin",
    "HTTPS_PROXY": "http://proxy",
    "ARM_TENANT_ID": "t",
    "TF_CLI_CONFIG_FILE": "/x",
    "TF_TOKEN_example_com": "x",
    "TF_PLUGIN_CACHE_DIR": "/x",
}


def test_what_changes_a_run_is_left_out() -> None:
    dropped = ("TF_LOG", "TF_LOG_PATH", "TF_CLI_ARGS", "TF_CLI_ARGS_plan", "TF_VAR_x", "TF_INPUT",
               "TF_REATTACH_PROVIDERS", "ANSIBLE_VAULT_PASSWORD_FILE")  # fmt: skip
    found = environment.build(
        {**KEPT, **dict.fromkeys(dropped, "x")}, {"ARM_CLIENT_ID": "c"}, "prod"
    )
    ours = {
        "TF_IN_AUTOMATION": "1",
        "TF_INPUT": "0",
        "TF_WORKSPACE": "prod",
        "CHECKPOINT_DISABLE": "1",
        "ARM_CLIENT_ID": "c",
    }
    assert found == {**KEPT, **ours}


def test_the_task_wins_over_the_controller() -> None:
    assert environment.build(KEPT, {"ARM_TENANT_ID": "mine"}, "default")["ARM_TENANT_ID"] == "mine"


def test_problems_say_what_to_do_instead() -> None:
    given = {"TF_LOG": "x", "TF_VAR_a": "x", "TF_WORKSPACE": "x", "TF_HTTP_PASSWORD": "x"}
    found = environment.problems(given, {"sas_token": "x", "key": "x"})
    assert found == [
        "environment: take TF_LOG out (logs hold secrets)",
        "environment: take TF_VAR_a out (use variables)",
        "environment: take TF_WORKSPACE out (use workspace)",
        "backend: take sas_token out, Terraform would keep it in clear; give it by environment, as"
        " ARM_SAS_TOKEN",
    ]


@pytest.mark.parametrize(
    "name",
    [
        "ARM_CLIENT_SECRET",
        "TF_TOKEN_x",
        "admin_password",
        "private_key",
        "access_key",
        "API_KEY",
        "key",
        "db_conn_str",
    ],
)
def test_names_of_secrets(name: str) -> None:
    assert environment.is_secret(name)


@pytest.mark.parametrize(
    "name", ["ARM_SUBSCRIPTION_ID", "ARM_TENANT_ID", "PATH", "size", "keyboard"]
)
def test_names_of_what_is_none(name: str) -> None:
    assert not environment.is_secret(name)


LOGIN = {"ARM_SUBSCRIPTION_ID": "s", "ARM_TENANT_ID": "t", "ARM_CLIENT_ID": "c"}


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ({}, ["ARM_SUBSCRIPTION_ID", "ARM_TENANT_ID", "ARM_CLIENT_ID", "ARM_CLIENT_SECRET"]),
        ({"ARM_USE_MSI": "true"}, ["ARM_SUBSCRIPTION_ID"]),
        ({**LOGIN, "ARM_USE_MSI": "false", "ARM_USE_OIDC": "false"}, ["ARM_CLIENT_SECRET"]),
        (LOGIN, ["ARM_CLIENT_SECRET"]),
        ({**LOGIN, "ARM_USE_OIDC": "true"}, ["ARM_OIDC_TOKEN or ARM_OIDC_TOKEN_FILE_PATH"]),
        ({**LOGIN, "ARM_USE_OIDC": "true", "ARM_OIDC_TOKEN_FILE_PATH": "x"}, []),
        ({**LOGIN, "ARM_CLIENT_SECRET": "x"}, []),
        ({**LOGIN, "ARM_CLIENT_CERTIFICATE_PATH": "x"}, []),
    ],
)
def test_what_azure_lacks_is_named(given: dict[str, str], missing: list[str]) -> None:
    found = environment.missing_for_azure(given)
    assert len(found) == len(missing)
    assert all(seen.startswith(name) for seen, name in zip(found, missing))
