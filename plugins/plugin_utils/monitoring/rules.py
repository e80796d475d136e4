# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""The alarms as data. Each says what it means, who is called, and what becomes of missing data.

``page`` wakes somebody, ``ticket`` waits for the morning. Every rule has a page in docs/runbooks
and tests that it fires, stays silent, resolves, and treats missing data as it says here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.brownfield.mesh.plugins.module_utils.bridge.state import IDENTITY_UNIT
from ansible_collections.brownfield.mesh.plugins.module_utils.watch.ship import JOB

MACHINE_JOB = "mesh-machine"
PROXY_JOB = "mesh-proxy"
VANTAGE_JOB = "mesh-vantage"
WATCHDOG = "MeshWatchdog"
# A workload's requests over HTTP, and those that ended with 5xx (see ``server.PROXY_FIGURES``).
REQUESTS = "mesh_requests_total"
FAILED = "mesh_requests_failed_total"
# How fast the objective's allowance for failures is used up, by what is told: of a month's, 2 % in
# an hour, or 5 % in six (Google, The Site Reliability Workbook, "Alerting on SLOs").
FAST, SLOW = 14.4, 6.0
# One failure may be a restart under way, and two its bad luck.
BROKEN_ROUNDS = 3
# The labels of a machine that every alarm carries, whatever series it comes from.
_BY = "machine, workload, namespace, owner"
_BY_ENTRY = "machine, workload, namespace"


@dataclass(frozen=True)
class Thresholds:
    """What a user may set, with the reasons in the role's argument specification."""

    unreachable_seconds: int
    control_plane_seconds: int
    stale_seconds: int
    certificate_fraction: float
    disk_fraction: float
    clock_seconds: float
    ssh_failures: int
    proxy_refusals: int
    unit_restarts: int
    success_objective: float
    requests_minimum: int

    def __post_init__(self) -> None:
        """Raises ValueError for an objective at which nothing could be told."""
        if not 1 - 1 / FAST < self.success_objective < 1:
            raise ValueError(
                "mesh_monitoring_success_objective: give more than 0.93 and less than 1, not"
                f" {self.success_objective:g}"
            )


@dataclass(frozen=True)
class Rule:
    """One alarm. ``missing`` says what happens to it when its data is not there."""

    name: str
    expression: str
    seconds: int
    severity: str  # page | ticket | none
    summary: str
    meaning: str
    missing: str


