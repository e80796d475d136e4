# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Every alarm fires, stays silent, resolves, and treats missing data as it says: by promtool."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.brownfield.mesh.plugins.plugin_utils.monitoring import rules

from tests.support.alarms import THRESHOLDS

CHECKOUT = Path(__file__).resolve().parents[3]
RULES = {rule.name: rule for rule in rules.rules(THRESHOLDS)}
# A machine's own labels, with what a hostile inventory could hold.
MACHINE = r'machine="db \"1\" {x}",workload="db",namespace="pay",owner="team"'
LABELS = {"machine": 'db "1" {x}', "workload": "db", "namespace": "pay", "owner": "team"}
OTHER = 'machine="other",workload="db",namespace="pay",owner="team"'
UP = 'up{job="%s",' + MACHINE + "}"
PROXY, EXPORTER, VANTAGE = (UP % f"mesh-{job}" for job in ("proxy", "machine", "vantage"))


def own(name: str, more: str = "") -> str:
    """A series of the machine, as its node_exporter is scraped."""
    return '%s{job="mesh-machine",%s%s}' % (name, MACHINE, more)


def peer_up(machine: str, workload: str) -> str:
    """Whether another machine's proxy answers."""
    labels = f'machine="{machine}",workload="{workload}",namespace="other",owner="team"'
    return 'up{job="mesh-proxy",%s}' % labels


STATE = own("mesh_state_timestamp_seconds")


@dataclass(frozen=True)
class Proof:
    """How an alarm behaves: series by name, one sample a minute, values as promtool has them.

    ``bad`` is healthy for ten minutes, broken for thirty, and healthy again; ``gone`` is data that
    goes missing after ten minutes. ``fires`` says whether missing data is an alarm.
    """

    good: dict[str, str]
    bad: dict[str, str]
    gone: dict[str, str]
    fires_when_missing: bool = False
    labels: dict[str, str] | None = None


def simple(series: str, healthy: str, broken: str, **more: Any) -> Proof:
    """An alarm of one series."""
    return Proof(
        good={series: f"{healthy}x60"},
        bad={series: f"{healthy}x9 {broken}x29 {healthy}x30"},
        gone={series: f"{healthy}x9 stale"},
        **more,
    )


def rising(series: str) -> Proof:
    """An alarm of a counter, which stands still on a good day."""
    return Proof(
        good={series: "7+0x60"},
        bad={series: "7+0x9 7+120x29 3487+0x30"},
        gone={series: "7+0x9 stale"},
    )


ON, OFF = "1+0", "0+0"
ENDING = {
    own("mesh_certificate_not_before_seconds"): "0+0x70",
    own("mesh_certificate_not_after_seconds"): "86400+0x70",
}
SIZE = own("node_filesystem_size_bytes", ',mountpoint="/"')
FREE = own("node_filesystem_avail_bytes", ',mountpoint="/"')
TIME = own("node_time_seconds")
FAILED = own("mesh_unit_failed", ',unit="a\\\\x2db.service"')
RENEWAL = own("mesh_unit_failed", ',unit="mesh-identity.service"')
_OUTWARD = "envoy_cluster_%s{" + MACHINE + ',job="mesh-proxy",envoy_cluster_name="%s"}'
CONNECTED, NOT_CONNECTED = (
    _OUTWARD % ("ssl_handshake", "outward_1_a"),
    _OUTWARD % ("upstream_cx_connect_fail", "outward_1_a"),
)
OTHER_NOT_CONNECTED = _OUTWARD % ("upstream_cx_connect_fail", "application_1")
CASE = r',case="db \"1\" {x} -> b:1 by name",peer="b"'
REFUSED = own("mesh_probe_as_expected", CASE + ',expected="refused",seen="refused"')
OPENED = own("mesh_probe_as_expected", CASE + ',expected="refused",seen="allowed"')
FAILED_ROUNDS = own("mesh_probe_failed_rounds", CASE + ',expected="allowed"')
UNPROVEN = own("mesh_probe_failed_rounds", CASE + ',expected="refused"')
NAMED = own(
    "mesh_probe_failed_rounds", ',case="c",peer="w.other.svc.cluster.local",expected="refused"'
)
READY = own("mesh_proxy_ready")
DRIFTED = own("mesh_drifted", ',path="/etc/mesh-proxy/a \\"b"')
READ = own("mesh_log_timestamp_seconds")
SHIPPED = own("mesh_ship_timestamp_seconds")
PROBED = own("mesh_probe_timestamp_seconds")
INTERVAL = own("mesh_probe_interval_seconds")
OPEN = 'mesh_plaintext_open{job="mesh-machine",machine="monitor",peer="db \\"1\\" {x}"}'

