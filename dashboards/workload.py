"""One workload: what its machines let in, refuse and fail to pass on."""

from __future__ import annotations

from ansible_collections.brownfield.mesh.plugins.plugin_utils.monitoring import rules
from grafana_foundation_sdk.models import units

from dashboards.parts import (
    NONE,
    Ask,
    Page,
    lines,
    number,
    one,
)
from dashboards.queries import (
    LIFE_LIMIT,
    WATCHED,
    WORKLOAD,
    cases,
    counted,
    decided,
    decisions,
    firing,
    life,
    machines,
    refusals,
    watched,
)

who = WORKLOAD
PAGE = Page(
    "brownfield-mesh-workload",
    "Mesh / Workload",
    "What a workload's machines let in, refuse and fail to pass on.",
    [one("workload", WATCHED)],
    {
        "Now": [
            number("Machines", "That run it.", f"count({watched(who)})"),
            number(
                "Answer", "Machines whose proxy answers over the mesh.",
                f"sum({watched(who, rules.PROXY_JOB)})",
            ),
            number(
                "Allowed", "Calls and connections for each second.",
                f"sum({decided('allowed', who)})", unit=units.RequestsPerSecond,
            ),
            number(
                "Refused", "By policy, for each second.",
                f"sum({decided('denied', who)})", unit=units.RequestsPerSecond,
            ),
            number(
                "Not passed on", "To the application, in the last hour.",
                f'sum(increase(mesh_log_proxy_refusals_total{{{who},reason="upstream"}}[1h]))',
                NONE,
            ),
            number(
                "Shortest certificate", "The least that a certificate has left of its life.",
                f"min({life(who)})", LIFE_LIMIT, units.PercentUnit,
            ),
            number(
                "Paths not as expected", "Of those that its machines try.",
                counted(f"mesh_probe_as_expected{{{who}}} == 0"), NONE,
            ),
            number("Alarms", "Of its machines.", counted(firing(who)), NONE),
        ],
        "Traffic": [
            decisions(who),
            refusals(who),
            lines(
                "Allowed, by machine",
                "Calls and connections for each second. A machine that gets none is not known"
                " to its callers, or not healthy.",
                [Ask(f"sum by (machine) ({decided('allowed', who)})", "{{machine}}")],
                units.RequestsPerSecond,
            ),
            lines(
                "Refused, by machine", "By policy, for each second.",
                [Ask(f"sum by (machine) ({decided('denied', who)})", "{{machine}}")],
                units.RequestsPerSecond,
            ),
        ],
        "Machines": [machines(who)],
        "Paths": [cases(who)],
    },
)  # fmt: skip
