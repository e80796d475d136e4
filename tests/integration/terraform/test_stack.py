# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Plan, judge, apply, destroy, with the real programs."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

from tests.integration.terraform.conftest import Folder


def actions(result: dict[str, object]) -> dict[str, str]:
    """Action by address."""
    plan = result["plan"]
    assert isinstance(plan, dict)
    return {change["address"]: change["action"] for change in plan["changes"]}


def test_from_nothing_to_machines_and_back(folder: Folder) -> None:
    first = folder.run()
    assert first["changed"]
    assert first["outputs"] == {"machines": {"a": "small", "b": "small"}}
    assert set(actions(first).values()) == {"create"}
    assert 'terraform_data.machine["a"]: creating' in folder.said

    again = folder.run()
    assert not again["changed"]
    assert not again["plan"]["changes"]
    assert again["outputs"] == first["outputs"]

    larger = folder.run(variables={"size": "large"}, diff=True)
    assert set(actions(larger).values()) == {"update"}
    assert larger["plan"]["changes"][0]["attributes"]["input"] == {
        "before": {"name": "a", "size": "small"},
        "after": {"name": "a", "size": "large"},
    }
    assert '"size": "small"' in larger["diff"][0]["before"]
    assert '"size": "large"' in larger["diff"][0]["after"]

    one_less = {"size": "large", "machines": ["a"]}
    refused = folder.fails(variables=one_less)
    assert [reason["rule"] for reason in refused.result["reasons"]] == ["allow_delete"]
    assert not refused.result["changed"]
    policy = {"allow_delete": ('terraform_data.machine["b"]',)}
    removed = folder.run(variables=one_less, policy=policy)
    assert actions(removed) == {'terraform_data.machine["b"]': "delete"}
    assert removed["outputs"] == {"machines": {"a": "large"}}

    assert folder.fails("destroyed").result["reasons"]
    leaving = folder.run("destroyed", check=True, variables=one_less, policy={"max_deletes": 1})[
        "plan"
    ]["outputs"]
    assert leaving == {"machines": {"action": "delete", "before": {"a": "large"}, "after": None}}
    gone = folder.run("destroyed", policy={"max_deletes": 1})
    assert gone["changed"]
    assert gone["outputs"] == {}
    assert not folder.run("destroyed")["changed"]


def test_check_mode_says_what_would_change_and_changes_nothing(folder: Folder) -> None:
    would = folder.run(check=True, diff=True)
    assert would["changed"]
    assert would["plan"]["summary"]["create"] == 2
    assert not folder.state.exists()
    folder.run()
    assert not folder.run(check=True)["changed"]
    before = folder.state.read_bytes()
    assert folder.run("destroyed", check=True, policy={"max_deletes": 2})["changed"]
    assert folder.run("planned", variables={"size": "x"})["changed"]
    assert folder.state.read_bytes() == before


def test_a_replacement_counts_as_a_delete_and_names_its_reason(folder: Folder) -> None:
    folder.run()
    newer = {"generation": 2}
    refused = folder.fails(variables=newer)
    assert {reason["action"] for reason in refused.result["reasons"]} == {"replace"}
    assert "replace because cannot update" in str(refused)
    change = refused.result["plan"]["changes"][0]
    assert change["replaced_by"] == ["triggers_replace"]
    protected = {"max_deletes": 9, "protected_types": ("terraform_*",)}
    rules = {r["rule"] for r in folder.fails(variables=newer, policy=protected).result["reasons"]}
    assert rules == {"protected_types"}
    assert folder.run(variables=newer, policy={"max_deletes": 2})["changed"]


def test_the_number_of_changes_has_a_limit(folder: Folder) -> None:
    refused = folder.fails(policy={"max_changes": 1})
    assert [reason["rule"] for reason in refused.result["reasons"]] == ["max_changes"]
    assert not folder.state.exists()
    assert folder.run(policy={"max_changes": 2})["changed"]


