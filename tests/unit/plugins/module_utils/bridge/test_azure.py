# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""What Azure says of a machine is asked for as its pages say, and nothing else is believed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from ansible_collections.brownfield.mesh.plugins.module_utils.bridge import azure
from ansible_collections.brownfield.mesh.plugins.module_utils.vault import VaultError

from tests.support.azure_metadata import COMPUTE, MACHINE, TOKEN, Metadata

JWT = "eyJ-secret"
RESOURCE = "https://management.azure.com/"
NAMES = {
    "jwt": JWT,
    "subscription_id": MACHINE["subscriptionId"],
    "resource_group_name": "machines",
}


@pytest.fixture
def metadata() -> Iterator[Metadata]:
    with ExitStack() as stack:
        found = Metadata(JWT)
        found.start(stack)
        yield found


def test_a_machine(metadata: Metadata) -> None:
    assert azure.identity(RESOURCE) == {**NAMES, "vm_name": "billing-1"}
    assert metadata.asked == [
        TOKEN + "?api-version=2018-02-01&resource=https%3A%2F%2Fmanagement.azure.com%2F",
        COMPUTE + "?api-version=2021-02-01",
    ]


def test_one_of_its_identities(metadata: Metadata) -> None:
    azure.identity("api://vault", "5f2a1b34-0000-4000-8000-000000000001")
    assert metadata.asked[0].endswith(
        "&resource=api%3A%2F%2Fvault&client_id=5f2a1b34-0000-4000-8000-000000000001"
    )


def test_a_machine_of_a_scale_set(metadata: Metadata) -> None:
    metadata.answers[COMPUTE] = (200, {**MACHINE, "vmScaleSetName": "billing"})
    assert azure.identity(RESOURCE) == {**NAMES, "vmss_name": "billing"}


@pytest.mark.parametrize(
    ("path", "answer", "words"),
    [
        (
            TOKEN,
            (400, {"error": "invalid_request", "error_description": "Identity not found"}),
            r"answers 400 \(Identity not found\); give it a managed identity",
        ),
        (TOKEN, (429, b""), "answers 429; "),
        (TOKEN, (302, b""), "answers 302; "),
        (TOKEN, (200, b"<html>"), "answers no JSON object"),
        (TOKEN, (200, b"[" * 100_000), "answers no JSON object"),
        (TOKEN, (200, [JWT]), "answers no JSON object"),
        (TOKEN, (200, {"access_token": 1}), "lacks access_token"),
        (COMPUTE, (404, {}), "answers 404; is this a machine of Azure"),
        (COMPUTE, (200, {**MACHINE, "subscriptionId": ""}), "lacks subscriptionId"),
        (COMPUTE, (200, {**MACHINE, "name": None}), "lacks name"),
    ],
)
def test_what_it_does_not_say(
    metadata: Metadata, path: str, answer: tuple[int, Any], words: str
) -> None:
    metadata.answers[path] = answer
    with pytest.raises(VaultError, match=words) as caught:
        azure.identity(RESOURCE)
    assert JWT not in str(caught.value)


def test_nobody_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(azure, "ADDRESS", "127.0.0.1")
    monkeypatch.setattr(azure, "PORT", 1)
    with pytest.raises(VaultError, match=r"cannot be used: .*refused.*machine of Azure"):
        azure.identity(RESOURCE)
