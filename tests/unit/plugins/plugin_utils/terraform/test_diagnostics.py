# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Terraform's errors in one message. The texts are Terraform's and its provider's own."""

from __future__ import annotations

import pytest
from ansible_collections.brownfield.mesh.plugins.plugin_utils.terraform.diagnostics import (
    Diagnostic,
    advice,
    message,
    of_text,
)

LOCK = """Error message: resource temporarily unavailable
Lock Info:
  ID:        9d09780a-6826-63ad-3881-16eaa022ae0d
  Path:      st.tfstate
  Operation: OperationTypeApply
  Who:       ci@runner-7
  Version:   1.11.4
  Created:   2026-11-23 06:09:15.001714728 +0000 UTC
  Info:      


Terraform acquires a state lock to protect the state from being written"""


def test_the_holder_of_a_lock_is_named() -> None:
    [text] = advice([Diagnostic("error", "Error acquiring the state lock", LOCK)], {})
    assert text.startswith(
        "the state is locked by ci@runner-7 since 2026-11-23 06:09:15 UTC (apply)."
    )
    assert "terraform force-unlock 9d09780a-6826-63ad-3881-16eaa022ae0d" in text


AZURE = "unexpected status 403 (403 Forbidden) with error: AuthorizationFailed: The client 'x' with"
CASES = [
    (
        f"{AZURE} object id 'x' does not have authorization to perform action"
        " 'Microsoft.Compute/virtualMachines/write' over scope '/subscriptions/0/resourceGroups/rg'"
        " or the scope is invalid.",
        "the action Microsoft.Compute/virtualMachines/write on /subscriptions/0/resourceGroups/rg",
    ),
    ("unexpected status 403 (403 Forbidden) with error: LinkedAuthorizationFailed", "lacks a role"),
    ("OperationNotAllowed: Operation could not be completed as it results in exceeding approved"
     " Total Regional Cores quota.", "ask for more quota"),
    ("QuotaExceeded: Cores", "ask for more quota"),
    ("SkuNotAvailable: The requested VM size is not available in location 'x'", "another size"),
    ('A resource with the ID "/x" already exists - to be managed via Terraform this resource needs'
     ' to be imported into the State.', "import it"),
    ("unexpected status 409 (409 Conflict) with error: AnotherOperationInProgress: x", "Run again"),
    ("unexpected status 429 (429 Too Many Requests) with error: x", "some minutes"),
    ("Saved plan is stale", "Plan again"),
    ("Inconsistent dependency lock file", "providers lock"),
    ("Failed to query available provider packages", "provider_installation"),
    ("Unsupported OpenTofu Core version", "allows"),
    ("No value for required variable", "variable_files"),
    ("Can't ask approval for state migration when input is disabled.", "-migrate-state"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "words"), CASES)
def test_known_errors_come_with_advice(text: str, words: str) -> None:
    for found in (Diagnostic("error", text), Diagnostic("error", "creating x", text)):
        [advised] = advice([found], {})
        assert words in advised


def test_an_unknown_error_comes_without_advice() -> None:
    assert advice([Diagnostic("error", "Unsupported argument", "An argument named x")], {}) == []


BUILDING = Diagnostic("error", "unable to build authorizer for Resource Manager API: x")


def test_missing_credentials_are_named() -> None:
    [text] = advice([BUILDING], {"ARM_TENANT_ID": "t", "ARM_CLIENT_ID": "c"})
    assert "not set: ARM_SUBSCRIPTION_ID, ARM_CLIENT_SECRET" in text
    full = dict.fromkeys(("ARM_TENANT_ID", "ARM_CLIENT_ID", "ARM_SUBSCRIPTION_ID"), "x")
    [text] = advice([BUILDING], {**full, "ARM_CLIENT_SECRET": "canary"})
    assert "has not expired" in text
    assert "canary" not in text


def test_the_same_is_said_once() -> None:
    found = [Diagnostic("error", "SkuNotAvailable"), Diagnostic("error", "SkuNotAvailable")]
    text = message("terraform apply", [*found, Diagnostic("warning", "not told")], {})
    assert text.splitlines() == [
        "terraform apply failed:",
        "- SkuNotAvailable",
        "What to do: Azure has none of this size there now: choose another size, zone or region",
    ]


def test_place_and_detail_are_told() -> None:
    found = Diagnostic.of(
        {
            "severity": "error",
            "summary": "Bad",
            "detail": "first\n  second",
            "address": "x.y",
            "range": {"filename": "main.tf", "start": {"line": 3}},
            "snippet": {"code": "password = canary", "values": [{"statement": "canary"}]},
        }
    )
    assert str(found) == "Bad (x.y, main.tf:3): first second"
    assert "canary" not in str(found.to_data())
    assert found.map(str.upper).file == "MAIN.TF"
    assert str(Diagnostic.of({"summary": "Only this", "range": None})) == "Only this"


def test_text_of_a_terminal_is_made_plain() -> None:
    text = "\x1b[31m╷\x1b[0m\n│ Error: Failed to load\n│ \n│ the plan is gone\n╵\n"
    warning = "There are some problems:\n╷\n│ Warning: x\n╵\n"
    assert of_text(warning).summary == "There are some problems:"
    assert (
        of_text(warning + text)
        == of_text(text)
        == Diagnostic("error", "Failed to load", "the plan is gone")
    )
