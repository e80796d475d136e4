# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""The controller's side of joining: how many calls it makes, and what it brings to which."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from ansible.errors import AnsibleActionFail, AnsibleError
from ansible_collections.brownfield.mesh.plugins.action import join
from ansible_collections.brownfield.mesh.plugins.module_utils.spec import (
    Artifact,
    Identity,
    Machine,
    Mesh,
    Proxy,
    Vault,
    to_data,
)
from ansible_collections.brownfield.mesh.plugins.plugin_utils import token, vault_login
from ansible_collections.brownfield.mesh.plugins.plugin_utils.errors import ClusterError
from cryptography import x509

from tests.support.bridge import BILLING, BRIDGE_FACTS, issue, pem, request
from tests.support.bridge import MACHINE as BRIDGE
from tests.support.fleet import FACTS, PAYMENTS_DB

TOKEN = "eyJcanary.canary.canary"
DONE = {"changed": True, "needs": [], "confirm": False, "invocation": {"module_args": {}}}
ARTIFACTS = (
    Artifact("envoy", "a" * 64, "amd64", path="envoy-amd64"),
    Artifact("envoy", "b" * 64, "arm64", path="envoy-arm64"),
    Artifact("pilot-agent", "c" * 64, "amd64", url="https://mirror.example/pilot-agent"),
)
MACHINE = Machine(
    "payments-db-1", PAYMENTS_DB.key, "192.0.2.13", mesh=Mesh(proxy=Proxy(artifacts=ARTIFACTS))
)


class Action:
    """The action with a machine that answers as a test wants; everything it does is in ``log``."""

    def __init__(self, *answers: dict[str, Any], check: bool = False) -> None:
        self.log: list[Any] = []
        self.calls: list[dict[str, Any]] = []
        self.pipelined: list[bool] = []
        left = iter(answers)
        connection = Mock(always_pipeline_modules=False)
        connection._shell.tmpdir = "/tmp/remote"
        connection._shell.join_path = lambda *parts: "/".join(parts)
        connection.reset = lambda: self.log.append("reset")
        arguments = {"machine": MACHINE, "workload": PAYMENTS_DB, "cluster": FACTS}
        arguments["monitoring"] = []
        task = Mock(check_mode=check, async_val=0, diff=False)
        task.args = {name: to_data(value) for name, value in arguments.items()}
        made = join.ActionModule(task, connection, Mock(), Mock(), Mock(), Mock())
        made._find_needle = lambda folder, path: "/play/%s/%s" % (folder, path)
        made._transfer_file = lambda source, to: self.log.append(("push", source, to))
        made._remove_tmp_path = lambda path: self.log.append("clean")

        def execute(**options: Any) -> dict[str, Any]:
            self.log.append("call")
            self.calls.append(options["module_args"])
            self.pipelined.append(connection.always_pipeline_modules)
            return dict(next(left))

        made._execute_module = execute
        made.validate_argument_spec = lambda argument_spec: (None, task.args)
        self.made = made

    def run(self) -> dict[str, Any]:
        result: dict[str, Any] = self.made.run(None, {})
        return result