def rules(given: Thresholds) -> tuple[Rule, ...]:
    """All alarms with these thresholds."""
    return (
        Rule(
            "MeshCaptureGone",
            f'max by ({_BY}) (up{{job="{PROXY_JOB}"}} and on (machine)'
            ' label_replace(mesh_plaintext_open == 1, "machine", "$1", "peer", "(.+)")'
            " or mesh_capture_on == 0 or mesh_application_closed == 0)",
            0,
            "page",
            "{{ $labels.machine }}: traffic goes around the proxy",
            "A port that only the proxy guards has answered in plain, or the machine says that its"
            " capture rules (of a bridge, its firewall's) are not loaded. What it takes, and with a"
            " sidecar also what it sends, is neither encrypted nor authorized.",
            "Silent: MeshMachineUnreachable and MeshTargetsMissing tell of machines that are not"
            " asked.",
        ),
        Rule(
            "MeshMachineUnreachable",
            f'up{{job="{PROXY_JOB}"}} == 0 unless on (machine) up{{job="{MACHINE_JOB}"}} == 1',
            given.unreachable_seconds,
            "page",
            "{{ $labels.machine }}: nothing answers over the mesh",
            "The machine is off, its network is, or its proxy does not run or has no valid"
            " certificate. Its workload cannot be reached either.",
            "Silent: MeshTargetsMissing fires when no machine is asked any more.",
        ),
        Rule(
            "MeshVantageLost",
            f'up{{job="{VANTAGE_JOB}"}} == 0',
            given.unreachable_seconds,
            "ticket",
            "{{ $labels.machine }}: the vantage does not answer",
            "It, its network or its node_exporter is away, or one of the two does not know the"
            " other's certificate. Nobody tries from outside what must be refused.",
            "Silent: no vantage is watched.",
        ),
        Rule(
            "MeshExporterDown",
            f'up{{job="{MACHINE_JOB}"}} == 0 and on (machine) up{{job="{PROXY_JOB}"}} == 1',
            given.unreachable_seconds,
            "ticket",
            "{{ $labels.machine }}: node_exporter does not answer, though the proxy does",
            "The machine's own figures are missing, so nothing that is seen by them can alarm.",
            "Silent: without the proxy's answer, MeshMachineUnreachable fires instead.",
        ),
        Rule(
            "MeshStateMissing",
            f'up{{job="{MACHINE_JOB}"}} == 1 unless on (machine) mesh_state_timestamp_seconds',
            given.unreachable_seconds,
            "ticket",
            "{{ $labels.machine }}: node_exporter answers without the mesh's own figures",
            "Nobody has ever written the machine's state, or its file cannot be read.",
            "Fires: missing data is what it is about.",
        ),
        Rule(
            "MeshStateStale",
            f"time() - mesh_state_timestamp_seconds > {given.stale_seconds}",
            0,
            "ticket",
            "{{ $labels.machine }}: its state is {{ $value | humanizeDuration }} old",
            "The machine's timer does not write its state any more. What the other alarms see of it"
            " is no longer true.",
            "Silent: MeshStateMissing or MeshExporterDown fires instead.",
        ),
        Rule(
            "MeshProxyNotReady",
            # Its own figures tell more often than its state is written.
            f"min by ({_BY}) (mesh_proxy_ready == 0 or on (machine)"
            f' (up{{job="{PROXY_JOB}"}} == 0 and on (machine) up{{job="{MACHINE_JOB}"}} == 1))',
            given.unreachable_seconds,
            "page",
            "{{ $labels.machine }}: the proxy does not say that it is ready",
            "Agent or Envoy do not serve as they should, though Envoy still passes traffic on.",
            "Silent: MeshMachineUnreachable or MeshStateMissing fires instead.",
        ),
        Rule(
            "MeshControlPlaneLost",
            "mesh_control_plane_connected == 0",
            given.control_plane_seconds,
            "page",
            "{{ $labels.machine }}: no connection to istiod",
            "The proxy works with what it knows. It learns of no new endpoint or policy, and its"
            " certificate ends without being renewed.",
            "Silent: Envoy does not say, so MeshProxyNotReady or MeshMachineUnreachable fires.",
        ),
        Rule(
            "MeshCertificateEnding",
            "(mesh_certificate_not_after_seconds - time()) / (mesh_certificate_not_after_seconds"
            f" - mesh_certificate_not_before_seconds) < {given.certificate_fraction}",
            0,
            "page",
            "{{ $labels.machine }}: {{ $value | humanizePercentage }} of its certificate's life is"
            " left",
            "The agent renews at half of a certificate's life, and has not. When the certificate"
            " ends, the machine is out of the mesh.",
            "Silent: MeshCertificateMissing fires instead.",
        ),
        Rule(
            "MeshCertificateMissing",
            "mesh_state_timestamp_seconds unless on (machine) mesh_certificate_not_after_seconds",
            given.unreachable_seconds,
            "page",
            "{{ $labels.machine }}: it has no certificate that can be read",
            "Without a certificate the machine is not in the mesh once its proxy starts again.",
            "Fires: missing data is what it is about.",
        ),
        Rule(
            "MeshDiskFilling",
            "node_filesystem_avail_bytes / node_filesystem_size_bytes"
            f" < {given.disk_fraction} and node_filesystem_size_bytes > 0",
            given.unreachable_seconds,
            "ticket",
            "{{ $labels.machine }}: {{ $value | humanizePercentage }} free on"
            " {{ $labels.mountpoint }}",
            "When a disk is full, certificates cannot be renewed and logs are lost.",
            "Silent: MeshExporterDown fires instead.",
        ),
        Rule(
            "MeshClockOff",
            f"abs(node_time_seconds - timestamp(node_time_seconds)) > {given.clock_seconds}",
            given.unreachable_seconds,
            "ticket",
            "{{ $labels.machine }}: its clock is off by {{ $value | humanizeDuration }}",
            "Certificates are judged by the clock: one that is off takes valid ones for ended, or"
            " ended ones for valid.",
            "Silent: MeshExporterDown fires instead.",
        ),
        Rule(
            "MeshUnitFailed",
            f'mesh_unit_failed{{unit!="{IDENTITY_UNIT}"}} == 1',
            given.unreachable_seconds,
            "ticket",
            "{{ $labels.machine }}: {{ $labels.unit }} has failed",
            "systemd has given the unit up.",
            "Silent: no failed unit is a healthy machine; MeshStateMissing tells of an unread one.",
        ),
        Rule(
            "MeshRenewalFailing",
            f'mesh_unit_failed{{unit="{IDENTITY_UNIT}"}} == 1',
            given.unreachable_seconds,
            "ticket",
            "{{ $labels.machine }}: its authority does not renew its certificate",
            "The machine asks its authority for a certificate or for revocation lists, and gets"
            " none. What it has serves on until it ends, and each next look tries again.",
            "Silent: a healthy machine has no failed unit, a sidecar no such one; MeshStateMissing"
            " tells of an unread one, MeshCertificateEnding of a certificate that was not renewed.",
        ),
        Rule(
            "MeshGatewayLost",
            _all_fail("envoy_cluster_upstream_cx_connect_fail", "envoy_cluster_ssl_handshake"),
            given.unreachable_seconds,
            "page",
            "{{ $labels.machine }}: none of its calls gets through the gateway",
            "The bridge cannot connect to the mesh's gateway, or whoever answers there is not who"
            " it should be. All of the machine's calls into the mesh fail.",
            "Silent: nothing calls, or MeshMachineUnreachable fires instead.",
        ),
        Rule(
            "MeshRunUnfinished",
            "mesh_run_finished == 0",
            given.stale_seconds,
            "ticket",
            "{{ $labels.machine }}: the last run did not finish",
            "A run of onboard failed on this machine or was ended half way. What runs is older than"
            " the inventory says, or a part of it.",
            "Silent: nothing has run since this is written down, or MeshStateMissing fires.",
        ),
        Rule(
            "MeshDrift",
            "mesh_drifted == 1",
            given.unreachable_seconds,
            "ticket",
            "{{ $labels.machine }}: {{ $labels.path }} is not as the last run left it",
            "Somebody or something else has changed or removed a file of ours. The next onboard"
            " puts it back, whether that was meant or not.",
            "Silent: no such path is a healthy machine; MeshStateMissing tells of an unread one.",
        ),
        Rule(
            "MeshPathOpen",
            'mesh_probe_as_expected{expected="refused",seen="allowed"} == 0',
            0,
            "page",
            "{{ $labels.machine }}: {{ $labels.case }} is open and must not be",
            "The prober got through where the allow-list lets nobody through: a policy is missing"
            " or does not apply, another one allows too much, or the target's capture is gone.",
            "Silent: MeshProbeMissing or MeshExporterDown fires instead.",
        ),
        Rule(
            "MeshPathBroken",
            f'mesh_probe_failed_rounds{{expected="allowed"}} >= {BROKEN_ROUNDS}',
            0,
            "page",
            "{{ $labels.machine }}: {{ $labels.case }} has failed {{ $value }} times in a row",
            "A call of the allow-list does not get through. Either end may be the cause, or"
            " a policy.",
            "Silent: MeshProbeMissing or MeshExporterDown fires instead.",
        ),
        Rule(
            "MeshPathUnproven",
            _unproven(),
            given.unreachable_seconds,
            "ticket",
            "{{ $labels.machine }}: {{ $labels.case }} is refused, but not by its policy",
            "The path is closed, yet nobody knows whether its policy works: something else stands"
            " before it, such as a firewall or an application that does not listen. When that goes,"
            " the path may be open.",
            "Silent: MeshProbeMissing or MeshExporterDown fires instead.",
        ),
        Rule(
            "MeshRequestsFailing",
            _burning(given, FAST, "1h", "5m"),
            0,
            "page",
            "{{ $labels.machine }}: {{ $value | humanizePercentage }} of its requests fail",
            "Requests that reach the machine over HTTP end with 5xx, fourteen times as many as the"
            " objective allows: its application fails, or the proxy does not reach it.",
            "Silent: nobody asks it anything, or MeshMachineUnreachable tells.",
        ),
        Rule(
            "MeshErrorBudgetBurning",
            _burning(given, SLOW, "6h", "30m"),
            0,
            "ticket",
            "{{ $labels.machine }}: {{ $value | humanizePercentage }} of its requests fail, for"
            " hours",
            "Requests that reach the machine over HTTP end with 5xx, six times as many as the"
            " objective allows.",
            "Silent: nobody asks it anything, or MeshMachineUnreachable tells.",
        ),
        Rule(
            "MeshProbeStale",
            "time() - mesh_probe_timestamp_seconds"
            f" > 3 * mesh_probe_interval_seconds + {given.stale_seconds}",
            0,
            "ticket",
            "{{ $labels.machine }}: its last round of probes was"
            " {{ $value | humanizeDuration }} ago",
            "The machine's prober does not run any more. What it last saw is no longer true.",
            "Silent: MeshProbeMissing or MeshExporterDown fires instead.",
        ),
        Rule(
            "MeshProbeMissing",
            f'up{{job=~"{MACHINE_JOB}|{VANTAGE_JOB}"}} == 1'
            " unless on (machine) mesh_probe_timestamp_seconds",
            given.unreachable_seconds,
            "ticket",
            "{{ $labels.machine }}: node_exporter answers without a prober's figures",
            "No round of the prober has ever ended, or its file cannot be read.",
            "Fires: missing data is what it is about.",
        ),
        Rule(
            "MeshSshBruteForce",
            _rise('mesh_log_ssh_total{result!="accepted"}', given.ssh_failures),
            0,
            "page",
            "{{ $labels.machine }}: many log-ins by SSH fail",
            "Somebody tries names, passwords or keys. SSH is outside of the mesh, so no identity"
            " and no policy stands before it.",
            "Silent: MeshLogsMissing or MeshExporterDown fires instead.",
        ),
        Rule(
            "MeshProxyRefusing",
            _rise('mesh_log_proxy_refusals_total{reason=~"rbac|tls"}', given.proxy_refusals),
            0,
            "ticket",
            "{{ $labels.machine }}: its proxy has refused {{ $value | humanize }} calls in ten"
            " minutes",
            "A caller is not on the allow-list or has no certificate that counts, and goes on"
            " trying: a forgotten entry, a certificate that ended, or somebody who looks around.",
            "Silent: MeshLogsMissing or MeshExporterDown fires instead.",
        ),
        Rule(
            "MeshUnitFlapping",
            _rise("mesh_log_unit_restarts_total", given.unit_restarts),
            0,
            "ticket",
            "{{ $labels.machine }}: systemd has started a unit {{ $value | humanize }} times in ten"
            " minutes",
            "A program ends again and again and is started anew, so that no unit ever counts as"
            " failed.",
            "Silent: MeshLogsMissing or MeshExporterDown fires instead.",
        ),
        Rule(
            "MeshKernelTrouble",
            _rise("mesh_log_kernel_total", 0),
            0,
            "ticket",
            "{{ $labels.machine }}: its kernel tells of memory, disk or programs in trouble",
            "Memory ran out, a disk failed, a program crashed, or something hangs in the kernel.",
            "Silent: MeshLogsMissing or MeshExporterDown fires instead.",
        ),
        Rule(
            "MeshLogsStale",
            f"time() - mesh_log_timestamp_seconds > {given.stale_seconds}",
            0,
            "ticket",
            "{{ $labels.machine }}: its journal was last read {{ $value | humanizeDuration }} ago",
            "What the machine's journal says is no longer counted.",
            "Silent: MeshLogsMissing or MeshExporterDown fires instead.",
        ),
        Rule(
            "MeshLogsMissing",
            f'up{{job="{MACHINE_JOB}"}} == 1 unless on (machine) mesh_log_timestamp_seconds',
            given.unreachable_seconds,
            "ticket",
            "{{ $labels.machine }}: node_exporter answers without counts of the journal",
            "The machine's journal has never been read, or the file with its counts cannot be.",
            "Fires: missing data is what it is about.",
        ),
        Rule(
            "MeshLogsNotShipped",
            f"time() - mesh_ship_timestamp_seconds > {given.stale_seconds}",
            0,
            "ticket",
            "{{ $labels.machine }}: Loki last had its journal {{ $value | humanizeDuration }} ago",
            "The machine cannot send its journal to Loki. What the alarms in Loki see of it is"
            " old; those in Prometheus are not concerned.",
            "Silent: nobody wants it sent, or MeshExporterDown fires instead.",
        ),
        Rule(
            "MeshTargetsMissing",
            f'absent(up{{job="{PROXY_JOB}"}})',
            given.unreachable_seconds,
            "page",
            "No machine is watched",
            "Prometheus has no targets: their file is empty, missing or cannot be read.",
            "Fires: missing data is what it is about.",
        ),
        Rule(
            "MeshNotificationsFailing",
            "increase(alertmanager_notifications_failed_total[5m]) > 0",
            0,
            "page",
            "Alertmanager cannot reach a receiver ({{ $labels.integration }})",
            "Alarms do not reach anybody by that way.",
            "Silent: whoever expects MeshWatchdog notices.",
        ),
        Rule(
            WATCHDOG,
            "vector(1)",
            0,
            "none",
            "Prometheus and Alertmanager work",
            "Always there. Who receives it must raise an alarm of its own when it stays away.",
            "Fires: it needs no data.",
        ),
    )