ASKED, NOT_SERVED = (
    '%s{job="mesh-proxy",%s,http_conn_manager_prefix="inbound_192.0.2.1_80"}' % (name, MACHINE)
    for name in (rules.REQUESTS, rules.FAILED)
)
FAILING = Proof(  # a quarter of a hundred requests a minute
    good={ASKED: "0+100x60", NOT_SERVED: "0+1x60"},
    bad={ASKED: "0+100x70", NOT_SERVED: "0+0x9 0+25x29 725+0x30"},
    gone={ASKED: "0+100x9 stale", NOT_SERVED: "0+0x9 stale"},
)

PROOFS: dict[str, list[Proof]] = {
    "MeshCaptureGone": [
        Proof(
            good={OPEN: "0+0x60", PROXY: "1+0x60"},
            bad={OPEN: "0+0x9 1+0x29 0+0x30", PROXY: "1+0x9 0+0x29 1+0x30"},
            gone={OPEN: "0+0x9 stale", PROXY: "1+0x60"},
        ),
        simple(own("mesh_capture_on"), ON, OFF),
        simple(own("mesh_application_closed"), ON, OFF),
    ],
    "MeshVantageLost": [simple(VANTAGE, ON, OFF)],
    "MeshMachineUnreachable": [
        simple(PROXY, ON, OFF),
        Proof(  # an agent that hangs is another alarm, as long as Envoy serves the exporter
            good={PROXY: "0+0x60", EXPORTER: "1+0x60"},
            bad={PROXY: "1+0x9 0+0x29 1+0x30", EXPORTER: "1+0x9 0+0x29 1+0x30"},
            gone={PROXY: "1+0x9 stale", EXPORTER: "1+0x60"},
        ),
    ],
    "MeshExporterDown": [
        Proof(
            good={EXPORTER: "1+0x60", PROXY: "1+0x60"},
            bad={EXPORTER: "1+0x9 0+0x29 1+0x30", PROXY: "1+0x70"},
            gone={EXPORTER: "1+0x9 0+0x60", PROXY: "1+0x9 0+0x60"},
        )
    ],
    "MeshStateMissing": [
        Proof(
            good={EXPORTER: "1+0x60", STATE: "0+60x60"},
            bad={EXPORTER: "1+0x70", STATE: "0+60x9 stale _x28 2340+60x30"},
            gone={EXPORTER: "1+0x60"},
            fires_when_missing=True,
        )
    ],
    "MeshStateStale": [
        Proof(
            good={STATE: "0+60x60"},
            bad={STATE: "0+60x9 540+0x29 2400+60x30"},
            gone={STATE: "0+60x9 stale"},
        )
    ],
    "MeshProxyNotReady": [
        simple(own("mesh_proxy_ready"), ON, OFF),
        Proof(
            good={PROXY: "0+0x60", EXPORTER: "0+0x60"},
            bad={PROXY: "1+0x9 0+0x29 1+0x30", EXPORTER: "1+0x60"},
            gone={PROXY: "1+0x9 stale", EXPORTER: "1+0x60"},
        ),
    ],
    "MeshControlPlaneLost": [simple(own("mesh_control_plane_connected"), ON, OFF)],
    "MeshCertificateEnding": [
        Proof(
            good=ENDING,
            bad={
                own("mesh_certificate_not_before_seconds"): "0+0x39 2400+0x30",
                own("mesh_certificate_not_after_seconds"): "3600+0x9 900+0x29 6000+0x30",
            },
            gone={own("mesh_certificate_not_before_seconds"): "0+0x60"},
        )
    ],
    "MeshCertificateMissing": [
        Proof(
            good={**ENDING, STATE: "0+60x60"},
            bad={
                STATE: "0+60x70",
                own("mesh_certificate_not_after_seconds"): "9000+0x9 stale _x28 9000+0x30",
            },
            gone={STATE: "0+60x60"},
            fires_when_missing=True,
        )
    ],
    "MeshDiskFilling": [
        Proof(
            good={SIZE: "100+0x60", FREE: "50+0x60"},
            bad={SIZE: "100+0x70", FREE: "50+0x9 5+0x29 50+0x30"},
            gone={SIZE: "100+0x60", FREE: "50+0x9 stale"},
        )
    ],
    "MeshClockOff": [
        Proof(
            good={TIME: "0+60x60"},
            bad={TIME: "0+60x9 700+60x29 2400+60x30"},
            gone={TIME: "0+60x9 stale"},
        )
    ],
    "MeshUnitFailed": [
        Proof(
            good={STATE: "0+60x60"},
            bad={FAILED: "_x9 1+0x29 stale"},
            gone={FAILED: "_x60"},
        )
    ],
    "MeshRenewalFailing": [
        Proof(
            good={STATE: "0+60x60", FAILED: "1+0x60"},
            bad={RENEWAL: "_x9 1+0x29 stale"},
            gone={RENEWAL: "_x60"},
        )
    ],
    "MeshGatewayLost": [
        Proof(  # one of many is lost on a good day, and an application may be away
            good={
                CONNECTED: "0+9x60",
                NOT_CONNECTED: "0+1x60",
                OTHER_NOT_CONNECTED: "0+10x60",
            },
            bad={CONNECTED: "0+2x9 18+0x29 18+2x30", NOT_CONNECTED: "0+0x9 0+2x29 58+0x30"},
            gone={CONNECTED: "0+2x9 stale", NOT_CONNECTED: "0+0x9 stale"},
        )
    ],
    "MeshTargetsMissing": [
        Proof(
            good={PROXY: "1+0x60"},
            bad={PROXY: "1+0x9 stale _x28 1+0x30"},
            gone={},
            fires_when_missing=True,
            labels={"job": "mesh-proxy"},
        )
    ],
    "MeshNotificationsFailing": [
        Proof(
            good={'alertmanager_notifications_failed_total{integration="webhook"}': "3+0x60"},
            bad={
                'alertmanager_notifications_failed_total{integration="webhook"}': (
                    "0+0x9 1+1x29 31+0x30"
                )
            },
            gone={'alertmanager_notifications_failed_total{integration="webhook"}': "0+0x9 stale"},
            labels={"integration": "webhook"},
        )
    ],
    "MeshPathOpen": [
        Proof(
            good={REFUSED: "1+0x60"},
            bad={REFUSED: "1+0x9 stale _x28 1+0x30", OPENED: "_x9 0+0x29 stale"},
            gone={OPENED: "_x60"},
        )
    ],
    "MeshPathUnproven": [
        Proof(
            good={UNPROVEN: "2+0x60", READY: "1+0x60"},
            bad={UNPROVEN: "2+0x9 3+0x29 0+0x30", READY: "1+0x70"},
            gone={UNPROVEN: "2+0x9 stale", READY: "1+0x60"},
        ),
        Proof(  # a vantage has no proxy that could be ready
            good={UNPROVEN: "2+0x60", VANTAGE: "1+0x60"},
            bad={UNPROVEN: "2+0x9 3+0x29 0+0x30", VANTAGE: "1+0x70"},
            gone={UNPROVEN: "2+0x9 stale", VANTAGE: "1+0x60"},
        ),
        Proof(  # a path that is open is another alarm
            good={UNPROVEN: "9+0x60", READY: "1+0x60", OPENED: "0+0x60"},
            bad={UNPROVEN: "0+0x9 9+0x29 0+0x30", READY: "1+0x70", REFUSED: "1+0x9 0+0x29 1+0x30"},
            gone={UNPROVEN: "9+0x60", OPENED: "0+0x60"},
        ),
        Proof(  # nor does the machine that is away prove anything, by address
            good={UNPROVEN: "9+0x60", READY: "1+0x60", peer_up("b", "w"): "0+0x60"},
            bad={
                UNPROVEN: "9+0x70",
                READY: "1+0x70",
                peer_up("b", "w"): "0+0x9 1+0x29 0+0x30",
            },
            gone={UNPROVEN: "2+0x9 stale", peer_up("b", "w"): "1+0x60"},
        ),
        Proof(  # or by name
            good={NAMED: "9+0x60", READY: "1+0x60", peer_up("w-1", "w"): "0+0x60"},
            bad={NAMED: "9+0x70", READY: "1+0x70", peer_up("w-1", "w"): "0+0x9 1+0x29 0+0x30"},
            gone={NAMED: "2+0x9 stale", peer_up("w-1", "w"): "1+0x60"},
        ),
        Proof(  # nor does a machine whose own proxy is in trouble
            good={UNPROVEN: "9+0x60", READY: "0+0x60"},
            bad={UNPROVEN: "9+0x70", READY: "0+0x9 1+0x29 0+0x30"},
            gone={UNPROVEN: "9+0x60"},
        ),
    ],
    "MeshRunUnfinished": [simple(own("mesh_run_finished"), ON, OFF)],
    "MeshDrift": [
        Proof(good={STATE: "0+60x60"}, bad={DRIFTED: "_x9 1+0x29 stale"}, gone={DRIFTED: "_x60"})
    ],
    "MeshPathBroken": [simple(FAILED_ROUNDS, "2+0", "3+0")],
    "MeshProbeStale": [
        Proof(
            good={PROBED: "0+60x60", INTERVAL: "60+0x60"},
            bad={PROBED: "0+60x9 540+0x29 2400+60x30", INTERVAL: "60+0x70"},
            gone={PROBED: "0+60x9 stale", INTERVAL: "60+0x60"},
        )
    ],
    "MeshProbeMissing": [
        Proof(
            good={EXPORTER: "1+0x60", PROBED: "0+60x60"},
            bad={EXPORTER: "1+0x70", PROBED: "0+60x9 stale _x28 2340+60x30"},
            gone={EXPORTER: "1+0x60"},
            fires_when_missing=True,
        ),
        Proof(
            good={VANTAGE: "1+0x60", PROBED: "0+60x60"},
            bad={VANTAGE: "1+0x70", PROBED: "0+60x9 stale _x28 2340+60x30"},
            gone={VANTAGE: "1+0x60"},
            fires_when_missing=True,
        ),
    ],
    "MeshRequestsFailing": [FAILING],
    "MeshErrorBudgetBurning": [FAILING],
    "MeshSshBruteForce": [
        rising(own("mesh_log_ssh_total", ',result="failed"')),
        rising(own("mesh_log_ssh_total", ',result="given_up"')),
    ],
    "MeshProxyRefusing": [rising(own("mesh_log_proxy_refusals_total", ',reason="rbac"'))],
    "MeshUnitFlapping": [rising(own("mesh_log_unit_restarts_total", ',unit="other"'))],
    "MeshKernelTrouble": [rising(own("mesh_log_kernel_total", ',kind="oom"'))],
    "MeshLogsStale": [
        Proof(
            good={READ: "0+60x60"},
            bad={READ: "0+60x9 540+0x29 2400+60x30"},
            gone={READ: "0+60x9 stale"},
        )
    ],
    "MeshLogsMissing": [
        Proof(
            good={EXPORTER: "1+0x60", READ: "0+60x60"},
            bad={EXPORTER: "1+0x70", READ: "0+60x9 stale _x28 2340+60x30"},
            gone={EXPORTER: "1+0x60"},
            fires_when_missing=True,
        )
    ],
    "MeshLogsNotShipped": [
        Proof(
            good={SHIPPED: "0+60x60"},
            bad={SHIPPED: "0+60x9 540+0x29 2400+60x30"},
            gone={SHIPPED: "0+60x9 stale"},
        )
    ],
    # It has no data: it is always there, which its own test shows.
    "MeshWatchdog": [],
}


