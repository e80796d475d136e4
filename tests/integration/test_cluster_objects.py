# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""The action as a user runs it: ansible-playbook, check and diff mode, apply and write."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.brownfield.mesh.plugins.module_utils.spec import Cluster, to_data
from ansible_collections.brownfield.mesh.plugins.plugin_utils.apply import comparable
from ansible_collections.brownfield.mesh.plugins.plugin_utils.kinds import ref_of

from lab.config import CHECKOUT
from tests.integration.api_server import ApiServer
from tests.support.fleet import FACTS, MESH, PAYMENTS_DB, SHOP_API


def _play(
    folder: Path, cluster: Cluster, namespace: str, *flags: str, **options: Any
) -> subprocess.CompletedProcess[str]:
    fleet = [replace(PAYMENTS_DB, namespace=namespace), replace(SHOP_API, namespace=namespace)]
    arguments = {
        "mesh": to_data(replace(MESH, cluster=cluster)),
        "cluster": to_data(FACTS),
        "workloads": [to_data(workload) for workload in fleet],
        **options,
    }
    task = {"name": "Objects", "brownfield.mesh.cluster_objects": arguments}
    play = [{"hosts": "machine", "gather_facts": False, "tasks": [task]}]
    (folder / "play.yml").write_text(yaml.safe_dump(play))
    environment = {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": str(CHECKOUT / ".cache"),
        "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json" if "--diff" not in flags else "default",
        "ANSIBLE_NOCOLOR": "1",
    }
    # The machine does not exist: the action works on the controller alone.
    return subprocess.run(
        [
            str(Path(sys.executable).with_name("ansible-playbook")),
            "-i",
            "machine,",
            str(folder / "play.yml"),
            *flags,
        ],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def _result(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(done.stdout)["plays"][0]["tasks"][0]["hosts"]["machine"]
    return found


def test_apply_equals_write(api: ApiServer, namespace: str, tmp_path: Path) -> None:
    cluster, folder = api.cluster(), tmp_path / "gitops"
    predicted = _result(_play(tmp_path, cluster, namespace, "--check"))
    assert predicted["changed"]
    assert api.client().find(f"/api/v1/namespaces/{namespace}") is None
    applied = _result(_play(tmp_path, cluster, namespace))
    assert applied["objects"] == predicted["objects"]
    assert not _result(_play(tmp_path, cluster, namespace))["changed"]

    written = _result(_play(tmp_path, Cluster("gone"), namespace, output="write", path=str(folder)))
    assert written["changed"]
    again = _play(tmp_path, Cluster("gone"), namespace, output="write", path=str(folder))
    assert not _result(again)["changed"]
    resources = yaml.safe_load((folder / "kustomization.yaml").read_text())["resources"]
    objects = [yaml.safe_load((folder / name).read_text()) for name in resources]
    assert len(objects) == len(applied["objects"])
    client = api.client()
    for item in objects:
        # What was applied from memory is what the file says: to apply the file changes nothing.
        path = ref_of(item).path
        before = client.get(path)
        query = {"fieldManager": "brownfield.mesh", "dryRun": "All"}
        content_type = "application/apply-patch+yaml"
        after = client.request("PATCH", path, item, query, content_type=content_type)
        assert comparable(after) == comparable(before)
        ours = [m for m in before["metadata"]["managedFields"] if m["operation"] == "Apply"]
        then = [m for m in after["metadata"]["managedFields"] if m["operation"] == "Apply"]
        assert [m["fieldsV1"] for m in ours] == [m["fieldsV1"] for m in then]


def test_the_diff_shows_what_changes(api: ApiServer, namespace: str, tmp_path: Path) -> None:
    done = _play(tmp_path, api.cluster(), namespace, "--check", "--diff")
    assert f"+++ after: AuthorizationPolicy {namespace}/allow-payments-db" in done.stdout
    assert "+        - cluster.local/ns/shop/sa/shop-api" in done.stdout
    assert "token-admin" not in done.stdout + done.stderr


def test_absent_takes_it_all_away(api: ApiServer, namespace: str, tmp_path: Path) -> None:
    _result(_play(tmp_path, api.cluster(), namespace))
    predicted = _result(_play(tmp_path, api.cluster(), namespace, "--check", state="absent"))
    removed = _result(_play(tmp_path, api.cluster(), namespace, state="absent"))
    assert removed["objects"] == predicted["objects"]
    assert {item["action"] for item in removed["objects"]} == {"deleted"}
    assert removed["kept"] == []
    assert not _result(_play(tmp_path, api.cluster(), namespace, state="absent"))["changed"]


def test_problems_are_one_message_without_traceback(tmp_path: Path, namespace: str) -> None:
    kubeconfig = {
        "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:9"}}],
        "contexts": [{"name": "c", "context": {"cluster": "c"}}],
        "current-context": "c",
    }
    (tmp_path / "kubeconfig").write_text(yaml.safe_dump(kubeconfig))
    gone, refused = Cluster(str(tmp_path / "gone")), Cluster(str(tmp_path / "kubeconfig"))
    ways: list[tuple[Cluster, dict[str, Any], str]] = [
        (gone, {}, "cannot read the kubeconfig"),
        (refused, {}, "cannot be reached"),
        (refused, {"state": "absent"}, "cannot be reached"),
        (refused, {"output": "write"}, "path"),
        (refused, {"output": "write", "path": "x", "state": "absent"}, "output: apply only"),
        (refused, {"workloads": [{"name": "x"}]}, "not what brownfield.mesh.plan returns"),
    ]
    for cluster, options, message in ways:
        done = _play(tmp_path, cluster, namespace, **options)
        assert done.returncode == 2
        text = json.loads(done.stdout)["plays"][0]["tasks"][0]["hosts"]["machine"]["msg"]
        assert message in text
        assert "Traceback" not in done.stdout + done.stderr
