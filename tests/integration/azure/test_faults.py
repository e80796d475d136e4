# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""What goes wrong between the real provider and the resource manager, and how a run ends then."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from ansible_collections.brownfield.mesh.plugins.plugin_utils.terraform import runner
from ansible_collections.brownfield.mesh.plugins.plugin_utils.terraform.errors import TerraformError

from tests.azure import (
    StandIn,
    conflict,
    credential_expired,
    cut,
    failed,
    forbidden,
    malformed,
    never_ends,
    secret_expired,
    server_error,
    throttled,
    truncated,
)
from tests.integration.azure.conftest import Deployment, changes, deploy

# How long an apply may take that has to reach the machine's PUT and to wait there; a computer that
# is too busy for the first gets the next.
STUCK_SECONDS = (25, 120, 400)


def address(name: str) -> str:
    return f'module.machine.azurerm_linux_virtual_machine.this["{name}"]'


def machine(name: str) -> str:
    """Matches requests for one machine."""
    return rf"/virtualMachines/{name}\?"


@pytest.fixture(scope="module")
def fleet(
    tmp_path_factory: pytest.TempPathFactory, azure: StandIn, binary: str, ssh_public_key: str
) -> Deployment:
    """One machine, applied; the tests add others while something goes wrong."""
    source = Path(__file__).parent / "fleet"
    found = deploy(source, tmp_path_factory.mktemp("faults"), azure, binary)
    found.variables = {"ssh_public_key": ssh_public_key, "machines": {"base": {}}}
    found.run()
    return found


@pytest.fixture(autouse=True)
def calm(azure: StandIn) -> Iterator[None]:
    """No test leaves a fault to the next one."""
    yield
    azure.clear_faults()


STORM = {
    "throttled": ("PUT", throttled(seconds=1), 2),
    "unwell": ("PUT", server_error(500), 1),
    "reply-lost": ("PUT", cut(), 1),
    "conflicting": ("PUT", conflict(), 1),
    "forbidden": ("PUT", forbidden(), 1),
    "expired": ("PUT", credential_expired(), 1),
    "failing": ("PUT", failed(), 1),
}
# These end well within the run: the provider tries again, or does without the lost answer.
SURVIVED = {"throttled", "unwell", "reply-lost"}


@dataclass
class Storm:
    """What one run made of many faults, one for each machine, and the run after it."""

    error: TerraformError
    standing: set[str]
    puts: dict[str, int]
    again: dict[str, str]
    settled: bool


@pytest.fixture(scope="module")
def storm(fleet: Deployment) -> Storm:
    azure = fleet.azure
    azure.forget_requests()
    faults = [
        azure.fault(method, machine(name), answer, times=times)
        for name, (method, answer, times) in STORM.items()
    ]
    fleet.variables["machines"] = {name: {} for name in ["base", *STORM]}
    error = fleet.fails()
    assert [fault.struck for fault in faults] == [times for _, _, times in STORM.values()]
    standing = fleet.machines()
    puts = {name: azure.count("PUT", rf"/virtualMachines/{name}$") for name in STORM}
    again = changes(fleet.run())
    return Storm(error, standing, puts, again, settled=not fleet.run("planned")["changed"])


def test_throttling_is_waited_for(storm: Storm) -> None:
    assert storm.puts["throttled"] == 3
    assert "throttled" in storm.standing
    assert address("throttled") not in str(storm.error)


@pytest.mark.parametrize("name", ["unwell", "reply-lost"])
def test_server_error_and_lost_answer_end_well(storm: Storm, name: str) -> None:
    assert name in storm.standing
    assert address(name) not in str(storm.error)


@pytest.mark.parametrize(
    ("name", "code", "advice"),
    [
        ("conflicting", "AnotherOperationInProgress", "Run again when that has ended"),
        ("forbidden", "AuthorizationFailed", "action Microsoft.Compute/virtualMachines/write"),
        ("expired", "ExpiredAuthenticationToken", "has not expired"),
        ("failing", "SkuNotAvailable", "choose another size, zone or region"),
    ],
)
def test_refusal_is_told_with_address_and_advice(
    storm: Storm, name: str, code: str, advice: str
) -> None:
    found = [item for item in storm.error.result["diagnostics"] if item["address"] == address(name)]
    assert len(found) == 1
    assert code in found[0]["summary"] + found[0]["detail"]
    assert code in str(storm.error)
    assert advice in str(storm.error)


def test_credential_is_in_no_message(storm: Storm) -> None:
    assert "of-no-worth" not in str(storm.error) + json.dumps(storm.error.result)


def test_next_run_makes_just_what_is_missing(storm: Storm) -> None:
    """The machine whose creation failed is there in Azure, and in the state: it is replaced."""
    assert storm.again == {
        address("conflicting"): "create",
        address("forbidden"): "create",
        address("expired"): "create",
        address("failing"): "replace",
    }
    assert storm.settled


def test_operation_that_never_ends_is_stopped_and_goes_on_later(
    fleet: Deployment, storm: Storm
) -> None:
    azure = fleet.azure
    fault = azure.fault("PUT", machine("stuck"), never_ends())
    fleet.variables["machines"]["stuck"] = {}
    for limit in STUCK_SECONDS:

        def impatient(argv, cwd, env, seconds, on_line=None, limit=limit):  # type: ignore[no-untyped-def]
            return runner.run(argv, cwd, env, limit if "apply" in argv else seconds, on_line)

        error = fleet.fails(runner=impatient)
        if fault.struck:
            break
    assert fault.struck == 1
    assert "time limit" in str(error)
    assert "stuck" in fleet.machines()
    state = Path(fleet.backend["path"])
    kept = [
        item for item in json.loads(state.read_text())["resources"] if item["mode"] == "managed"
    ]
    assert address("stuck") in {
        f'{item["module"]}.{item["type"]}.{item["name"]}["{instance["index_key"]}"]'
        for item in kept
        for instance in item["instances"]
        if instance.get("status") == "tainted"
    }
    assert not list(state.parent.glob(".*.lock.info"))

    azure.clear_faults()
    # Interrupted while Azure worked: it is in the state, as one that may be incomplete.
    assert changes(fleet.run()) == {address("stuck"): "replace"}
    assert not fleet.run("planned")["changed"]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (truncated(), "unexpected end of JSON input"),
        (malformed(), "text/html"),
        (cut(), "unexpected"),
        (forbidden("Microsoft.Network/networkInterfaces/read"), "networkInterfaces/read"),
    ],
    ids=["truncated", "malformed", "cut", "forbidden"],
)
def test_unreadable_answer_while_planning_changes_nothing(
    fleet: Deployment, answer: object, words: str
) -> None:
    azure = fleet.azure
    azure.forget_requests()
    azure.fault("GET", r"/networkInterfaces/base\?", answer)
    error = fleet.fails()
    assert words in str(error)
    assert "networkInterface" in str(error) or "Network Interface" in str(error)
    assert [azure.count(method) for method in ("PUT", "PATCH", "DELETE")] == [0, 0, 0]


def test_expired_secret_is_told_before_anything_is_asked(fleet: Deployment) -> None:
    azure = fleet.azure
    azure.forget_requests()
    azure.fault("POST", r"/oauth2/v2.0/token", secret_expired(), times=50)
    error = fleet.fails()
    assert "AADSTS7000222" in str(error)
    assert "has not expired" in str(error)
    assert not azure.count("GET", r"/providers/")