def _unproven() -> str:
    """Refusals of a wrong kind, unless the path is open, and where both ends are in order: those of
    a proxy that is away say nothing. A peer is a machine, or a name of its workload's."""
    away = f'up{{job="{PROXY_JOB}"}} == 0'
    return (
        f'(label_replace(mesh_probe_failed_rounds{{expected="refused"}} >= {BROKEN_ROUNDS},'
        ' "peer", "$1.$2", "peer", "([^.]+)[.]([^.]+)[.]svc[.].+")'
        ' unless on (machine, case) mesh_probe_as_expected{expected="refused",seen="allowed"} == 0)'
        f' and on (machine) (mesh_proxy_ready == 1 or up{{job="{VANTAGE_JOB}"}} == 1)'
        f' unless on (peer) label_replace({away}, "peer", "$1", "machine", "(.+)")'
        f' unless on (peer) label_join({away}, "peer", ".", "workload", "namespace")'
    )


def _all_fail(failures: str, successes: str) -> str:
    """Whether 99 % of a bridge's connections outward failed within five minutes, and several did.
    Those under way are neither: where a firewall drops them, that is one at every look."""
    failed, made = (
        f'sum by ({_BY}) (increase({series}{{envoy_cluster_name=~"outward_.+"}}[5m]))'
        for series in (failures, successes)
    )
    return f"{failed} > 2 and {failed} > 99 * {made}"