def unit_test(name: str, series: dict[str, str], at: int, expected: bool) -> dict[str, Any]:
    """One of promtool's tests: is the alarm firing for our machine ``at`` this minute?"""
    return {
        "interval": "1m",
        "input_series": [{"series": key, "values": values} for key, values in series.items()],
        "promql_expr_test": [
            {
                "expr": f'count(ALERTS{{alertname="{name}",alertstate="firing"}}) or vector(0)',
                "eval_time": f"{at}m",
                "exp_samples": [{"labels": "{}", "value": int(expected)}],
            }
        ],
    }


def run(tools: Path, folder: Path, tests: list[dict[str, Any]]) -> subprocess.CompletedProcess[str]:
    (folder / "rules.yml").write_text(yaml.safe_dump(rules.render(list(RULES.values()), "docs")))
    content = {"rule_files": ["rules.yml"], "evaluation_interval": "1m", "tests": tests}
    (folder / "tests.yml").write_text(yaml.safe_dump(content, width=1000))
    command = [str(tools / "promtool"), "test", "rules", "tests.yml"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)


def test_every_rule_has_its_four_proofs() -> None:
    """Also for those added tomorrow. The dead-man's switch, which has no data, has a test below."""
    assert set(PROOFS) == set(RULES)
    assert [name for name, proofs in PROOFS.items() if not proofs] == [rules.WATCHDOG]


