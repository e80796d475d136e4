"""The fleet: which machines are well, and what is wrong with the others."""

from __future__ import annotations

from ansible_collections.brownfield.mesh.plugins.plugin_utils.monitoring import rules
from grafana_foundation_sdk.models import units

from dashboards.parts import (
    GREEN,
    NONE,
    YELLOW,
    Ask,
    Column,
    Page,
    lines,
    number,
    rows,
    some,
)
from dashboards.queries import (
    FLEET,
    LIFE_LIMIT,
    WATCHED,
    counted,
    decisions,
    firing,
    life,
    machines,
    uncaptured,
    watched,
)

PAGE = Page(
    "brownfield-mesh-fleet",
    "Mesh / Fleet",
    "Which machines outside Kubernetes are well, and what is wrong with the others.",
    [some("workload", WATCHED)],
    {
        "Now": [
            number("Machines", "That are watched.", f"count({watched(FLEET)})"),
            number(
                "Do not answer", "Machines whose proxy does not answer over the mesh.",
                counted(watched(FLEET, rules.PROXY_JOB) + " == 0"), NONE,
            ),
            number(
                "Proxies not ready", "Agent or Envoy say that they do not serve.",
                counted(f"mesh_proxy_ready{{{FLEET}}} == 0"), NONE,
            ),
            number(
                "Without capture",
                "Machines whose capture rules (of a bridge, its firewall's) are not loaded.",
                counted(uncaptured(FLEET)), NONE,
            ),
            number(
                "Without istiod", "Sidecars that have no stream to the control plane.",
                counted(f"mesh_control_plane_connected{{{FLEET}}} == 0"), NONE,
            ),
            number(
                "Shortest certificate", "The least that a certificate has left of its life.",
                f"min({life(FLEET)})", LIFE_LIMIT, units.PercentUnit,
            ),
            number(
                "Paths not as expected", "Cases of the reachability matrix.",
                counted(f"mesh_probe_as_expected{{{FLEET}}} == 0"), NONE,
            ),
            number(
                "Alarms", "That fire now, but for the dead-man's switch.",
                counted(firing(FLEET)), NONE,
            ),
        ],
        "Alarms": [
            rows(
                "Alarms that fire",
                f"{rules.WATCHDOG} is always here: it shows that Prometheus evaluates its"
                " rules. An alarm's name leads to its runbook.",
                ["alertname", "severity", "machine", "workload", "owner"],
                [Column("fires", f'ALERTS{{alertname=~"Mesh.+",alertstate="firing",{FLEET}}}')],
                12,
            ),
            lines(
                "Alarms over time", "How many fire, by severity.",
                [
                    Ask(counted(firing(f'{FLEET},severity="{severity}"')), severity)
                    for severity in ("page", "ticket")
                ],
                steps=NONE,
            ),
        ],
        "Machines": [machines(FLEET)],
        "Modes and versions": [
            rows(
                "Who runs what",
                "More than one version of the same program is skew: an upgrade that goes on, or"
                " one that was left half done.",
                ["mode", "agent", "envoy"],
                [
                    Column(
"machines",
f"count by (mode, agent, envoy) (mesh_machine_info{{{FLEET}}})",
)
                ],
                12,
            ),
            lines(
                "Versions in use", "Of the agent (sidecars only) and of Envoy.",
                [
                    Ask(
                        f'count(count by (agent) (mesh_machine_info{{{FLEET},agent!=""}}))'
                        " or vector(0)",
                        "agent",
                    ),
                    Ask(f"count(count by (envoy) (mesh_machine_info{{{FLEET}}}))", "Envoy"),
                ],
                steps=((None, GREEN), (2, YELLOW)),
            ),
            lines(
                "Machines that answer", "Over the mesh, by workload.",
                [
                    Ask(
                        f"sum by (workload) ({watched(FLEET, rules.PROXY_JOB)})",
                        "{{workload}}",
                    )
                ],
            ),
            decisions(FLEET),
        ],
    },
)  # fmt: skip
