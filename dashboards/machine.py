"""One machine: its proxy, its certificate, its journal, and the machine itself."""

from __future__ import annotations

from ansible_collections.brownfield.mesh.plugins.plugin_utils.monitoring import rules
from ansible_collections.brownfield.mesh.plugins.plugin_utils.monitoring.dashboards import (
    threshold,
)
from grafana_foundation_sdk.models import units

from dashboards.parts import (
    NONE,
    YES,
    Ask,
    Page,
    at_least,
    at_most,
    lines,
    number,
    one,
    states,
)
from dashboards.queries import (
    AGE_LIMIT,
    LIFE_LIMIT,
    MACHINE,
    WATCHED,
    age,
    cases,
    certificates,
    counted,
    decisions,
    firing,
    life,
    refusals,
    rise,
    watched,
)

who = MACHINE
disk = "node_filesystem_avail_bytes{%s} / node_filesystem_size_bytes{%s}" % (who, who)
rate = "rate(%s{" + who + "}[$__rate_interval])"
on = (
    ("mesh_proxy_ready", "proxy ready"),
    ("mesh_capture_on", "capture on"),
    ("mesh_application_closed", "application closed to the network"),
    ("mesh_control_plane_connected", "istiod connected"),
    ("mesh_unit_active", "{{unit}}"),
)
PAGE = Page(
    "brownfield-mesh-machine",
    "Mesh / Machine",
    "One machine: its proxy, its certificate, what its journal says, and the machine itself.",
    [one("machine", WATCHED)],
    {
        "Now": [
            number(
                "Answers", "Over the mesh, by its proxy.",
                watched(who, rules.PROXY_JOB), at_least(1), words=YES,
            ),
            number(
                "Proxy ready", "What agent and Envoy say.",
                f"mesh_proxy_ready{{{who}}}", at_least(1), words=YES,
            ),
            number(
                "Captured", "Whether the rules are loaded that lead traffic to the proxy.",
                f"mesh_capture_on{{{who}}} or mesh_application_closed{{{who}}}",
                at_least(1), words=YES,
            ),
            number(
                "Certificate", "What it has left of its life.",
                life(who), LIFE_LIMIT, units.PercentUnit,
            ),
            number(
                "Failed units", "That systemd has given up.",
                counted(f"mesh_unit_failed{{{who}}}"), NONE,
            ),
            number(
                "Clock off", "By how much it differs from Prometheus's.",
                f"abs(node_time_seconds{{{who}}} - timestamp(node_time_seconds{{{who}}}))",
                at_most(threshold("clock_seconds")), units.Seconds,
            ),
            number(
                "Paths not as expected", "Of those that this machine tries.",
                counted(f"mesh_probe_as_expected{{{who}}} == 0"), NONE,
            ),
            number("Alarms", "Of this machine.", counted(firing(who)), NONE),
        ],
        "In the mesh": [
            states(
                "What must be on", "What a machine of the other mode has is not here.",
                [Ask(f"{metric}{{{who}}}", legend) for metric, legend in on],
            ),
            certificates(who),
            lines(
                "How old its figures are",
                "Above the line, MeshStateStale and MeshLogsStale fire. A round of the prober"
                " may take three of its intervals longer.",
                [
                    Ask(age("mesh_state_timestamp_seconds", who), "state"),
                    Ask(age("mesh_log_timestamp_seconds", who), "journal"),
                    Ask(
                        age("mesh_probe_timestamp_seconds", who)
                        + f" - 3 * mesh_probe_interval_seconds{{{who}}} > 0 or vector(0)",
                        "prober, beyond three intervals",
                    ),
                ],
                units.Seconds, AGE_LIMIT,
            ),
            decisions(who),
            refusals(who),
            lines(
                "Envoy", "Memory that it has allocated.",
                [Ask(f"envoy_server_memory_allocated{{{who}}}", "allocated")], units.BytesIEC,
            ),
            cases(who),
        ],
        "Its journal": [
            lines(
                "SSH, in ten minutes",
                "Above the line, failed attempts and connections given up make"
                " MeshSshBruteForce fire.",
                [Ask(rise(f"mesh_log_ssh_total{{{who}}}", "result"), "{{result}}")],
                steps=at_most(threshold("ssh_failures")),
            ),
            lines(
                "sudo, in ten minutes", "Commands that it ran and refused.",
                [Ask(rise(f"mesh_log_sudo_total{{{who}}}", "result"), "{{result}}")],
            ),
            lines(
                "Units, in ten minutes",
                "Failed, and started anew by systemd. Above the line, MeshUnitFlapping fires.",
                [
                    Ask(
                        rise(f"mesh_log_unit_failures_total{{{who}}}", "unit"),
                        "{{unit}} failed",
                    ),
                    Ask(
                        rise(f"mesh_log_unit_restarts_total{{{who}}}", "unit"),
                        "{{unit}} started anew",
                    ),
                ],
                steps=at_most(threshold("unit_restarts")),
            ),
            lines(
                "The kernel's trouble, in ten minutes", "Any makes MeshKernelTrouble fire.",
                [Ask(rise(f"mesh_log_kernel_total{{{who}}}", "kind"), "{{kind}}")], steps=NONE,
            ),
        ],
        "The machine itself": [
            lines(
                "Processor", "The share of time that it is busy.",
                [
                    Ask(
                        "1 - avg(rate(node_cpu_seconds_total"
f'{{mode="idle",{who}}}[$__rate_interval]))',
                        "busy",
                    )
                ],
                units.PercentUnit, top=1,
            ),
            lines(
                "Memory", "That programs can still have.",
                [
                    Ask(f"node_memory_MemAvailable_bytes{{{who}}}", "available"),
                    Ask(f"node_memory_MemTotal_bytes{{{who}}}", "all"),
                ],
                units.BytesIEC,
            ),
            lines(
                "Disks", "What is free. Below the line, MeshDiskFilling fires.",
                [Ask(disk, "{{mountpoint}}")],
                units.PercentUnit, at_least(threshold("disk_fraction")), top=1,
            ),
            lines(
                "Network", "What its interfaces receive and send.",
                [
                    Ask(rate % "node_network_receive_bytes_total", "{{device}} receives"),
                    Ask(rate % "node_network_transmit_bytes_total", "{{device}} sends"),
                ],
                units.BytesPerSecondIEC,
            ),
            lines(
                "Waiting", "The share of time that some program waits for it.",
                [
                    Ask(rate % f"node_pressure_{what}_waiting_seconds_total", what)
                    for what in ("cpu", "memory", "io")
                ],
                units.PercentUnit,
            ),
        ],
    },
)  # fmt: skip
