# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""What a machine is to run so that it can be watched: node_exporter, the state only we know, counts
of its journal, and the prober.

node_exporter listens on loopback. Prometheus reaches it through the machine's sidecar, which
demands mutual TLS and the monitoring's own identity (``objects.monitoring_objects``).
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from ansible_collections.brownfield.mesh.plugins.module_utils.desired import File
from ansible_collections.brownfield.mesh.plugins.module_utils.spec import (
    Artifact,
    Machine,
    Workload,
    to_data,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.watch.prober import Probes
from ansible_collections.brownfield.mesh.plugins.module_utils.watch.ship import Loki
from ansible_collections.brownfield.mesh.plugins.module_utils.watch.state import (
    EXPORTER_HOME,
    EXPORTER_UNIT,
    LIBRARY,
    LOGS_TIMER,
    LOGS_UNIT,
    LOKI_FILE,
    MACHINE_FILE,
    PROBE_TIMER,
    PROBE_UNIT,
    PROBES_FILE,
    PYTHON,
    SHIP_FILE,
    SHIP_RECORD,
    STATE_TIMER,
    STATE_UNIT,
    TEXTFILES,
    Archive,
    Installation,
    Program,
    Unit,
    place,
)
from ansible_collections.brownfield.mesh.plugins.plugin_utils.monitoring import sandbox
from ansible_collections.brownfield.mesh.plugins.plugin_utils.monitoring.ports import (
    EXPORTER_PORT,
)
from ansible_collections.brownfield.mesh.plugins.plugin_utils.units import COMMON, Section, unit

VARIABLE = "mesh_node_exporter_artifacts"
PROGRAMS = (Program("node_exporter", ("node_exporter", "prometheus-node-exporter")),)
COLLECTOR = re.compile(r"[a-z0-9_]+")
# The kernel's own file systems; an overlay is a container's root, which can fill up.
NO_DISKS = (
    "autofs|binfmt_misc|bpf|cgroup2?|configfs|debugfs|devpts|devtmpfs|fusectl|hugetlbfs|mqueue|nsfs|"
    "proc|pstore|ramfs|rpc_pipefs|securityfs|selinuxfs|squashfs|sysfs|tmpfs|tracefs"
)
RUN = PYTHON + " -m ansible_collections.brownfield.mesh.plugins.module_utils.watch."


def render(
    machine: Machine,
    workload: Workload,
    artifacts: Sequence[Artifact],
    collectors: Sequence[str],
    seconds: int,
    probes: Probes,
    loki: Loki | None = None,
) -> Installation:
    """The machine's desired state. ``seconds`` lie between two writings of its own state, twice as
    many between two readings of its journal, which are sent to ``loki``, if there is one.

    Raises ValueError for a collector that is no name, for what is less than one, and for a Loki
    that cannot be asked so.
    """
    wrong = [name for name in collectors if not COLLECTOR.fullmatch(name)]
    problems = ["mesh_node_exporter_collectors: no collector's name: %s" % wrong] if wrong else []
    for name, value in (("seconds", probes.seconds), ("cases", probes.per_round)):
        if value < 1:
            problems.append("mesh_node_exporter_probe_%s: give 1 or more, not %d" % (name, value))
    problems += _problems(loki) if loki else []
    if problems:
        raise ValueError("; ".join(problems))
    archive = Archive("node_exporter", VARIABLE, PROGRAMS, tuple(artifacts))
    labels = {
        "machine": machine.name,
        "workload": workload.name,
        "namespace": workload.namespace,
        "mode": machine.mode,
    }
    tried = json.dumps(to_data(probes), sort_keys=True, indent=1) + "\n"
    return Installation(
        home=EXPORTER_HOME,
        archives=(archive,),
        files=(
            File(MACHINE_FILE, json.dumps(labels, sort_keys=True) + "\n", 0o644),
            File(PROBES_FILE, tried, 0o600),
            *([_loki(loki)] if loki else ()),
        ),
        units=(
            _exporter(archive, collectors),
            *_state(seconds, machine.mode),
            *_logs(2 * seconds, loki is not None),
            *_prober(probes.seconds, tried),
        ),
        https_proxy=machine.mesh.proxy.https_proxy,
        library=True,
        gone=() if loki else (LOKI_FILE, SHIP_RECORD, SHIP_FILE),
    )


def _loki(loki: Loki) -> File:
    content = json.dumps(to_data(loki), sort_keys=True, indent=1) + "\n"
    return File(LOKI_FILE, content, 0o600, secret=True)


def _problems(loki: Loki) -> list[str]:
    name = "mesh_node_exporter_loki"
    found = []
    if not loki.url.startswith(("https://", "http://")):
        found.append("%s: url is none; write for example https://loki.example.com" % name)
    elif "@" in loki.url:
        # It would be shown where a password is not, and nothing would be sent by it.
        found.append("%s: url holds a user; give username and password beside it" % name)
    elif loki.password and not loki.url.startswith("https://"):
        found.append("%s: a password would travel in plain; give an https url" % name)
    if loki.password and not loki.username:
        found.append("%s: there is a password without a username; give it, too" % name)
    return found


def _exporter(archive: Archive, collectors: Sequence[str]) -> Unit:
    command = [
        place(EXPORTER_HOME, "node_exporter"),
        "--web.listen-address=127.0.0.1:%d" % EXPORTER_PORT,
        "--web.disable-exporter-metrics",
        "--collector.disable-defaults",
        *("--collector." + name for name in sorted({*collectors, "textfile", "time"})),
        "--collector.textfile.directory=" + TEXTFILES,
    ]
    if "filesystem" in collectors:
        # A dollar is systemd's own sign (systemd.service(5)).
        command.append("--collector.filesystem.fs-types-exclude=^(%s)$$" % NO_DISKS)
    return sandbox.server(
        EXPORTER_UNIT, "Figures of this machine", command, [], archive, (EXPORTER_PORT, "/")
    )


def _state(seconds: int, mode: str) -> tuple[Unit, Unit]:
    # Rules are shown to whom may change them; the certificate is the proxy's. A bridge's
    # administration is a socket of its user's, which only its owner may write to.
    reading = "CAP_DAC_OVERRIDE" if mode == "bridge" else "CAP_NET_RAW CAP_DAC_READ_SEARCH"
    service = _script(
        "What the mesh knows of this machine",
        "textfile",
        [
            ("Type", "oneshot"),
            ("TimeoutStartSec", "60s"),
            ("CapabilityBoundingSet", "CAP_NET_ADMIN " + reading),
            ("ProtectKernelModules", "yes"),
            ("ProtectKernelTunables", "yes"),
            ("RestrictAddressFamilies", "AF_INET AF_INET6 AF_UNIX AF_NETLINK"),
            ("SystemCallFilter", "@system-service"),
            ("SystemCallErrorNumber", "EPERM"),
            *COMMON,
        ],
    )
    timer = _timer("Keep what the mesh knows of this machine fresh", STATE_UNIT, "0s", seconds, [])
    return (
        # Started once by the run itself, so that its state is there when the run ends.
        Unit(STATE_UNIT, service, "", sandbox.digest(service)),
        Unit(STATE_TIMER, timer, "timers.target", sandbox.digest(timer)),
    )


def _logs(seconds: int, shipped: bool) -> tuple[Unit, Unit]:
    service = _script(
        "What this machine's journal says, counted",
        "logs",
        [
            *([("ExecStart", RUN + "ship")] if shipped else ()),
            ("Type", "oneshot"),
            ("TimeoutStartSec", "300s"),
            # Root without a capability owns the journal that it reads and the folder it writes.
            *sandbox.CLOSED,
            ("SystemCallFilter", "@chown"),
        ],
    )
    timer = _timer("Count what this machine's journal says", LOGS_UNIT, "0s", seconds, [])
    return (
        # Started once by the run itself: from now on counts.
        Unit(LOGS_UNIT, service, "", sandbox.digest(service)),
        Unit(LOGS_TIMER, timer, "timers.target", sandbox.digest(timer)),
    )


def _prober(seconds: int, tried: str) -> tuple[Unit, Unit]:
    service = _script(
        "A round of this machine's prober",
        "prober",
        [
            # A run does not wait for a round, and other cases end the one under way.
            ("Type", "exec"),
            ("RuntimeMaxSec", "300s"),
            # Root without a capability owns the folder it writes, and may do nothing else.
            *sandbox.CLOSED,
            # It gives its own files to itself.
            ("SystemCallFilter", "@chown"),
        ],
    )
    timer = _timer(
        "Try again and again what may and may not be reached",
        PROBE_UNIT,
        "%ds" % seconds,
        seconds,
        # Machines that were joined together do not try each other together.
        [("RandomizedDelaySec", "%dms" % (seconds * 250))],
    )
    return (
        Unit(PROBE_UNIT, service, "", sandbox.digest(service, tried)),
        Unit(PROBE_TIMER, timer, "timers.target", sandbox.digest(timer)),
    )


def _script(description: str, module: str, more: Section) -> str:
    """A service that runs ``module`` of module_utils/watch once."""
    return unit(
        {
            "Unit": [("Description", description + " (brownfield.mesh)")],
            "Service": [
                ("Environment", "PYTHONPATH=%s PYTHONDONTWRITEBYTECODE=1" % LIBRARY),
                ("ExecStart", RUN + module),
                ("Nice", "10"),
                # Stopped half way it has not failed: the next start finishes its work.
                ("SuccessExitStatus", "SIGTERM"),
                ("ReadWritePaths", TEXTFILES),
                *more,
            ],
        }
    )


def _timer(description: str, service: str, first: str, seconds: int, more: Section) -> str:
    """Starts ``service`` after ``first``, and ``seconds`` after each end of it."""
    return unit(
        {
            "Unit": [("Description", description)],
            "Timer": [
                ("OnActiveSec", first),
                ("OnUnitInactiveSec", "%ds" % seconds),
                ("AccuracySec", "1s"),
                ("Unit", service),
                *more,
            ],
            "Install": [("WantedBy", "timers.target")],
        }
    )
