# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""A real Prometheus Operator makes of our objects what Prometheus and Alertmanager take."""

from __future__ import annotations

import base64
import gzip
import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest
import yaml
from ansible_collections.brownfield.mesh.plugins.module_utils.spec import Machine, Workload
from ansible_collections.brownfield.mesh.plugins.plugin_utils.client import Client
from ansible_collections.brownfield.mesh.plugins.plugin_utils.errors import ClusterError
from ansible_collections.brownfield.mesh.plugins.plugin_utils.monitoring import (
    dashboards,
    operator,
    server,
)
from ansible_collections.brownfield.mesh.plugins.plugin_utils.objects import Object
from ansible_collections.brownfield.mesh.plugins.plugin_utils.rbac import controller_roles

from lab.tools import go_tools
from tests.integration.api_server import ApiServer
from tests.integration.monitoring.test_rules import RULES, THRESHOLDS
from tests.integration.monitoring.test_server import run
from tests.support.fleet import PAYMENTS_DB, SHOP_API
from tests.support.prometheus_operator import operator_definitions

SECONDS = 120
T = TypeVar("T")
GROUP = "/apis/monitoring.coreos.com"
LABELS = {"release": "watch"}
MACHINES = [
    (Machine("payments-db-1", PAYMENTS_DB.key, "192.0.2.7"), PAYMENTS_DB),
    (Machine("shop-api-1", SHOP_API.key, "192.0.2.8"), SHOP_API),
]
ALERTING = server.Alerting(
    receivers=[
        {
            "name": "platform",
            "webhookConfigs": [{"urlSecret": {"name": "alarms", "key": "platform"}}],
        },
        {
            "name": "payments",
            "webhookConfigs": [{"urlSecret": {"name": "alarms", "key": "payments"}}],
        },
    ],
    routes=[{"receiver": "payments", "owner": 'team "payments" \\ {1}'}],
)


def render(
    namespace: str,
    machines: list[tuple[Machine, Workload]] = MACHINES,
    without: tuple[str, ...] = (),
    alerting: server.Alerting = ALERTING,
    boards_selected_by: dict[str, Any] | None = None,
) -> list[Object]:
    owners = {PAYMENTS_DB.key: 'team "payments" \\ {1}'}
    every = list(RULES.values())
    return operator.render(
        namespace, machines, owners, without, every, "https://x/", alerting, 30, LABELS,
        boards=dashboards.render(THRESHOLDS, "https://x/"),
        boards_selected_by={"grafana_dashboard": 1}
        if boards_selected_by is None
        else boards_selected_by,
    )  # fmt: skip


def wait(what: str, look: Callable[[], T | None]) -> T:
    end = time.monotonic() + SECONDS
    while (found := look()) is None:
        assert time.monotonic() < end, what
        time.sleep(0.2)
    return found


@pytest.fixture(scope="module")
def known(api: ApiServer) -> ApiServer:
    """The API server with the Operator's CRDs, all of them served: the Operator looks but once."""
    client = api.client()
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    client.each(lambda item: client.request("POST", path, item), operator_definitions())
    places = [
        f"{GROUP}/{version['name']}/{item['spec']['names']['plural']}"
        for item in operator_definitions()
        for version in item["spec"]["versions"]
        if version["served"]
    ]
    wait("the Operator's kinds", lambda: all(client.find(place) for place in places) or None)
    return api


@pytest.fixture
def watch(known: ApiServer, namespace: str) -> str:
    """A namespace with the Secret that the receivers name."""
    client = known.client()
    _post(client, "/api/v1/namespaces", "v1", "Namespace", namespace)
    addresses = {"platform": "http://192.0.2.1/secret", "payments": "http://192.0.2.2/secret"}
    path = f"/api/v1/namespaces/{namespace}/secrets"
    _post(client, path, "v1", "Secret", "alarms", stringData=addresses)
    return namespace


