# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""What a machine of the group mesh_monitoring is to run: Prometheus and Alertmanager.

Both listen on loopback: what they know of the fleet is read by an SSH tunnel, and by nobody else.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml
from ansible_collections.brownfield.mesh.plugins.module_utils.desired import File
from ansible_collections.brownfield.mesh.plugins.module_utils.spec import Artifact
from ansible_collections.brownfield.mesh.plugins.module_utils.watch.state import (
    ALERTMANAGER_UNIT,
    CLIENT_CERTIFICATE,
    CLIENT_KEY,
    GRAFANA_PROVIDER,
    MONITORING_HOME,
    PROMETHEUS_UNIT,
    TARGETS,
    VANTAGE_CERTIFICATES,
    VANTAGES,
    Archive,
    Installation,
    Pair,
    Program,
    place,
)
from ansible_collections.brownfield.mesh.plugins.plugin_utils.monitoring import (
    dashboards,
    rules,
    sandbox,
)
from ansible_collections.brownfield.mesh.plugins.plugin_utils.monitoring.ports import (
    EXPORTER_PORT,
)
from ansible_collections.brownfield.mesh.plugins.plugin_utils.monitoring.rules import Rule
from ansible_collections.brownfield.mesh.plugins.plugin_utils.monitoring.targets import (
    PROXY_PORT,
)

CONFIG = "/etc/" + MONITORING_HOME
DASHBOARDS = CONFIG + "/dashboards"
# What a Prometheus of the user's includes.
SCRAPE = CONFIG + "/scrape.yml"
UNIT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9:_.@\\-]*\.service")
PROMETHEUS = "127.0.0.1:9090"
ALERTMANAGER = "127.0.0.1:9093"
NOBODY = "nobody"
TEMPLATES = ("default", "email")
# Series kept of one machine: what is more is an error to look at, not a bill to pay.
SAMPLE_LIMIT = 2000
# Of the 500 series and more that agent and Envoy offer, those that answer a question of ours. With
# Istio's rules for names, what policies decided is one series; a bridge's Envoy has its own names.
_PROXY_SERIES = (
    "envoy_server_(live|uptime|memory_allocated)",
    "envoy_(cluster_manager_cds|listener_manager_lds)_update_(success|rejected)",
    "envoy_listener_no_filter_chain_match",
    "envoy_(http|tcp)_rbac",
    "envoy_(http_rbac_)?(allowed|denied)",
    "envoy_listener_ssl_(connection_error|fail_verify_(error|no_cert|san))",
    "envoy_cluster_(upstream_cx_connect_fail|ssl_handshake)",
    "istio_agent_cert_expiry_seconds",
    "istio_agent_process_(cpu_seconds_total|resident_memory_bytes|start_time_seconds)",
    rules.REQUESTS,
    rules.FAILED,
)
PROXY_SERIES = "|".join(_PROXY_SERIES)
# Requests that came in, and those of them that failed: a sidecar's Envoy and a bridge's have other
# names for them (and labels: the latter's begin with `envoy_`), and say the same of what goes out.
_REQUESTS = (
    (rules.REQUESTS, "", "envoy_http_downstream_rq_completed;inbound_.+;"),
    (rules.FAILED, "", "envoy_http_downstream_rq;inbound_.+;5xx"),
    (rules.REQUESTS, "envoy_", "envoy_http_downstream_rq_completed;inward;"),
    (rules.FAILED, "envoy_", "envoy_http_downstream_rq_xx;inward;5"),
)
# How a proxy's figures are relabelled: what is asked for gets our names, all else goes.
PROXY_FIGURES: tuple[dict[str, Any], ...] = (
    *(
        {
            "source_labels": [
                "__name__",
                begin + "http_conn_manager_prefix",
                begin + "response_code_class",
            ],
            "regex": pattern,
            "target_label": "__name__",
            "replacement": name,
        }
        for name, begin, pattern in _REQUESTS
    ),
    {
        "source_labels": ["__name__"],
        "regex": PROXY_SERIES,
        "action": "keep",
    },
)