@pytest.fixture(autouse=True)
def requested(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """The tokens that were asked for."""
    found: list[tuple[Any, ...]] = []

    def request(*arguments: Any) -> str:
        found.append(arguments)
        return TOKEN

    monkeypatch.setattr(token, "request", request)
    return found


def test_nothing_to_do_is_one_call(requested: list[Any]) -> None:
    action = Action({**DONE, "changed": False})
    result = action.run()
    assert (result["mesh_calls"], result["needs"], result["changed"]) == (1, [], False)
    assert action.log == ["call"]
    assert requested == []


def test_what_is_needed_comes_in_a_second_call(requested: list[Any]) -> None:
    needs = ["token", "artifact envoy arm64"]
    action = Action({**DONE, "changed": False, "needs": needs}, DONE)
    result = action.run()
    assert (result["mesh_calls"], result["needs"], result["changed"]) == (2, needs, True)
    assert action.log == [
        "call",
        ("push", "/play/files/envoy-arm64", "/tmp/remote/envoy"),
        "call",
        "clean",
    ]
    assert action.calls[1]["pushed"] == {"envoy": "/tmp/remote/envoy"}
    assert action.calls[1]["token"] == TOKEN
    assert requested == [(MACHINE.mesh.cluster, "payments", "payments-db")]


def test_capture_is_confirmed_over_a_fresh_connection() -> None:
    action = Action(
        {**DONE, "changed": False, "needs": ["token"]},
        {**DONE, "confirm": True, "diff": ["shown"]},
        {**DONE, "capture": {"on": True}},
    )
    result = action.run()
    assert result["mesh_calls"] == 3
    assert action.log == ["call", "call", "clean", "reset", "call"]
    assert action.calls[2]["confirm"] is True
    assert (result["diff"], result["capture"]) == (["shown"], {"on": True})


def test_the_token_is_in_one_call_and_in_no_result() -> None:
    action = Action(
        {**DONE, "needs": ["token"]},
        {**DONE, "confirm": True, "invocation": {"module_args": {"token": TOKEN}}},
        DONE,
    )
    result = action.run()
    assert TOKEN not in repr(result)
    assert [TOKEN in repr(call) for call in action.calls] == [False, True, False]
    # It travels in the connection's stream: without this, a module file would hold it on a disk.
    assert action.pipelined[1] is True


def test_what_the_module_was_told_is_in_no_result() -> None:
    told = {**DONE, "invocation": {"module_args": {"token": TOKEN}}}
    result = Action({**DONE, "needs": ["token"]}, told).run()
    assert "invocation" not in result
    assert TOKEN not in repr(result)


def test_check_mode_asks_for_nothing(requested: list[Any]) -> None:
    action = Action({**DONE, "needs": ["token", "artifact envoy arm64"]}, check=True)
    assert action.run()["mesh_calls"] == 1
    assert action.log == ["call"]
    assert requested == []


@pytest.mark.parametrize("failing", [1, 2])
def test_a_failed_call_is_the_last(failing: int) -> None:
    answers = [{**DONE, "needs": ["token"], "confirm": True} for _ in range(failing - 1)]
    action = Action(*answers, {**DONE, "failed": True, "needs": ["token"], "confirm": True})
    result = action.run()
    assert (result["failed"], result["mesh_calls"]) == (True, failing)
    assert "reset" not in action.log
    assert action.log.count("clean") == failing - 1


def test_a_refused_token_is_one_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: Any) -> str:
        raise ClusterError("the account may not create tokens")

    monkeypatch.setattr(token, "request", refuse)
    action = Action({**DONE, "needs": ["token"]})
    with pytest.raises(AnsibleActionFail, match=r"^the account may not create tokens$"):
        action.run()
    assert action.log == ["call", "clean"]


def test_a_file_that_the_controller_lacks_is_named() -> None:
    def nowhere(folder: str, path: str) -> str:
        raise AnsibleError("Unable to find %s" % path)

    action = Action({**DONE, "needs": ["artifact envoy amd64"]})
    action.made._find_needle = nowhere
    with pytest.raises(AnsibleActionFail, match=r"envoy: there is no file envoy-amd64 .*`path`"):
        action.run()


def test_every_call_brings_state_and_clock() -> None:
    action = Action({**DONE, "needs": ["token"]}, {**DONE, "confirm": True}, DONE)
    action.run()
    assert len({repr(call["state"]) for call in action.calls}) == 1
    assert all(call["clock"] > 0 for call in action.calls)
    assert action.calls[0]["state"]["spiffe_id"].endswith("/sa/payments-db")
    assert Path(action.calls[0]["state"]["agent"]).name == "pilot-agent"