CASES = [(name, proof) for name, proofs in PROOFS.items() for proof in proofs]


@pytest.mark.parametrize(("name", "proof"), CASES, ids=[name for name, _ in CASES])
def test_it_fires_stays_silent_resolves_and_takes_missing_data_as_it_says(
    tools: Path, tmp_path: Path, name: str, proof: Proof
) -> None:
    done = run(
        tools,
        tmp_path,
        [
            unit_test(name, proof.good, 50, False),
            unit_test(name, proof.bad, 8, False),
            unit_test(name, proof.bad, 36, True),
            unit_test(name, proof.bad, 62, False),
            unit_test(name, proof.gone, 50, proof.fires_when_missing),
        ],
    )
    assert done.returncode == 0, done.stderr + done.stdout
    says = RULES[name].missing
    assert says.startswith("Fires" if proof.fires_when_missing else "Silent")


@pytest.mark.parametrize(("name", "proof"), CASES, ids=[name for name, _ in CASES])
def test_it_names_the_machine_the_owner_and_the_severity(
    tools: Path, tmp_path: Path, name: str, proof: Proof
) -> None:
    labels = LABELS if proof.labels is None else proof.labels
    wanted = {**labels, "severity": RULES[name].severity}
    matchers = ",".join('%s="%s"' % (k, v.replace('"', '\\"')) for k, v in wanted.items())
    test = unit_test(name, proof.bad, 36, True)
    test["promql_expr_test"][0]["expr"] = (
        f'count(ALERTS{{alertname="{name}",alertstate="firing",{matchers}}}) or vector(0)'
    )
    done = run(tools, tmp_path, [test])
    assert done.returncode == 0, done.stderr + done.stdout


