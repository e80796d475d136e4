# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Of the proxies' figures, those are kept that are asked for, under the names that proxies give."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import yaml
from ansible_collections.brownfield.mesh.plugins.plugin_utils.monitoring import rules, server

from tests.support.alarms import THRESHOLDS

RULES = rules.rules(THRESHOLDS)


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        # As a sidecar's Envoy shows them, with Istio's rules for names.
        ("envoy_http_rbac", True),
        ("envoy_listener_no_filter_chain_match", True),
        ("istio_agent_cert_expiry_seconds", True),
        # As a bridge's Envoy 1.40 shows them, with its own.
        ("envoy_http_rbac_denied", True),
        ("envoy_denied", True),
        ("envoy_listener_ssl_fail_verify_san", True),
        ("envoy_server_live", True),
        ("envoy_http_rbac_shadow_denied", False),
        ("envoy_cluster_upstream_rq_total", False),
    ],
)
def test_what_is_kept(name: str, kept: bool) -> None:
    assert (relabelled({"__name__": name}) == name) is kept


def relabelled(series: dict[str, str]) -> str:
    """The name under which Prometheus keeps a series; empty when it does not (its documentation:
    relabel_config)."""
    series = dict(series)
    for rule in server.PROXY_FIGURES:
        value = ";".join(series.get(label, "") for label in rule["source_labels"])
        matches = re.fullmatch(rule["regex"], value) is not None
        if rule.get("action") == "keep" and not matches:
            return ""
        if "target_label" in rule and matches:
            series[rule["target_label"]] = rule["replacement"]
    return series["__name__"]


@pytest.mark.parametrize(
    ("name", "prefix", "code", "kept"),
    [
        # As a sidecar's Envoy 1.40 shows them, by Istio's rules for names.
        ("envoy_http_downstream_rq_completed", "inbound_192.0.2.1_8080", "", rules.REQUESTS),
        ("envoy_http_downstream_rq", "inbound_192.0.2.1_8080", "5xx", rules.FAILED),
        ("envoy_http_downstream_rq", "inbound_192.0.2.1_8080", "4xx", ""),
        ("envoy_http_downstream_rq", "outbound_0.0.0.0_8080", "5xx", ""),
        ("envoy_http_downstream_rq_completed", "InboundPassthroughCluster", "", ""),
    ],
)
def test_a_sidecars_requests(name: str, prefix: str, code: str, kept: str) -> None:
    labels = {"http_conn_manager_prefix": prefix, "response_code_class": code}
    assert relabelled({"__name__": name, **labels}) == kept


@pytest.mark.parametrize(
    ("name", "prefix", "code", "kept"),
    [
        ("envoy_http_downstream_rq_completed", "inward", "", rules.REQUESTS),
        ("envoy_http_downstream_rq_xx", "inward", "5", rules.FAILED),
        ("envoy_http_downstream_rq_xx", "inward", "2", ""),
        ("envoy_http_downstream_rq_completed", "admin", "", ""),
        ("envoy_http_downstream_rq_completed", "figures_proxy", "", ""),
        ("envoy_http_downstream_rq_xx", "outward_1_a", "5", ""),
    ],
)
def test_a_bridges_requests(name: str, prefix: str, code: str, kept: str) -> None:
    labels = {
        "envoy_http_conn_manager_prefix": prefix,
        "envoy_response_code_class": code,
    }
    assert relabelled({"__name__": name, **labels}) == kept


def test_files_for_a_prometheus_of_the_users() -> None:
    wanted = server.render_files("prometheus.service", RULES, "docs/runbooks", 15, {"a.json": "{}"})
    files = {file.path: file.content for file in wanted.files}
    jobs = yaml.safe_load(files[server.SCRAPE])["scrape_configs"]
    # What a whole configuration says in general, each job says.
    assert [(job["job_name"], job["scrape_interval"], job["scrape_timeout"]) for job in jobs] == [
        (rules.MACHINE_JOB, "15s", "10s"),
        (rules.PROXY_JOB, "15s", "10s"),
        (rules.VANTAGE_JOB, "15s", "10s"),
    ]
    assert yaml.safe_load(files["/etc/mesh-monitoring/rules.yml"]) == rules.render(
        RULES, "docs/runbooks"
    )
    assert (wanted.units, wanted.archives, wanted.reloads) == ((), (), "prometheus.service")
    assert not [file for file in wanted.files if file.secret]
    assert "/etc/mesh-monitoring/alertmanager.yml" in wanted.gone


@pytest.mark.parametrize("unit", ["prometheus", "mesh-prometheus.service", "a b.service", "-x"])
def test_what_is_no_unit_of_the_users_is_refused(unit: str) -> None:
    with pytest.raises(ValueError, match="mesh_monitoring_prometheus_unit"):
        server.render_files(unit, RULES, "docs", 15, {})


def test_systemd_takes_the_units(tmp_path: Path) -> None:
    state = server.render([], [], RULES, "docs", server.Alerting(), 15, 15, {})
    for unit in state.units:
        # The programs are not on this host.
        content = re.sub("/opt/mesh-monitoring/bin/[a-z]+", "/bin/true", unit.content)
        (tmp_path / unit.name).write_text(content)
    units = [str(tmp_path / unit.name) for unit in state.units]
    argv = ["systemd-analyze", "verify", "--man=no", *units]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert [line for line in done.stderr.splitlines() if "mesh-" in line] == []
