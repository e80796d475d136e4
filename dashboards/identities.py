"""Identities: what certificates have left, and who is refused for them."""

from __future__ import annotations

from ansible_collections.brownfield.mesh.plugins.plugin_utils.monitoring.dashboards import (
    threshold,
)
from grafana_foundation_sdk.models import units

from dashboards.parts import (
    NONE,
    Ask,
    Column,
    Page,
    at_most,
    lines,
    number,
    rows,
)
from dashboards.queries import (
    BOTH,
    LIFE_LIMIT,
    WHO,
    certificates,
    counted,
    life,
    rise,
)

who = BOTH
ends = "mesh_certificate_not_%s_seconds{" + who + "}"
by = "max by (machine) (%s)"
PAGE = Page(
    "brownfield-mesh-identities",
    "Mesh / Identities",
    "Certificates: what they have left, whether they are renewed, and who is refused for them.",
    WHO,
    {
        "Now": [
            number("Certificates", "That machines have.", f"count({ends % 'after'})"),
            number(
                "Without one", "Machines that have no certificate that can be read.",
                counted(
                    f"mesh_state_timestamp_seconds{{{who}}}"
                    f" unless on (machine) {ends % 'after'}"
                ),
                NONE,
            ),
            number(
                "Too old", "Certificates that should have been renewed.",
                counted(f"{life(who)} < {threshold('certificate_fraction')}"), NONE,
            ),
            number(
                "Shortest", "The least that a certificate has left of its life.",
                f"min({life(who)})", LIFE_LIMIT, units.PercentUnit,
            ),
            number(
                "Next end", "When the first of them ends, if it is not renewed.",
                f"1000 * min({ends % 'after'})", unit=units.DateTimeFromNow,
            ),
            number(
                "Renewed", "Certificates that were renewed in the last day.",
                f"sum(changes({ends % 'after'}[1d]))",
            ),
            number(
                "Refused by TLS", "Callers without a valid certificate, in the last hour.",
                f'sum(increase(mesh_log_proxy_refusals_total{{{who},reason="tls"}}[1h]))',
            ),
            number(
                "Clocks off", "Furthest from Prometheus's: certificates are judged by them.",
                f"max(abs(node_time_seconds{{{who}}} - timestamp(node_time_seconds{{{who}}})))",
                at_most(threshold("clock_seconds")), units.Seconds,
            ),
        ],
        "Certificates": [
            rows(
                "Each certificate", "Those first that have least left.",
                ["machine"],
                [
                    Column(
                        "life left", f"sort(min by (machine) ({life(who)}))",
                        units.PercentUnit, LIFE_LIMIT,
                    ),
                    Column("begins", by % f"1000 * {ends % 'before'}", units.DateTimeFromNow),
                    Column("ends", by % f"1000 * {ends % 'after'}", units.DateTimeFromNow),
                    Column(
                        "lasts", by % f"{ends % 'after'} - {ends % 'before'}", units.Seconds
                    ),
                    Column("renewed in a day", by % f"changes({ends % 'after'}[1d])"),
                ],
            ),
            certificates(who),
            lines(
                "Refused by TLS, in ten minutes", "Out of the proxies' access logs.",
                [
                    Ask(
                        rise(f'mesh_log_proxy_refusals_total{{{who},reason="tls"}}', "machine"),
                        "{{machine}}",
                    )
                ],
                steps=at_most(threshold("proxy_refusals")),
            ),
        ],
    },
)  # fmt: skip
