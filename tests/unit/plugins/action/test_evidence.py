# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""The action gathers all hosts' results, writes, prints, and fails naming what failed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.errors import AnsibleActionFail
from ansible_collections.brownfield.mesh.plugins.action import evidence as module
from ansible_collections.brownfield.mesh.plugins.plugin_utils.errors import ClusterError
from ansible_collections.brownfield.mesh.plugins.plugin_utils.evidence_document import Seen

from tests.unit.plugins.plugin_utils.evidence_fixture import HOSTS, plan, registrations, seen


def run(
    monkeypatch: pytest.MonkeyPatch,
    path: str = "",
    everything: dict[str, Seen] | None = None,
    check_mode: bool = False,
) -> tuple[dict[str, Any], list[str]]:
    """What the action returns, and what it displays."""
    shown: list[str] = []
    hostvars = {
        name: {
            "mesh_observed_before": dict(one.before),
            "mesh_probed": dict(one.probed),
            "mesh_observed_after": dict(one.after),
        }
        for name, one in (everything or seen()).items()
    }
    for name in HOSTS:
        hostvars.setdefault(name, {})
    action = module.ActionModule.__new__(module.ActionModule)
    action._task = SimpleNamespace(
        args={"plan": plan(), "path": path},
        check_mode=check_mode,
        async_val=0,
        action="brownfield.mesh.evidence",
        diff=False,
    )
    action._connection = SimpleNamespace(_shell=SimpleNamespace(tmpdir=None))
    monkeypatch.setattr(
        module.ActionModule, "_display", SimpleNamespace(display=shown.append), raising=False
    )
    variables = {"ansible_play_hosts_all": HOSTS, "hostvars": hostvars}
    return action.run(task_vars=variables), shown


@pytest.fixture(autouse=True)
def _cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    def entries(cluster: object, namespaces: list[str]) -> list[Any]:
        assert namespaces == ["batch", "payments"]
        # The certificate in the fixture is judged by the machine, so that time does not matter.
        return list(registrations())

    monkeypatch.setattr(module, "workload_entries", entries)


def test_all_is_well(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "evidence.json"
    result, shown = run(monkeypatch, str(path))
    assert result["failed"] is False
    assert result["changed"] is False
    assert result["failed_checks"] == []
    assert "msg" not in result
    assert json.loads(path.read_text(encoding="utf-8"))["passed"] is True
    assert "WHO JOINED" in shown[0]


def test_a_failure_names_every_failed_check(monkeypatch: pytest.MonkeyPatch) -> None:
    everything = seen()
    del everything["outsider-1"]
    everything["db-1"] = replace(everything["db-1"], after={"unreachable": True})
    result, shown = run(monkeypatch, everything=everything)
    assert result["failed"] is True
    names = [item["id"] for item in result["failed_checks"]]
    assert {"outsider-1/reached/host", "db-1/reached/host", "b"} <= set(names)
    for name in names:
        assert name in result["msg"]
        assert name in shown[0]


def test_check_mode_writes_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    run(monkeypatch, str(tmp_path / "evidence.json"), check_mode=True)
    assert list(tmp_path.iterdir()) == []


def test_a_path_that_cannot_be_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(AnsibleActionFail, match="mesh_evidence_path"):
        run(monkeypatch, str(tmp_path / "file" / "evidence.json"))


def test_a_cluster_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    def entries(cluster: object, namespaces: list[str]) -> list[Any]:
        raise ClusterError("no answer; see kubeconfig")

    monkeypatch.setattr(module, "workload_entries", entries)
    with pytest.raises(AnsibleActionFail, match="see kubeconfig"):
        run(monkeypatch)


def test_a_probe_that_has_not_spoken_yet_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    silent = [replace(item, healthy=None) for item in registrations()]
    answers = [silent, silent, registrations()]
    pauses: list[float] = []
    monkeypatch.setattr(module, "workload_entries", lambda *_: list(answers.pop(0)))
    monkeypatch.setattr(module.time, "sleep", pauses.append)
    result, _ = run(monkeypatch)
    assert result["failed"] is False
    assert len(pauses) == 2


def test_a_probe_that_never_speaks_fails_after_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    silent = [replace(item, healthy=None) for item in registrations()]
    monkeypatch.setattr(module, "workload_entries", lambda *_: silent)
    monkeypatch.setattr(module.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(
        module.time, "sleep", lambda seconds: clock.__setitem__(0, clock[0] + seconds)
    )
    result, _ = run(monkeypatch)
    assert "db-1/registration/health" in result["msg"]
    assert 0 < clock[0] < 60