def _burning(given: Thresholds, speed: float, long: str, short: str) -> str:
    """The part of a machine's requests that fail, where it is too much over the ``long`` time, and
    still over the ``short`` one. Of a few requests nothing is said."""

    def count(series: str, time: str) -> str:
        return f"sum by ({_BY}) (increase({series}[{time}]))"

    def part(time: str) -> str:
        return f"{count(FAILED, time)} / {count(REQUESTS, time)}"

    most = f"{speed * (1 - given.success_objective):.6g}"
    return (
        f"{part(long)} > {most} and {part(short)} > {most}"
        f" and {count(REQUESTS, long)} >= {given.requests_minimum}"
    )


def _rise(series: str, more_than: int) -> str:
    """Whether a machine's counters rose by ``more_than`` and more within ten minutes."""
    return f"sum by ({_BY}) (increase({series}[10m])) > {more_than}"


_COUNTED = re.compile(r"increase\(mesh_log_(?P<event>\w+)_total(?P<more>\{[^}]*\})?\[10m\]\)")


def loki(every: Sequence[Rule]) -> list[Rule]:
    """Those alarms that ask for counts of the journal, as LogQL for the entries that ``ship``
    sends. Their labels are the entries', which have no owner."""

    def asked(found: re.Match[str]) -> str:
        more = (found["more"] or "{}")[1:-1]
        labels = [f'job="{JOB}"', f'event="{found["event"]}"', *([more] if more else [])]
        return f"count_over_time({{{','.join(labels)}}}[10m])"

    return [
        replace(
            rule,
            expression=_COUNTED.sub(asked, rule.expression).replace(_BY, _BY_ENTRY),
            missing="Silent: MeshLogsNotShipped fires in Prometheus.",
        )
        for rule in every
        if _COUNTED.search(rule.expression)
    ]


def render(every: Sequence[Rule], runbooks: str) -> dict[str, Any]:
    """The rules as Prometheus's rule file. ``runbooks`` is where their pages are."""
    return {
        "groups": [
            {
                "name": "brownfield.mesh",
                "rules": [
                    {
                        "alert": rule.name,
                        "expr": rule.expression,
                        "for": f"{rule.seconds}s",
                        "labels": {"severity": rule.severity},
                        "annotations": {
                            "summary": rule.summary,
                            "description": rule.meaning,
                            "runbook_url": f"{runbooks.rstrip('/')}/{rule.name}.md",
                        },
                    }
                    for rule in every
                ],
            }
        ]
    }
