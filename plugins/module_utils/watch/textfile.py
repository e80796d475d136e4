# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""What only we know of a machine, as a file for node_exporter's textfile collector.

Run on the machine by a timer: ``python3 -m ...watch.textfile``. What cannot be read is left out, so
that missing data is missing and not zero; the file's own time shows when nobody writes it any more.
Format: https://prometheus.io/docs/instrumenting/exposition_formats/.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Optional

from ansible_collections.brownfield.mesh.plugins.module_utils import (
    identity,
    last_run,
    observe,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.bridge import firewall, proxy
from ansible_collections.brownfield.mesh.plugins.module_utils.bridge import state as bridge_state
from ansible_collections.brownfield.mesh.plugins.module_utils.desired import File, Host
from ansible_collections.brownfield.mesh.plugins.module_utils.sidecar import agent, capture
from ansible_collections.brownfield.mesh.plugins.module_utils.sidecar.state import (
    CAPTURE_UNIT,
    CERTIFICATE,
    PROXY_UNIT,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.watch import plaintext
from ansible_collections.brownfield.mesh.plugins.module_utils.watch.state import (
    MACHINE_FILE,
    TARGETS,
    TEXTFILES,
)

PATH = TEXTFILES + "/mesh.prom"
_MARK = re.compile(r'comment "([^"]*)"')
# A machine in trouble may have hundreds of failed units: naming some is enough.
MAX_UNITS = 20
MAX_PATHS = 20

HELP = {
    "mesh_machine_info": "What runs on the machine. Always 1.",
    "mesh_proxy_ready": "Whether agent and Envoy say that they serve.",
    "mesh_control_plane_connected": "Whether Envoy has a stream to istiod.",
    "mesh_configuration_rejected": "Updates from istiod that Envoy refused since it started.",
    "mesh_capture_on": "Whether the rules that send traffic through the proxy are loaded.",
    "mesh_application_closed": "Whether a bridge keeps the network from its application's ports.",
    "mesh_capture_unconfirmed": "Whether the guard is about to take the rules off again.",
    "mesh_unit_active": "Whether a unit of ours is active.",
    "mesh_unit_failed": "A unit that systemd calls failed. Always 1.",
    "mesh_certificate_not_before_seconds": "When the certificate in use begins.",
    "mesh_certificate_not_after_seconds": "When the certificate in use ends.",
    "mesh_run_timestamp_seconds": "When the last run began that was to change this machine.",
    "mesh_run_finished": "Whether it finished.",
    "mesh_drifted": "A path of ours that is not as a run left it. Always 1.",
    "mesh_plaintext_open": "Whether a peer answers in plain what only its proxy may let through.",
    "mesh_state_timestamp_seconds": "When this was written.",
}


@dataclass(frozen=True)
class Sample:
    """One value of a metric: a counter if its name ends in ``_total``, else a gauge."""

    name: str
    value: float
    labels: Sequence[tuple[str, str]] = ()


def collect(
    host: Host,
    machine: Mapping[str, str],
    now: float,
    get: Callable[[int, str], tuple[int, str]] = observe.get,
    versions: Callable[[], dict[str, str]] = agent.versions,
    ask: Callable[[str], Mapping[str, bool]] = plaintext.ask,
    administration: Callable[[str], str] = proxy.ask,
) -> list[Sample]:
    """What there is to say of this machine now. ``machine`` are the labels of its info.

    A machine that watches others also says which of them answer in plain.
    """
    bridge = machine.get("mode") == "bridge"
    samples = (
        _of_bridge(host, machine, administration)
        if bridge
        else _of_sidecar(host, machine, get, versions)
    )
    found = identity.read(host.path(bridge_state.CERTIFICATE if bridge else CERTIFICATE))
    if found is not None:
        samples.append(Sample("mesh_certificate_not_before_seconds", found.not_before))
        samples.append(Sample("mesh_certificate_not_after_seconds", found.not_after))
    for peer, open_ in ask(host.read(TARGETS) or "[]").items():
        samples.append(Sample("mesh_plaintext_open", open_, [("peer", peer)]))
    return [
        *samples,
        *_failed(host),
        *_last_run(host),
        Sample("mesh_state_timestamp_seconds", now),
    ]


def _of_bridge(
    host: Host, machine: Mapping[str, str], administration: Callable[[str], str]
) -> list[Sample]:
    values = observe.parse_stats(administration("/stats"))
    live = values.get("server.live", 0) == 1
    waiting = values.get("listener_manager.total_listeners_warming", 0)
    envoy = agent.parse_versions(administration("/server_info"))
    # The file that is loaded at boot says which rules there are to be.
    marks = _MARK.findall(host.read(bridge_state.FIREWALL) or "")
    return [
        Sample("mesh_machine_info", 1, [*sorted(machine.items()), *sorted(envoy.items())]),
        Sample("mesh_proxy_ready", live and not waiting),
        Sample("mesh_application_closed", firewall.is_on(host, marks[0] if marks else "")),
        *_active(host, (bridge_state.UNIT, bridge_state.FIREWALL_UNIT)),
    ]


def _of_sidecar(
    host: Host,
    machine: Mapping[str, str],
    get: Callable[[int, str], tuple[int, str]],
    versions: Callable[[], dict[str, str]],
) -> list[Sample]:
    status, stats = get(observe.ADMIN_PORT, "/stats")
    values = observe.parse_stats(stats) if status == 200 else None
    ready = get(observe.STATUS_PORT, "/healthz/ready")[0] == 200
    info = [*sorted(machine.items()), *sorted(versions().items())]
    samples = [
        Sample("mesh_machine_info", 1, info),
        Sample("mesh_proxy_ready", ready),
        Sample("mesh_capture_on", bool(capture.rules(host))),
        Sample("mesh_capture_unconfirmed", capture.guarded(host)),
        *_active(host, (PROXY_UNIT, CAPTURE_UNIT)),
    ]
    if values is not None:
        connected = values.get("cluster.xds-grpc.upstream_rq_active", 0) > 0
        rejected = sum(
            values.get(manager + ".update_rejected", 0)
            for manager in ("cluster_manager.cds", "listener_manager.lds")
        )
        samples.append(Sample("mesh_control_plane_connected", connected))
        samples.append(Sample("mesh_configuration_rejected", rejected))
    return samples


def _active(host: Host, units: Sequence[str]) -> list[Sample]:
    return [
        Sample(
            "mesh_unit_active",
            host.succeeds(["systemctl", "is-active", "--quiet", unit]),
            [("unit", unit)],
        )
        for unit in units
    ]


def _failed(host: Host) -> list[Sample]:
    argv = ["systemctl", "list-units", "--state=failed", "--plain", "--no-legend", "--no-pager"]
    failed = [line.split()[0] for line in host.run(argv, check=False).splitlines() if line.strip()]
    return [Sample("mesh_unit_failed", 1, [("unit", unit)]) for unit in sorted(failed)[:MAX_UNITS]]


def _last_run(host: Host) -> list[Sample]:
    record = last_run.read(host)
    if record is None:
        return []
    paths = last_run.drift(host, record)[:MAX_PATHS]
    return [
        Sample("mesh_run_timestamp_seconds", record.began),
        Sample("mesh_run_finished", record.finished),
        *(Sample("mesh_drifted", 1, [("path", path)]) for path in paths),
    ]


def render(samples: Sequence[Sample], metrics: Mapping[str, str] = HELP) -> str:
    """The samples as text, grouped by metric as the format wants it; ``metrics`` says what each
    means."""
    lines: list[str] = []
    for name, words in metrics.items():
        own = [sample for sample in samples if sample.name == name]
        if own:
            kind = "counter" if name.endswith("_total") else "gauge"
            lines += ["# HELP %s %s" % (name, words), "# TYPE %s %s" % (name, kind)]
        for sample in own:
            labels = ",".join('%s="%s"' % (key, _escape(value)) for key, value in sample.labels)
            lines.append("%s%s %s" % (name, "{%s}" % labels if labels else "", _number(sample)))
    return "".join(line + "\n" for line in lines)


def _number(sample: Sample) -> str:
    # Whole numbers stay whole: seconds since the epoch need all of their digits.
    value = float(sample.value)
    return str(int(value)) if value.is_integer() else repr(value)


def _escape(text: str) -> str:
    # Bytes that are no UTF-8 (a unit's name may have them) would make the whole file unreadable.
    text = text.encode("utf-8", "replace").decode("utf-8")
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def main(host: Optional[Host] = None) -> None:
    """Write the file, whole or not at all."""
    host = host or Host()
    machine = json.loads(host.read(MACHINE_FILE) or "{}")
    text = render(collect(host, machine, time.time()))
    os.makedirs(host.path(TEXTFILES), mode=0o755, exist_ok=True)
    host.write(File(PATH, text, 0o644))


if __name__ == "__main__":
    main()