@pytest.mark.parametrize("name", ["MeshRequestsFailing", "MeshErrorBudgetBurning"])
def test_a_few_requests_that_fail_are_no_alarm(tools: Path, tmp_path: Path, name: str) -> None:
    few = {ASKED: "0+1x60", NOT_SERVED: "0+1x60"}
    many = {ASKED: "0+3x60", NOT_SERVED: "0+3x60"}
    tests = [unit_test(name, few, 50, False), unit_test(name, many, 50, True)]
    done = run(tools, tmp_path, tests)
    assert done.returncode == 0, done.stderr + done.stdout


def test_log_ins_that_succeed_are_no_brute_force(tools: Path, tmp_path: Path) -> None:
    series = {own("mesh_log_ssh_total", ',result="accepted"'): "7+60x60"}
    done = run(tools, tmp_path, [unit_test("MeshSshBruteForce", series, 50, False)])
    assert done.returncode == 0, done.stderr + done.stdout


def test_one_fault_is_no_alarm_of_another_machine(tools: Path, tmp_path: Path) -> None:
    series = {PROXY: "0+0x60", 'up{job="mesh-proxy",%s}' % OTHER: "1+0x60"}
    test = unit_test("MeshMachineUnreachable", series, 50, True)
    test["promql_expr_test"][0]["expr"] = 'count(ALERTS{machine="other"}) or vector(0)'
    test["promql_expr_test"][0]["exp_samples"][0]["value"] = 0
    done = run(tools, tmp_path, [test])
    assert done.returncode == 0, done.stderr + done.stdout


def test_the_dead_mans_switch_is_always_there(tools: Path, tmp_path: Path) -> None:
    tests = [unit_test(rules.WATCHDOG, {}, minute, True) for minute in (0, 1, 30)]
    done = run(tools, tmp_path, tests)
    assert done.returncode == 0, done.stderr + done.stdout


def test_a_rule_that_never_fires_is_found(tools: Path, tmp_path: Path) -> None:
    """The tests above can fail: promtool is really asked."""
    done = run(tools, tmp_path, [unit_test("MeshMachineUnreachable", {PROXY: "1+0x60"}, 50, True)])
    assert done.returncode != 0


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_it_says_what_it_means_and_has_a_runbook(rule: rules.Rule) -> None:
    assert rule.summary and rule.meaning.endswith(".") and rule.missing.endswith(".")
    assert rule.severity in ("page", "ticket", "none")
    page = (CHECKOUT / "docs" / "runbooks" / f"{rule.name}.md").read_text()
    assert page.startswith(f"# {rule.name}\n")
    assert [h for h in ("## Meaning", "## Look", "## Mend") if h not in page] == []


def test_no_runbook_is_without_its_rule() -> None:
    pages = {path.stem for path in (CHECKOUT / "docs" / "runbooks").glob("*.md")}
    assert pages == set(RULES)
