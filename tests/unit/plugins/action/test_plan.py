# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""What Ansible makes of an inventory reaches validation as it is meant, mistakes included."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
import yaml
from ansible.errors import AnsibleActionFail
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import init_plugin_loader
from ansible.vars.hostvars import HostVars
from ansible.vars.manager import VariableManager
from ansible_collections.brownfield.mesh.plugins.action import plan
from ansible_collections.brownfield.mesh.plugins.module_utils.field_types import Unreadable
from ansible_collections.brownfield.mesh.plugins.module_utils.modes import Decision
from ansible_collections.brownfield.mesh.plugins.modules.plan import DOCUMENTATION, RETURN
from ansible_collections.brownfield.mesh.plugins.plugin_utils.errors import ClusterError

from tests.support.fleet import FACTS
from tests.support.inventory import lab

Run = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module", autouse=True)
def _plugins() -> None:
    init_plugin_loader()


def hostvars(folder: Path, hosts: dict[str, Any]) -> tuple[HostVars, DataLoader]:
    """Ansible's own view of an inventory file."""
    path = folder / "inventory.yml"
    path.write_text(yaml.safe_dump({"all": {"hosts": hosts}}))
    loader = DataLoader()
    inventory = InventoryManager(loader=loader, sources=[str(path)])
    return HostVars(inventory, VariableManager(loader=loader, inventory=inventory), loader), loader


def read(folder: Path, hosts: dict[str, Any]) -> dict[str, Any]:
    found, loader = hostvars(folder, hosts)
    return plan.variables(found, loader, {"hostvars": found})


def test_values_are_plain_whatever_ansible_made_of_them(tmp_path: Path) -> None:
    db = {"mesh_workload": {"name": "db", "ports": [{"port": 5432}], "weight": 1.5, "x": None}}
    found = read(tmp_path, {"db-1": db})
    assert found == {"db-1": db}

    def types(value: Any) -> set[type]:
        parts = value if isinstance(value, list) else []
        parts = [*value, *value.values()] if isinstance(value, dict) else parts
        return {type(value)}.union(*(types(part) for part in parts))

    assert types(found) == {dict, list, str, int, float, type(None)}


def test_templates_see_their_own_host_and_others(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        {
            "db-1": {
                "mesh_workload": {"name": "{{ app }}", "ports": "{{ served }}"},
                "mesh_machine": {"address": "{{ hostvars['web-1'].own }}"},
                "app": "db",
                "served": [{"name": "tcp", "port": "{{ 5432 + 0 }}"}],
            },
            "web-1": {"own": "10.0.0.{{ 7 }}"},
        },
    )
    assert found == {
        "db-1": {
            "mesh_workload": {"name": "db", "ports": [{"name": "tcp", "port": 5432}]},
            "mesh_machine": {"address": "10.0.0.7"},
        }
    }


def test_only_the_part_that_fails_is_missing(tmp_path: Path) -> None:
    workload = {"name": "{{ nowhere }}", "namespace": "{{ 'a' ~ 'b' }}", "calls": ["{{ 1 / 0 }}"]}
    found = read(tmp_path, {"db-1": {"mesh_workload": workload}})["db-1"]["mesh_workload"]
    assert found["namespace"] == "ab"
    assert isinstance(found["name"], Unreadable)
    assert "'nowhere' is undefined" in found["name"].why
    assert isinstance(found["calls"][0], Unreadable)
    assert "\n" not in found["calls"][0].why


def test_hosts_that_have_nothing_to_do_with_the_mesh_cost_nothing(tmp_path: Path) -> None:
    assert read(tmp_path, {"other": {"x": "{{ nowhere }}"}}) == {}


def test_names_that_may_be_misspelt_are_passed_on_without_their_values(tmp_path: Path) -> None:
    found = read(tmp_path, {"db-1": {"mesh_worklaod": {"name": "db"}, "mesh_x": "{{ nowhere }}"}})
    assert found == {"db-1": {"mesh_worklaod": None, "mesh_x": None}}


@pytest.fixture
def asked() -> list[tuple[list[str], bool]]:
    """What the cluster was asked for: the modes, and whether bridges call outside."""
    return []


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: list[Any]) -> Run:
    def act(hosts: dict[str, Any], facts: Any = FACTS, **arguments: Any) -> dict[str, Any]:
        def reading(mesh: Any, modes: Any, bridges_to_egress: bool) -> Any:
            asked.append((sorted(modes), bridges_to_egress))
            if isinstance(facts, Exception):
                raise facts
            return facts

        monkeypatch.setattr(plan.cluster_facts, "read", reading)
        found, loader = hostvars(tmp_path, hosts)
        task = Mock(args=arguments, async_val=0, check_mode=False, diff=False)
        task.get_search_path.return_value = [str(tmp_path)]
        action = plan.ActionModule(task, Mock(), Mock(), loader, Mock(), Mock())
        result: dict[str, Any] = action.run(task_vars={"hostvars": found})
        return result

    return act