@dataclass(frozen=True)
class Alerting:
    """Who is told, how often and of what. ``receivers`` are Alertmanager's own, with secrets.

    ``routes`` have ``receiver`` and may have ``owner`` and ``severity``; what no route takes goes
    to the first receiver. ``watchdog`` is the receiver of the dead-man's switch.
    """

    receivers: Sequence[Mapping[str, Any]] = field(default=(), repr=False)
    routes: Sequence[Mapping[str, str]] = ()
    watchdog: str = ""
    group_wait_seconds: int = 30
    group_interval_seconds: int = 300
    repeat_seconds: int = 14400


def render(
    prometheus: Sequence[Artifact],
    alertmanager: Sequence[Artifact],
    every: Sequence[Rule],
    runbooks: str,
    alerting: Alerting,
    scrape_seconds: int,
    retention_days: int,
    boards: Mapping[str, str],
    https_proxy: str = "",
    grafana: bool = False,
) -> Installation:
    """The desired state of a monitoring machine, its targets apart.

    ``boards`` are dashboards by file name, which a ``grafana`` on the machine is told of.
    """
    archives = (
        Archive(
            "prometheus",
            "mesh_monitoring_prometheus_artifacts",
            (Program("prometheus", ("prometheus",)), Program("promtool", ("promtool",))),
            tuple(prometheus),
        ),
        Archive(
            "alertmanager",
            "mesh_monitoring_alertmanager_artifacts",
            (
                Program("alertmanager", ("alertmanager", "prometheus-alertmanager")),
                Program("amtool", ("amtool",)),
            ),
            tuple(alertmanager),
            # Debian's takes them from here, upstream's has them inside.
            tuple("/usr/share/prometheus/alertmanager/%s.tmpl" % name for name in TEMPLATES),
        ),
    )
    key = "/run/credentials/%s/key" % PROMETHEUS_UNIT
    config = prometheus_config(scrape_seconds, key)
    files = (
        File(CONFIG + "/prometheus.yml", _yaml(config), 0o644),
        File(CONFIG + "/rules.yml", _yaml(rules.render(every, runbooks)), 0o644),
        File(
            CONFIG + "/alertmanager.yml", _yaml(alertmanager_config(alerting)), 0o600, secret=True
        ),
    )
    contents = [file.content for file in files]
    promtool = place(MONITORING_HOME, "promtool")
    prometheus_command = [
        place(MONITORING_HOME, "prometheus"),
        "--config.file=%s/prometheus.yml" % CONFIG,
        "--storage.tsdb.path=/var/lib/mesh-prometheus",
        "--storage.tsdb.retention.time=%dd" % retention_days,
        "--web.listen-address=" + PROMETHEUS,
        # Links in alarms: what `ssh -L 9090:127.0.0.1:9090` makes reachable.
        "--web.external-url=http://" + PROMETHEUS,
    ]
    alertmanager_command = [
        place(MONITORING_HOME, "alertmanager"),
        "--config.file=${CREDENTIALS_DIRECTORY}/config",
        "--storage.path=/var/lib/mesh-alertmanager",
        "--web.listen-address=" + ALERTMANAGER,
        "--cluster.listen-address=",
    ]
    return Installation(
        home=MONITORING_HOME,
        archives=archives,
        files=(*files, *_for_others(every, runbooks, boards, grafana)),
        units=(
            sandbox.server(
                ALERTMANAGER_UNIT,
                "Alertmanager",
                sandbox.without_addresses(alertmanager_command),
                [
                    ("StateDirectory", "mesh-alertmanager"),
                    ("SyslogIdentifier", "alertmanager"),
                    # What takes secrets out of its words lives as long as it does.
                    ("KillMode", "mixed"),
                    # The file is root's, with its receivers' secrets; the program gets a copy.
                    ("LoadCredential", "config:%s/alertmanager.yml" % CONFIG),
                ],
                archives[1],
                (9093, "/-/ready"),
                contents[2:],
            ),
            sandbox.server(
                PROMETHEUS_UNIT,
                "Prometheus",
                prometheus_command,
                [
                    ("StateDirectory", "mesh-prometheus"),
                    ("LimitNOFILE", "65536"),
                    ("LoadCredential", "key:" + CLIENT_KEY),
                ],
                archives[0],
                (9090, "/-/ready"),
                contents[:2],
            ),
        ),
        https_proxy=https_proxy,
        checks=(
            # The files that it names are there when the unit runs.
            (promtool, "check", "config", "--syntax-only", CONFIG + "/prometheus.yml"),
            (promtool, "check", "rules", CONFIG + "/rules.yml"),
            (place(MONITORING_HOME, "amtool"), "check-config", CONFIG + "/alertmanager.yml"),
        ),
        gone=(SCRAPE, *(() if grafana else (GRAFANA_PROVIDER,))),
        pair=Pair(CLIENT_KEY, CLIENT_CERTIFICATE),
    )