@contextmanager
def running(known: ApiServer, watch: str, tmp_path: Path) -> Iterator[None]:
    """Prometheus Operator, looking at one namespace."""
    with (tmp_path / "operator.log").open("wb") as log:
        process = subprocess.Popen(
            [
                go_tools("prometheus-operator") / "operator",
                f"--namespaces={watch}",
                "--web.listen-address=127.0.0.1:0",
            ],
            env={**os.environ, "KUBECONFIG": str(known.folder / "kubeconfig")},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            yield
        finally:
            process.terminate()
            process.wait(timeout=30)


def _post(client: Client, path: str, version: str, kind: str, name: str, **content: Any) -> None:
    body = {"apiVersion": version, "kind": kind, "metadata": {"name": name}, **content}
    client.request("POST", path, body)


def made(client: Client, namespace: str, name: str, key: str, needle: str) -> str:
    """The file in a Secret of the Operator's, once it has ``needle``."""

    def look() -> str | None:
        secret = client.find(f"/api/v1/namespaces/{namespace}/secrets/{name}") or {}
        packed = (secret.get("data") or {}).get(key, "")
        text = gzip.decompress(base64.b64decode(packed)).decode() if packed else ""
        return text if needle in text else None

    return wait(f"{needle} in {name}", look)


def test_the_operator_makes_the_same_of_it_as_we_do_on_a_machine(
    known: ApiServer, watch: str, tools: Path, tmp_path: Path
) -> None:
    client = known.client()
    operator.bring(client, watch, render(watch), check=False)
    select = {"matchLabels": LABELS}
    inside = f"{GROUP}/v1/namespaces/{watch}"
    _post(
        client, f"{inside}/prometheuses", "monitoring.coreos.com/v1", "Prometheus", "own",
        spec={"version": "v2.42.0", "scrapeConfigSelector": select, "ruleSelector": select},
    )  # fmt: skip
    _post(
        client, f"{inside}/alertmanagers", "monitoring.coreos.com/v1", "Alertmanager", "own",
        spec={
            "version": "v0.25.0",
            "alertmanagerConfigSelector": select,
            "alertmanagerConfigMatcherStrategy": {"type": "None"},
        },
    )  # fmt: skip

    # Last: of what comes while it starts, the Operator misses some until its next full look.
    with running(known, watch, tmp_path):
        text = made(client, watch, "prometheus-own", "prometheus.yaml.gz", "mesh-proxy")
        config = yaml.safe_load(text)
        (tmp_path / "prometheus.yml").write_text(yaml.safe_dump({**config, "rule_files": []}))
        done = run(tools / "promtool", "check", "config", tmp_path / "prometheus.yml")
        assert done.returncode == 0, done.stdout + done.stderr
        jobs = {}
        for one in config["scrape_configs"]:
            (job,) = [
                rule["replacement"]
                for rule in one["relabel_configs"]
                if rule.get("target_label") == "job" and "mesh-" in rule.get("replacement", "")
            ]
            jobs[job] = {t for s in one["static_configs"] for t in s["targets"]}
            assert one["static_configs"][0]["labels"]["owner"] == 'team "payments" \\ {1}'
            assert one["sample_limit"] == server.SAMPLE_LIMIT
        assert jobs == {
            "mesh-machine": {"192.0.2.7:19100", "192.0.2.8:19100"},
            "mesh-proxy": {"192.0.2.7:19101", "192.0.2.8:19101"},
        }

        maps = f"/api/v1/namespaces/{watch}/configmaps"
        files = wait(
            "rules",
            lambda: next(
                (m["data"] for m in client.items(maps) if "rulefiles" in m["metadata"]["name"]),
                None,
            ),
        )
        (rule_file,) = files.values()
        (tmp_path / "rules.yml").write_text(rule_file)
        done = run(tools / "promtool", "check", "rules", tmp_path / "rules.yml")
        assert f"{len(RULES)} rules found" in done.stdout, done.stdout + done.stderr

        name = "alertmanager-own-generated"
        text = made(client, watch, name, "alertmanager.yaml.gz", "192.0.2.2")
        file = tmp_path / "alertmanager.yml"
        file.write_text(text)
        for words, receiver in (
            (["alertname=MeshClockOff", "owner=x"], "platform"),
            (["alertname=MeshClockOff", 'owner="team \\"payments\\" \\\\ {1}"'], "payments"),
            (["alertname=MeshWatchdog"], "nobody"),
            (["alertname=SomebodyElses", "owner=x"], None),
        ):
            done = run(
                tools / "amtool", "config", "routes", "test", f"--config.file={file}", *words
            )
            found = done.stdout.strip()
            if receiver:
                assert found == f"{watch}/{operator.NAME}/{receiver}", done.stderr
            else:
                assert operator.NAME not in found


def test_applied_again_nothing_changes_and_who_leaves_is_gone(known: ApiServer, watch: str) -> None:
    client = known.client()
    predicted = operator.bring(client, watch, render(watch), check=True)
    assert {change.action for change in predicted} == {"created"}
    assert [client.find(ref.path) for ref in operator.refs(watch)] == [None] * 5
    operator.bring(client, watch, render(watch), check=False)
    again = operator.bring(client, watch, render(watch), check=False)
    assert {change.action for change in again} == {"unchanged"}

    found = client.find(operator.refs(watch)[-1].path) or {}
    assert found["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert {json.loads(text)["uid"] + ".json" for text in found["data"].values()} == set(
        found["data"]
    )

    fewer = render(
        watch, without=("shop-api-1",), alerting=server.Alerting(), boards_selected_by={}
    )
    actions = {str(c.ref): c.action for c in operator.bring(client, watch, fewer, check=False)}
    assert actions == {
        f"ScrapeConfig {watch}/mesh-machine": "updated",
        f"ScrapeConfig {watch}/mesh-proxy": "updated",
        f"PrometheusRule {watch}/brownfield-mesh": "unchanged",
        f"AlertmanagerConfig {watch}/brownfield-mesh": "deleted",
        f"ConfigMap {watch}/brownfield-mesh-dashboards": "deleted",
    }
    nobody = render(watch, without=("shop-api-1", "payments-db-1"))
    assert nobody == []
    operator.bring(client, watch, nobody, check=True)
    assert client.find(operator.refs(watch)[0].path)
    operator.bring(client, watch, nobody, check=False)
    assert [client.find(ref.path) for ref in operator.refs(watch)] == [None] * 5
    assert operator.bring(client, watch, nobody, check=False) == []


def test_an_object_of_the_same_name_that_is_not_ours_stays(known: ApiServer, watch: str) -> None:
    client = known.client()
    path = f"{GROUP}/v1/namespaces/{watch}/prometheusrules"
    _post(client, path, "monitoring.coreos.com/v1", "PrometheusRule", operator.NAME, spec={})
    assert operator.bring(client, watch, [], check=False) == []
    assert client.find(f"{path}/{operator.NAME}")


def test_the_documented_role_suffices(known: ApiServer, watch: str) -> None:
    (role,) = [r for r in controller_roles([], watch) if r["kind"] == "Role"]
    known.grant(role)
    limited = known.client("controller")

    def granted() -> bool | None:
        try:
            limited.find(operator.refs(watch)[0].path)
        except ClusterError:
            return None
        return True

    wait("the role", granted)
    operator.bring(limited, watch, render(watch), check=False)
    operator.bring(limited, watch, [], check=False)


def test_a_cluster_without_the_operator_is_named(bare_api: ApiServer, namespace: str) -> None:
    _post(bare_api.client(), "/api/v1/namespaces", "v1", "Namespace", namespace)
    with pytest.raises(ClusterError, match="those of Prometheus Operator"):
        operator.bring(bare_api.client(), namespace, render(namespace), check=False)