@pytest.fixture
def bridge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Action]:
    """The action for a bridge, whose authority lies in a folder."""
    root = issue(authority=True)
    certificate, key = root.write(tmp_path, "ca")
    identity = Identity("local_ca", str(certificate), str(key))
    machine = replace(BRIDGE, mesh=replace(BRIDGE.mesh, identity=identity))
    facts = replace(BRIDGE_FACTS, root_certificate=pem(root.certificate))

    def made(*answers: dict[str, Any], **options: Any) -> Action:
        action = Action(*answers, **options)
        arguments = {"machine": machine, "workload": BILLING, "cluster": facts}
        arguments["monitoring"] = []
        action.made._task.args.update({n: to_data(value) for n, value in arguments.items()})
        action.made._find_needle = lambda folder, path: path
        return action

    return made


def test_a_bridge_gets_a_certificate_for_the_key_it_made(bridge: Callable[..., Action]) -> None:
    asked, key = request()
    action = bridge({**DONE, "changed": False, "needs": ["identity"], "csr": asked}, DONE)
    result = action.run()
    assert (result["mesh_calls"], result["needs"]) == (2, ["identity"])
    assert "csr" not in result
    assert {call["mode"] for call in action.calls} == {"bridge"}
    assert action.pipelined == [False, True]
    supplied = action.calls[1]
    assert supplied["key"] == ""
    made = x509.load_pem_x509_certificate(supplied["certificate"].encode())
    assert made.public_key() == key.public_key()


def test_a_bridge_with_nothing_to_do_is_one_call(bridge: Callable[..., Action]) -> None:
    action = bridge({**DONE, "changed": False})
    assert action.run()["mesh_calls"] == 1
    assert "certificate" not in action.calls[0]


def test_a_bridge_in_check_mode_is_issued_nothing(bridge: Callable[..., Action]) -> None:
    action = bridge({**DONE, "needs": ["identity"]}, check=True)
    assert action.run()["mesh_calls"] == 1


@pytest.fixture
def vaulted(bridge: Callable[..., Action], tmp_path: Path) -> Callable[..., Action]:
    """The action for a bridge that turns to Vault."""
    ca = tmp_path / "vault.pem"
    ca.write_text(pem(issue(authority=True).certificate))
    identity = Identity("vault", vault=Vault("https://v.example", str(ca), "machine", "billing"))
    machine = replace(BRIDGE, mesh=replace(BRIDGE.mesh, identity=identity))

    def made(*answers: dict[str, Any]) -> Action:
        action = bridge(*answers)
        action.made._task.args["machine"] = to_data(machine)
        return action

    return made


def test_a_machine_that_turns_to_vault_gets_a_wrapped_secret(
    vaulted: Callable[..., Action], monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {"role_id": "id", "wrapping_token": "hvs.canary"}
    monkeypatch.setattr(vault_login, "wrapped", lambda vault, ca, name, environment: given)
    answer = {**DONE, "invocation": {"module_args": given}}
    action = vaulted({**DONE, "changed": False, "needs": ["identity"]}, answer)
    result = action.run()
    assert "canary" not in repr(result)
    assert ["canary" in repr(call) for call in action.calls] == [False, True]
    assert action.pipelined == [False, True]
    assert action.calls[0]["state"]["identity"]["authority"]["lifetime_seconds"] == 86400


def test_without_a_need_nothing_is_asked_of_vault(
    vaulted: Callable[..., Action], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(vault_login, "wrapped")
    assert vaulted({**DONE, "changed": False}).run()["mesh_calls"] == 1


def test_vaults_refusal_is_one_clear_error(
    vaulted: Callable[..., Action], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("VAULT_TOKEN", raising=False)
    action = vaulted({**DONE, "changed": False, "needs": ["identity"]})
    with pytest.raises(AnsibleActionFail, match=r"^billing-1 needs a log-in to Vault; set VAULT"):
        action.run()
    assert action.log == ["call", "clean"]


def test_a_bridges_identity_is_judged_before_the_machine_is_called(
    bridge: Callable[..., Action], tmp_path: Path
) -> None:
    other = issue(authority=True)
    other.write(tmp_path, "ca")
    action = bridge(DONE)
    with pytest.raises(AnsibleActionFail, match="does not lead to a root of the mesh"):
        action.run()
    assert action.log == []
