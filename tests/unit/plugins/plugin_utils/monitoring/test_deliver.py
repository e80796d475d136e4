# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""The controller: one call when nothing is to do, what is needed is pushed, secrets apart."""

from __future__ import annotations

from typing import Any
from unittest.mock import Mock

import pytest
from ansible.errors import AnsibleActionFail, AnsibleError
from ansible_collections.brownfield.mesh.plugins.module_utils.desired import File
from ansible_collections.brownfield.mesh.plugins.module_utils.spec import Artifact
from ansible_collections.brownfield.mesh.plugins.module_utils.watch.state import (
    Archive,
    Installation,
    Program,
)
from ansible_collections.brownfield.mesh.plugins.plugin_utils.monitoring import deliver

GOOD = {"sha256": "a" * 64, "architecture": "amd64", "url": "", "path": "thing.deb"}
WANTED = Installation(
    "home",
    (
        Archive(
            "thing",
            "my_artifacts",
            (Program("thing", ("thing",)),),
            (
                Artifact("thing", "a" * 64, "amd64", path="thing-amd64"),
                Artifact("thing", "b" * 64, "arm64", path="thing-arm64"),
            ),
        ),
    ),
    (File("/etc/home/plain", "plain"), File("/etc/home/secret", "hush", secret=True)),
    (),
)


def action(*results: dict[str, Any], check: bool = False) -> Mock:
    """An action whose machine answers so."""
    made = Mock()
    made._execute_module.side_effect = [
        {"invocation": {"module_args": "all"}, **result} for result in results
    ]
    made._task.check_mode = check
    made._connection._shell.tmpdir = "/tmp/x"
    made._connection._shell.join_path = lambda *parts: "/".join(parts)
    made._find_needle.side_effect = lambda _kind, path: "/files/" + path
    return made


def arguments(made: Mock, call: int) -> dict[str, Any]:
    found: dict[str, Any] = made._execute_module.call_args_list[call].kwargs["module_args"]
    return found


def test_nothing_to_do_is_one_call() -> None:
    made = action({"changed": False, "needs": []})
    assert deliver.deliver(made, "m", WANTED, {}) == {"changed": False, "needs": []}
    assert made._execute_module.call_count == 1


def test_secrets_travel_apart_and_never_as_a_file() -> None:
    made = action({"needs": []})
    deliver.deliver(made, "m", WANTED, {})
    assert "hush" not in str(arguments(made, 0)["installation"])
    assert arguments(made, 0)["secrets"] == {"/etc/home/secret": "hush"}
    assert made._connection.always_pipeline_modules is True


def test_only_what_is_needed_is_pushed() -> None:
    made = action({"needs": ["artifact thing arm64"]}, {"changed": True, "needs": []})
    assert deliver.deliver(made, "m", WANTED, {})["changed"] is True
    made._transfer_file.assert_called_once_with("/files/thing-arm64", "/tmp/x/thing")
    assert arguments(made, 1)["pushed"] == {"thing": "/tmp/x/thing"}
    made._remove_tmp_path.assert_called_once_with("/tmp/x")


def test_check_mode_pushes_nothing() -> None:
    made = action({"needs": ["artifact thing amd64"]}, check=True)
    deliver.deliver(made, "m", WANTED, {})
    assert not made._transfer_file.called


def test_a_file_that_is_not_there_is_named() -> None:
    made = action({"needs": ["artifact thing amd64"]})
    made._find_needle.side_effect = AnsibleError("no")
    with pytest.raises(AnsibleActionFail, match="my_artifacts: there is no file thing-amd64"):
        deliver.deliver(made, "m", WANTED, {})


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([], "v is empty"),
        ([{**GOOD, "path": ""}], "either"),
        ([{**GOOD, "url": "https://x"}], "either"),
        ([{**GOOD, "sha256": "A" * 64}], "sha256"),
        ([{**GOOD, "sha256": "a"}], "sha256"),
    ],
)
def test_bad_artefacts_name_their_variable(given: list[dict[str, str]], words: str) -> None:
    with pytest.raises(AnsibleActionFail, match=words):
        deliver.artifacts("thing", "v", given)


def test_good_artefacts() -> None:
    assert deliver.artifacts("thing", "v", [GOOD]) == (
        Artifact("thing", "a" * 64, "amd64", path="thing.deb"),
    )
