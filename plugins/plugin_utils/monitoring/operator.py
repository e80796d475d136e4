# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""The machines, the alarms and their routes as objects of Prometheus Operator.

For those who have a Prometheus in the cluster: the same questions to the machines, the same rules
and the same inhibition as on a machine of ours (server.py), in the Operator's words
(https://prometheus-operator.dev/docs/api-reference/api/).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.brownfield.mesh.plugins.module_utils.spec import Machine, Workload
from ansible_collections.brownfield.mesh.plugins.plugin_utils.apply import (
    Change,
    apply,
)
from ansible_collections.brownfield.mesh.plugins.plugin_utils.client import Client
from ansible_collections.brownfield.mesh.plugins.plugin_utils.kinds import KINDS, Ref
from ansible_collections.brownfield.mesh.plugins.plugin_utils.monitoring import rules, server
from ansible_collections.brownfield.mesh.plugins.plugin_utils.monitoring.ports import (
    EXPORTER_PORT,
    PROXY_FIGURES_PORT,
)
from ansible_collections.brownfield.mesh.plugins.plugin_utils.monitoring.targets import labels
from ansible_collections.brownfield.mesh.plugins.plugin_utils.objects import (
    MANAGED_BY_LABEL,
    MANAGER,
    Object,
)

NAME = "brownfield-mesh"
DASHBOARDS = "brownfield-mesh-dashboards"


def refs(namespace: str) -> tuple[Ref, ...]:
    """The objects that there may be in Prometheus's ``namespace``."""
    return (
        Ref("ScrapeConfig", namespace, rules.MACHINE_JOB),
        Ref("ScrapeConfig", namespace, rules.PROXY_JOB),
        Ref("PrometheusRule", namespace, NAME),
        Ref("AlertmanagerConfig", namespace, NAME),
        Ref("ConfigMap", namespace, DASHBOARDS),
    )


def render(
    namespace: str,
    machines: Iterable[tuple[Machine, Workload]],
    owners: Mapping[str, str],
    without: Collection[str],
    every: Sequence[rules.Rule],
    runbooks: str,
    alerting: server.Alerting,
    scrape_seconds: int,
    selected_by: Mapping[str, str],
    boards: Mapping[str, str],
    boards_selected_by: Mapping[str, Any],
) -> list[Object]:
    """The objects for ``machines`` but those ``without``, which leave; none when none stays.

    The receivers of ``alerting`` are the Operator's own, whose secrets are references; without any,
    where alarms go is not said. ``selected_by`` are labels by which the user's Prometheus and
    Alertmanager choose objects, ``boards_selected_by`` those by which Grafana's sidecar chooses
    dashboards (``boards``, by file name); without any there are none.
    """
    watched = sorted(
        (pair for pair in machines if pair[0].name not in without),
        key=lambda pair: pair[0].name,
    )
    if not watched:
        return []
    machine, proxy, rule, alertmanager, dashboards = refs(namespace)
    specs = {
        machine: _scrape(machine.name, "/metrics", watched, owners, EXPORTER_PORT, scrape_seconds),
        proxy: {
            **_scrape(
                proxy.name,
                "/stats/prometheus",
                watched,
                owners,
                PROXY_FIGURES_PORT,
                scrape_seconds,
            ),
            "metricRelabelings": [_in_camel_case(one) for one in server.PROXY_FIGURES],
        },
        rule: rules.render(every, runbooks),
    }
    if alerting.receivers:
        specs[alertmanager] = _alertmanager(alerting, every)
    objects = [_object(ref, selected_by, "spec", spec) for ref, spec in specs.items()]
    if boards_selected_by:
        chosen_by = {name: str(value) for name, value in boards_selected_by.items()}
        objects.append(_object(dashboards, chosen_by, "data", dict(boards)))
    return objects


def _object(ref: Ref, selected_by: Mapping[str, str], name: str, content: Object) -> Object:
    return {
        "apiVersion": KINDS[ref.kind].api_version,
        "kind": ref.kind,
        "metadata": {
            "name": ref.name,
            "namespace": ref.namespace,
            "labels": {**selected_by, MANAGED_BY_LABEL: MANAGER},
        },
        name: content,
    }


def problems(receivers: Sequence[Mapping[str, Any]], variable: str) -> list[str]:
    """What is wrong with receivers in the Operator's words: the one secret that it would take as
    plain text would be in the object, its difference and the written file."""
    return [
        f"{variable}: receiver {one.get('name')!r} has a webhook's `url` in plain; put it into a"
        " Secret and write `urlSecret`"
        for one in receivers
        for webhook in one.get("webhookConfigs") or ()
        if isinstance(webhook, Mapping) and "url" in webhook
    ]


def bring(client: Client, namespace: str, objects: Sequence[Object], check: bool) -> list[Change]:
    """Applies ``objects``, and deletes those of ours that are no longer among them.

    With ``check`` nothing is written. Raises ClusterError.
    """
    return apply(client, objects, (), check, refs(namespace))


def _scrape(
    job: str,
    path: str,
    watched: Sequence[tuple[Machine, Workload]],
    owners: Mapping[str, str],
    port: int,
    seconds: int,
) -> Object:
    return {
        "jobName": job,
        "metricsPath": path,
        # Prometheus's own sidecar makes mutual TLS of it.
        "scheme": "HTTP",
        "scrapeInterval": f"{seconds}s",
        "scrapeTimeout": f"{min(seconds, 10)}s",
        "sampleLimit": server.SAMPLE_LIMIT,
        "staticConfigs": [
            {
                "targets": [f"{machine.mesh_address}:{port}"],
                "labels": labels(machine, workload, owners),
            }
            for machine, workload in watched
        ],
        "relabelings": [{"sourceLabels": ["machine"], "targetLabel": "instance"}],
    }


def _alertmanager(alerting: server.Alerting, every: Sequence[rules.Rule]) -> Object:
    """What server.alertmanager_config says. Alertmanager has other alarms too: only ours come
    here."""
    ours = "|".join(sorted(rule.name for rule in every))
    watchdog = {
        "receiver": alerting.watchdog or server.NOBODY,
        "matchers": [_matcher("alertname", rules.WATCHDOG)],
        "groupWait": "1s",
        "groupInterval": f"{alerting.group_interval_seconds}s",
        "repeatInterval": f"{alerting.group_interval_seconds}s",
    }
    return {
        "route": {
            "receiver": str(alerting.receivers[0]["name"]),
            "matchers": [_matcher("alertname", ours, "=~")],
            "groupBy": ["owner", "alertname"],
            "groupWait": f"{alerting.group_wait_seconds}s",
            "groupInterval": f"{alerting.group_interval_seconds}s",
            "repeatInterval": f"{alerting.repeat_seconds}s",
            "routes": [
                watchdog,
                *(
                    {
                        "receiver": one["receiver"],
                        "matchers": [
                            _matcher(key, one[key]) for key in ("owner", "severity") if one.get(key)
                        ],
                    }
                    for one in alerting.routes
                ),
            ],
        },
        "inhibitRules": [
            {
                "sourceMatch": [_matcher("alertname", "MeshCaptureGone")],
                "targetMatch": [_matcher("alertname", "MeshMachineUnreachable")],
                "equal": ["machine"],
            }
        ],
        "receivers": [*(dict(one) for one in alerting.receivers), {"name": server.NOBODY}],
    }


def _in_camel_case(relabelling: Mapping[str, Any]) -> Object:
    found = {}
    for name, value in relabelling.items():
        first, *others = name.split("_")
        found[first + "".join(other.title() for other in others)] = value
    return found


def _matcher(name: str, value: str, kind: str = "=") -> dict[str, str]:
    return {"name": name, "value": value, "matchType": kind}
