"""Queries, and the panels that more than one dashboard has."""

from __future__ import annotations

from ansible_collections.brownfield.mesh.plugins.plugin_utils.monitoring import rules
from ansible_collections.brownfield.mesh.plugins.plugin_utils.monitoring.dashboards import (
    threshold,
)
from grafana_foundation_sdk.models import units

from dashboards.parts import (
    GREEN,
    NONE,
    RED,
    YELLOW,
    YES,
    Ask,
    Column,
    Panel,
    at_least,
    at_most,
    lines,
    rows,
    some,
)

WATCHED = f'up{{job="{rules.MACHINE_JOB}"}}'
# What a page is narrowed to: its variables as matchers.
FLEET = 'workload=~"$workload"'
BOTH = 'workload=~"$workload",machine=~"$machine"'
WORKLOAD = 'workload="$workload"'
MACHINE = 'machine="$machine"'

WHO = [some("workload", WATCHED), some("machine", f'up{{job="{rules.MACHINE_JOB}",{FLEET}}}')]
AGE_LIMIT = at_most(threshold("stale_seconds"))
LIFE_LIMIT = at_least(threshold("certificate_fraction"))
# One round that fails may be a restart under way.
ROUNDS = ((None, GREEN), (1, YELLOW), (rules.BROKEN_ROUNDS, RED))


def counted(expression: str) -> str:
    """How many there are: 0, not nothing, where there are none."""
    return f"count({expression}) or vector(0)"


def watched(who: str, job: str = rules.MACHINE_JOB) -> str:
    """Whether the targets of a job answer."""
    return f'up{{job="{job}",{who}}}'


def life(who: str) -> str:
    """Which part of their lives certificates have left."""
    after, before = (f"mesh_certificate_not_{end}_seconds{{{who}}}" for end in ("after", "before"))
    return f"({after} - time()) / ({after} - {before})"


def uncaptured(who: str) -> str:
    """Machines that say that traffic goes around their proxy."""
    return f"mesh_capture_on{{{who}}} == 0 or mesh_application_closed{{{who}}} == 0"


def firing(who: str) -> str:
    """The alarms that fire, but for the dead-man's switch."""
    ours = f'alertname=~"Mesh.+",alertname!="{rules.WATCHDOG}"'
    return f'ALERTS{{{ours},alertstate="firing",{who}}}'


def decided(result: str, who: str) -> str:
    """Calls for each second that proxies' policies ``allowed`` or ``denied``: of a sidecar under
    Istio's names, of a bridge under its Envoy's own."""
    sidecar = f'authz_enforce_result="{result}",{who}'
    series = [
        f"envoy_http_rbac{{{sidecar}}}",
        f"envoy_tcp_rbac{{{sidecar}}}",
        f"envoy_http_rbac_{result}{{{who}}}",
        f"envoy_{result}{{{who}}}",
    ]
    return " or ".join(f"rate({one}[$__rate_interval])" for one in series)


def rise(series: str, by: str) -> str:
    """By how much counters rose in ten minutes, as the alarms ask."""
    return f"sum by ({by}) (increase({series}[10m]))"


def age(metric: str, who: str) -> str:
    """Seconds since something was last done."""
    return f"time() - {metric}{{{who}}}"


def machines(who: str) -> Panel:
    """How each machine is."""
    info = f"max by (machine, workload, mode, agent, envoy) (mesh_machine_info{{{who}}})"
    none = f"0 * max by (machine) ({watched(who)})"
    on = f"mesh_capture_on{{{who}}} or mesh_application_closed{{{who}}}"
    return rows(
        "How each machine is",
        "One line for each machine. A machine that does not say how it is has empty fields.",
        ["machine", "workload", "mode", "agent", "envoy"],
        [
            Column("watched", info),
            Column("answers", f"max by (machine) ({watched(who, rules.PROXY_JOB)})", words=YES),
            Column("proxy ready", f"max by (machine) (mesh_proxy_ready{{{who}}})", words=YES),
            Column("captured", f"min by (machine) ({on})", words=YES),
            Column(
                "certificate's life left", f"min by (machine) ({life(who)})",
                units.PercentUnit, LIFE_LIMIT,
            ),
            Column(
                "state's age", f"max by (machine) ({age('mesh_state_timestamp_seconds', who)})",
                units.Seconds, AGE_LIMIT,
            ),
            Column(
                "paths not as expected",
                f"count by (machine) (mesh_probe_as_expected{{{who}}} == 0) or {none}", steps=NONE,
            ),
            Column("alarms", f"count by (machine) ({firing(who)}) or {none}", steps=NONE),
        ],
    )  # fmt: skip


def certificates(who: str) -> Panel:
    """What is left of certificates, over time."""
    return lines(
        "What certificates have left of their lives",
        "They are renewed at half of it. Below the line, MeshCertificateEnding fires.",
        [Ask(life(who), "{{machine}}")], units.PercentUnit, LIFE_LIMIT, top=1,
    )  # fmt: skip


def refusals(who: str) -> Panel:
    """What the proxies' access logs say, by reason."""
    return lines(
        "Refused or not passed on, by reason, in ten minutes",
        "Out of the proxies' access logs. Above the line, rbac and tls of one machine make"
        " MeshProxyRefusing fire. A sidecar writes it only where the mesh has an access log.",
        [Ask(rise(f"mesh_log_proxy_refusals_total{{{who}}}", "reason"), "{{reason}}")],
        steps=at_most(threshold("proxy_refusals")),
    )  # fmt: skip


def decisions(who: str) -> Panel:
    """What the proxies' policies decided."""
    return lines(
        "Calls and connections, by what policies decided",
        "HTTP requests and TCP connections for each second, as the called machine's proxy counts"
        " them.",
        [
            Ask(f"sum ({decided('allowed', who)})", "allowed"),
            Ask(f"sum ({decided('denied', who)})", "refused"),
        ],
        units.RequestsPerSecond,
    )


def cases(who: str, width: int = 24) -> Panel:
    """The cases of the reachability matrix, those first that went wrong."""
    return rows(
        "Cases, those first that did not end as expected",
        "What the allow-list says of a path, and what the prober saw when it last tried it: two"
        " hundred at most.",
        ["machine", "case", "expected", "reason", "seen", "how"],
        [Column("as expected", f"bottomk(200, mesh_probe_as_expected{{{who}}})", words=YES)],
        width,
    )


def reachability(who: str) -> Panel:
    """How many paths were not as expected, over time."""
    wrong = f'mesh_probe_as_expected{{{who},expected="%s",seen="%s"}} == 0'
    broken = f'mesh_probe_failed_rounds{{{who},expected="allowed"}} >= {rules.BROKEN_ROUNDS}'
    return lines(
        "Paths that are open or broken and must not be",
        "Each open one makes MeshPathOpen fire, each broken one MeshPathBroken.",
        [
            Ask(counted(wrong % ("refused", "allowed")), "open"),
            Ask(counted(broken), "broken"),
        ],
        steps=NONE,
    )