def test_a_change_of_an_output_alone_is_a_change(folder: Folder) -> None:
    folder.run()
    folder.write('output "note" { value = "new" }', "outputs.tf")
    found = folder.run()
    assert found["changed"]
    assert found["plan"]["summary"] | {"outputs": 0} == dict.fromkeys(found["plan"]["summary"], 0)
    assert found["outputs"]["note"] == "new"
    assert not folder.run()["changed"]


def test_moved_removed_and_imported_resources_are_told_apart(folder: Folder) -> None:
    folder.run()
    state = json.loads(folder.state.read_text())
    machine = state["resources"][0]["instances"][0]["attributes"]["id"]
    folder.write(
        """
        resource "terraform_data" "other" {
          input            = { name = "a", size = "small" }
          triggers_replace = 1
        }
        moved {
          from = terraform_data.machine["a"]
          to   = terraform_data.other
        }
        """,
        "other.tf",
    )
    found = folder.run(variables={"machines": ["b"]})
    assert actions(found) == {"terraform_data.other": "move"}
    assert found["plan"]["changes"][0]["reason"] == 'moved from terraform_data.machine["a"]'
    assert folder.state.read_text().count(machine) >= 1
    folder.write(
        "removed {\n from = terraform_data.other\n lifecycle { destroy = false }\n}", "other.tf"
    )
    # Forgetting deletes nothing, so it needs no leave.
    assert actions(folder.run(variables={"machines": ["b"]})) == {"terraform_data.other": "forget"}


def test_files_of_variables_are_read_and_ours_win(folder: Folder) -> None:
    (folder.path / "env.tfvars").write_text('size = "medium"\nmachines = ["x"]\n')
    found = folder.run(variable_files=(Path("env.tfvars"),), variables={"size": "huge"})
    assert found["outputs"] == {"machines": {"x": "huge"}}


def test_workspaces_have_states_of_their_own(folder: Folder) -> None:
    folder.run(variables={"machines": ["only"]})
    other = folder.run(workspace="staging")
    assert other["outputs"]["machines"].keys() == {"a", "b"}
    assert not folder.run(workspace="staging")["changed"]
    assert not folder.run(variables={"machines": ["only"]})["changed"]


def test_one_folder_serves_several_environments(folder: Folder) -> None:
    """Each with a state of its own, one after the other; a state of the folder is never moved."""
    production = {"path": str(folder.state.with_name("production.tfstate"))}
    folder.run(variables={"machines": ["only"]})
    assert folder.run(backend=production)["plan"]["summary"]["create"] == 2
    assert not folder.run(variables={"machines": ["only"]})["changed"]
    assert not folder.run(backend=production)["changed"]
    folder.run(backend={"path": "terraform.tfstate"})
    shutil.rmtree(folder.path / ".terraform")
    words = str(folder.fails(backend=production))
    assert "What to do: a state lies in the folder itself" in words


def test_the_controllers_environment_does_not_change_the_run(folder: Folder) -> None:
    log = folder.path.parent / "trace.log"
    hostile = {
        **os.environ,
        "TF_LOG": "TRACE",
        "TF_LOG_PATH": str(log),
        "TF_VAR_size": "hostile",
        "TF_CLI_ARGS_plan": "-destroy",
        "TF_WORKSPACE": "hostile",
        "TF_INPUT": "1",
    }
    assert folder.run(controller=hostile)["outputs"]["machines"]["a"] == "small"
    assert not log.exists()


def test_only_the_plan_that_was_judged_is_applied(folder: Folder) -> None:
    """Terraform is given the file of the plan: the configuration may change in between."""
    folder.run()
    folder.write(
        """
        resource "terraform_data" "late" {
          input = "x"
          provisioner "local-exec" { command = "sed -i s/small/tiny/ main.tf" }
        }
        """,
        "late.tf",
    )
    assert folder.run()["outputs"]["machines"]["a"] == "small"
    assert folder.run()["outputs"]["machines"]["a"] == "tiny"