def test_the_plan_of_the_lab(run: Run) -> None:
    result = run(lab(), max_cases_per_machine=12)
    documented = yaml.safe_load(RETURN)
    assert set(result) == {*documented, "changed"}
    assert result["changed"] is False
    assert all(len(items) <= 12 for items in result["cases"].values())
    assert json.loads(json.dumps(result)) == result


def test_auto_is_decided_after_the_cluster_was_read(
    run: Run, monkeypatch: pytest.MonkeyPatch, asked: list[Any]
) -> None:
    hosts = lab()
    workload = hosts["legacy-batch-1"]["mesh_workload"]
    workload["mode"] = "auto"
    workload["calls"].append({"external": "a.example", "port": 80})
    decisions = {"batch/legacy-batch": Decision("bridge", "the cluster refuses it")}
    monkeypatch.setattr(plan.mode_facts, "decide", lambda fleet, facts: decisions)
    with pytest.raises(AnsibleActionFail) as caught:
        run(hosts)
    text = "legacy-batch-1: mesh_machine.identity.key is missing"
    assert text in str(caught.value)
    assert "(auto decided for bridge: the cluster refuses it)" in str(caught.value)
    identity = {"provider": "local_ca", "certificate": "inventory.yml", "key": "inventory.yml"}
    for variables in hosts.values():
        egress = {"services": [{"host": "a.example", "port": 80}]}
        variables["mesh"] = {**variables["mesh"], "identity": identity, "egress": egress}
    monkeypatch.setattr(plan.ActionModule, "_exists", lambda *_: True)
    asked.clear()
    result = run(hosts)
    # Whom a bridge must reach is known once there is one.
    assert asked == [(["auto", "sidecar"], False), (["bridge", "sidecar"], True)]
    way_out = {"workload": "batch/legacy-batch", "host": "a.example", "port": 80, "via": "gateway"}
    assert result["egress"] == [way_out]
    reason = "auto: the cluster refuses it"
    assert result["modes"]["legacy-batch-1"] == {"mode": "bridge", "reason": reason}
    assert result["machines"]["legacy-batch-1"]["machine"]["mode"] == "bridge"
    assert result["machines"]["legacy-batch-1"]["workload"]["mode"] == "bridge"


def test_the_default_limit_is_the_documented_one(run: Run) -> None:
    option = yaml.safe_load(DOCUMENTATION)["options"]["max_cases_per_machine"]
    assert option["default"] == plan.DEFAULT_LIMIT


def test_all_problems_are_one_message(run: Run) -> None:
    hosts = lab()
    hosts["payments-db-1"]["mesh_workload"]["mode"] = "waypoint"
    hosts["legacy-batch-1"]["mesh"] = {
        **hosts["legacy-batch-1"]["mesh"],
        "cluster": {"kubeconfig": "{{ nowhere }}/kubeconfig"},
    }
    with pytest.raises(AnsibleActionFail) as caught:
        run(hosts)
    text = str(caught.value)
    assert "2 problems" in text
    assert "payments-db-1: mesh_workload.mode" in text
    assert "legacy-batch-1: mesh.cluster.kubeconfig could not be evaluated: 'nowhere'" in text


def test_a_missing_kubeconfig_is_found_before_the_cluster_is_asked(
    run: Run, tmp_path: Path
) -> None:
    hosts = lab()
    for variables in hosts.values():
        missing = {"kubeconfig": str(tmp_path / "kubeconfig")}
        variables["mesh"] = {**variables["mesh"], "cluster": missing}
    with pytest.raises(AnsibleActionFail, match="names a file that does not exist"):
        run(hosts, AssertionError("the cluster was asked"))


def test_artefacts_are_looked_for_where_join_looks(run: Run, tmp_path: Path) -> None:
    artifact = {"name": "istio-sidecar", "sha256": "0" * 64, "path": "istio.deb"}
    hosts = lab()
    for variables in hosts.values():
        variables["mesh"] = {"proxy": {"package": "deb", "artifacts": [artifact]}}
    with pytest.raises(AnsibleActionFail, match=r"artifacts\[0\].path names a file that does not"):
        run(hosts)
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "istio.deb").touch()
    run(hosts)


def test_what_the_cluster_says_is_the_message(run: Run) -> None:
    with pytest.raises(AnsibleActionFail, match="no Istio here"):
        run(lab(), ClusterError("no Istio here"))


def test_what_no_agent_could_read_is_found_before_the_cluster_is_asked(run: Run) -> None:
    hosts = lab()
    hosts["payments-db-1"]["mesh_workload"]["annotations"] = {"proxy.istio.io/config": "quiet"}
    with pytest.raises(AnsibleActionFail, match=r"payments-db-1: .*proxy\.istio\.io/config"):
        run(hosts, AssertionError("the cluster was asked"))
