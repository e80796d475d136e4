"""Reachability: what the allow-list says, against what the probers see."""

from __future__ import annotations

from ansible_collections.brownfield.mesh.plugins.plugin_utils.monitoring import rules
from grafana_foundation_sdk.models import units

from dashboards.parts import (
    CALM,
    GREEN,
    NONE,
    YELLOW,
    Ask,
    Column,
    Page,
    at_least,
    lines,
    number,
    rows,
)
from dashboards.queries import (
    AGE_LIMIT,
    BOTH,
    ROUNDS,
    WHO,
    age,
    cases,
    counted,
    reachability,
)

who = BOTH
seen = f"mesh_probe_as_expected{{{who}"
PAGE = Page(
    "brownfield-mesh-reachability",
    "Mesh / Reachability",
    "What the allow-list says of each path, against what the machines' probers see.",
    WHO,
    {
        "Now": [
            number("Cases", "That the machines have.", f"sum(mesh_probe_cases{{{who}}})"),
            number("Tried", "Cases that were tried at least once.", f"count({seen}}})"),
            number(
                "As expected", "The share of tried cases.",
                f"avg({seen}}})", at_least(1), units.PercentUnit,
            ),
            number(
                "Open", "Paths that must be refused, and are not.",
                counted(f'{seen},expected="refused",seen="allowed"}} == 0'), NONE,
            ),
            number(
                "Broken", f"Allowed paths that failed {rules.BROKEN_ROUNDS} times in a row.",
                counted(
                    f'mesh_probe_failed_rounds{{{who},expected="allowed"}}'
                    f" >= {rules.BROKEN_ROUNDS}"
                ),
                NONE,
            ),
            number(
                "Another reason", "Paths that are refused, but not by what must refuse them.",
                counted(f'{seen},expected="refused",seen!="allowed"}} == 0'),
                ((None, GREEN), (1, YELLOW)),
            ),
            number(
                "Answer in plain", "Ports that only a proxy may let through, seen by those who"
                " watch.",
                counted("mesh_plaintext_open == 1"), NONE,
            ),
            number(
                "Oldest round", "Beyond three of the prober's intervals.",
                f"clamp_min(max({age('mesh_probe_timestamp_seconds', who)}"
                f" - 3 * mesh_probe_interval_seconds{{{who}}}), 0)",
                AGE_LIMIT, units.Seconds,
            ),
        ],
        "Expected against seen": [
            rows(
                "By workload", "Cases of the callers' machines, and in how many rounds in a row"
                " the worst of them failed.",
                ["workload", "expected", "reason"],
                [
                    Column(
                        "worst",
                        "max by (workload, expected, reason)"
                        f" (mesh_probe_failed_rounds{{{who}}})",
                        steps=ROUNDS,
                    )
                ],
                12,
            ),
            reachability(who),
            cases(who),
        ],
        "Over time": [
            lines(
                "As expected, by workload", "The share of the callers' cases.",
                [Ask(f"avg by (workload) ({seen}}})", "{{workload}}")],
                units.PercentUnit, at_least(1), top=1,
            ),
            lines(
                "How long allowed calls take", "The longest of the prober's last attempts.",
                [
                    Ask(
                        "max by (workload)"
                        f' (mesh_probe_duration_seconds{{{who},expected="allowed"}})',
                        "{{workload}}",
                    )
                ],
                units.Seconds, CALM,
            ),
        ],
    },
)  # fmt: skip