def render_files(
    unit: str,
    every: Sequence[Rule],
    runbooks: str,
    scrape_seconds: int,
    boards: Mapping[str, str],
    grafana: bool = False,
) -> Installation:
    """The desired state of a monitoring machine with a Prometheus of the user's, run by ``unit``:
    its targets apart, the files that it is to include. Alertmanager is the user's, too.

    Raises ValueError when ``unit`` is no service of the user's.
    """
    if not UNIT.fullmatch(unit) or unit.startswith("mesh-"):
        raise ValueError(
            f"mesh_monitoring_prometheus_unit: {unit!r} is no service of your own; write for"
            " example prometheus.service"
        )
    # What is general in a configuration is the user's, so each job says it.
    config = prometheus_config(scrape_seconds, CLIENT_KEY)
    pace = {name: config["global"][name] for name in ("scrape_interval", "scrape_timeout")}
    jobs = [{**job, **pace} for job in config["scrape_configs"] if "file_sd_configs" in job]
    return Installation(
        home=MONITORING_HOME,
        archives=(),
        files=(
            File(SCRAPE, _yaml({"scrape_configs": jobs}), 0o644),
            File(CONFIG + "/rules.yml", _yaml(rules.render(every, runbooks)), 0o644),
            *_for_others(every, runbooks, boards, grafana),
        ),
        units=(),
        gone=(
            CONFIG + "/prometheus.yml",
            CONFIG + "/alertmanager.yml",
            *(() if grafana else (GRAFANA_PROVIDER,)),
        ),
        reloads=unit,
        pair=Pair(CLIENT_KEY, CLIENT_CERTIFICATE),
    )


def _for_others(
    every: Sequence[Rule], runbooks: str, boards: Mapping[str, str], grafana: bool
) -> list[File]:
    """For a Loki of the user's, and a Grafana of theirs."""
    of_loki = _yaml(rules.render(rules.loki(every), runbooks))
    files = [File(CONFIG + "/loki-rules.yml", of_loki, 0o644)]
    files += [File(f"{DASHBOARDS}/{name}", text, 0o644) for name, text in boards.items()]
    if grafana:
        files.append(File(GRAFANA_PROVIDER, dashboards.provider(DASHBOARDS), 0o644))
    return files


def prometheus_config(scrape_seconds: int, key: str) -> dict[str, Any]:
    """prometheus.yml: two questions to each machine, both through its proxy, and one to each
    vantage, by TLS with the ``key`` of this Prometheus."""
    name = {"source_labels": ["machine"], "target_label": "instance"}
    return {
        "global": {
            "scrape_interval": f"{scrape_seconds}s",
            "scrape_timeout": f"{min(scrape_seconds, 10)}s",
            "evaluation_interval": f"{scrape_seconds}s",
        },
        "rule_files": [CONFIG + "/rules.yml"],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [ALERTMANAGER]}]}]},
        "scrape_configs": [
            _job(rules.MACHINE_JOB, "/metrics", [_port(str(EXPORTER_PORT)), name]),
            {
                **_job(rules.PROXY_JOB, "/stats/prometheus", [_port_of(PROXY_PORT), name]),
                "metric_relabel_configs": [dict(one) for one in PROXY_FIGURES],
            },
            {
                **_job(rules.VANTAGE_JOB, "/metrics", [_port(str(EXPORTER_PORT)), name], VANTAGES),
                "scheme": "https",
                "tls_config": {
                    "ca_file": VANTAGE_CERTIFICATES,
                    "cert_file": CLIENT_CERTIFICATE,
                    "key_file": key,
                },
            },
            {"job_name": "prometheus", "static_configs": [{"targets": [PROMETHEUS]}]},
            {"job_name": "alertmanager", "static_configs": [{"targets": [ALERTMANAGER]}]},
        ],
    }


def _job(
    name: str, path: str, relabel: list[dict[str, Any]], found_in: str = TARGETS
) -> dict[str, Any]:
    return {
        "job_name": name,
        "metrics_path": path,
        "sample_limit": SAMPLE_LIMIT,
        "file_sd_configs": [{"files": [found_in]}],
        "relabel_configs": relabel,
    }


def _port(port: str) -> dict[str, Any]:
    return {
        "source_labels": ["__address__"],
        "target_label": "__address__",
        "replacement": "$1:" + port,
    }


def _port_of(label: str) -> dict[str, Any]:
    return {
        "source_labels": ["__address__", label],
        "separator": ":",
        "target_label": "__address__",
    }


def alertmanager_config(alerting: Alerting) -> dict[str, Any]:
    """alertmanager.yml: routes by owner and severity, and a silence that stays on its machine."""
    receivers = [dict(one) for one in alerting.receivers]
    first = str(receivers[0]["name"]) if receivers else NOBODY
    watchdog = {
        "receiver": alerting.watchdog or NOBODY,
        "matchers": [f'alertname="{rules.WATCHDOG}"'],
        # It says that all is well: often, and without waiting for others.
        "group_wait": "0s",
        "group_interval": f"{alerting.group_interval_seconds}s",
        "repeat_interval": f"{alerting.group_interval_seconds}s",
    }
    return {
        "route": {
            "receiver": first,
            "group_by": ["owner", "alertname"],
            "group_wait": f"{alerting.group_wait_seconds}s",
            "group_interval": f"{alerting.group_interval_seconds}s",
            "repeat_interval": f"{alerting.repeat_seconds}s",
            "routes": [watchdog, *(_route(one) for one in alerting.routes)],
        },
        "inhibit_rules": [
            {
                "source_matchers": ['alertname="MeshCaptureGone"'],
                "target_matchers": ['alertname="MeshMachineUnreachable"'],
                "equal": ["machine"],
            }
        ],
        "receivers": [*receivers, {"name": NOBODY}],
    }


def problems(alerting: Alerting, variable: str = "mesh_monitoring_receivers") -> list[str]:
    """What is wrong with receivers (given in ``variable``) and routes, each with what to write
    instead."""
    found = []
    names = [str(one.get("name") or "") for one in alerting.receivers]
    if "" in names:
        found.append(f"{variable}: a receiver has no name; give each a `name`")
    for name in sorted({name for name in names if names.count(name) > 1} | ({NOBODY} & set(names))):
        found.append(f"{variable}: {name!r} is taken; give it another name")
    wanted = {"mesh_monitoring_routes": [str(one["receiver"]) for one in alerting.routes]}
    wanted["mesh_monitoring_watchdog_receiver"] = [alerting.watchdog] if alerting.watchdog else []
    for where, used in wanted.items():
        for name in sorted(set(used) - set(names)):
            found.append(f"{where}: there is no receiver {name!r}; use one of {variable}")
    return found


def _route(given: Mapping[str, str]) -> dict[str, Any]:
    matchers = [f"{key}={_quoted(given[key])}" for key in ("owner", "severity") if given.get(key)]
    return {"receiver": given["receiver"], "matchers": matchers}


def _quoted(text: str) -> str:
    text = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{text}"'


def _yaml(data: Mapping[str, Any]) -> str:
    return yaml.safe_dump(data, sort_keys=False, width=1000)
