# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""What a machine is to run so that it can be watched: node_exporter, the state only we know, counts
of its journal, and the prober.

node_exporter listens on loopback. Prometheus reaches it through the machine's proxy, which demands
mutual TLS and the monitoring's own identity (``objects``). On a vantage it demands that itself.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

import yaml
from ansible_collections.brownfield.mesh.plugins.module_utils.desired import File
from ansible_collections.brownfield.mesh.plugins.module_utils.spec import (
    Artifact,
    Machine,
    Vantage,
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
    VANTAGE_CERTIFICATE,
    VANTAGE_KEY,
    Archive,
    Installation,
    Pair,
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
# Of a vantage, where no proxy stands before node_exporter.
WEB_FILE = "/etc/mesh-watch/web.yml"
CLIENTS_FILE = "/etc/mesh-watch/clients.pem"
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
    _check(collectors, probes, _problems(loki) if loki else [])
    archive = Archive("node_exporter", VARIABLE, PROGRAMS, tuple(artifacts))
    labels = {
        "machine": machine.name,
        "workload": workload.name,
        "namespace": workload.namespace,
        "mode": machine.mode,
    }
    tried = _tried(probes)
    return Installation(
        home=EXPORTER_HOME,
        archives=(archive,),
        files=(
            File(MACHINE_FILE, json.dumps(labels, sort_keys=True) + "\n", 0o644),
            tried,
            *([_loki(loki)] if loki else ()),
        ),
        units=(
            sandbox.server(
                EXPORTER_UNIT,
                "Figures of this machine",
                _command(collectors, "127.0.0.1"),
                [],
                archive,
                (EXPORTER_PORT, "/"),
            ),
            *_state(seconds, machine.mode),
            *_logs(2 * seconds, loki is not None),
            *_prober(probes.seconds, tried),
        ),
        https_proxy=machine.mesh.proxy.https_proxy,
        library=True,
        gone=() if loki else (LOKI_FILE, SHIP_RECORD, SHIP_FILE),
    )


def render_vantage(
    vantage: Vantage,
    artifacts: Sequence[Artifact],
    collectors: Sequence[str],
    probes: Probes,
    clients: Sequence[str],
) -> Installation:
    """A vantage's desired state: the prober, and node_exporter with TLS of its own, since there is
    no proxy before it. It answers those who have the key of one of ``clients`` (PEM).

    Raises ValueError as ``render`` does.
    """
    _check(collectors, probes, [])
    archive = Archive("node_exporter", VARIABLE, PROGRAMS, tuple(artifacts))
    tried = _tried(probes)
    known = File(CLIENTS_FILE, "".join(sorted(clients)), 0o644)
    web = File(WEB_FILE, yaml.safe_dump(_web(), sort_keys=False), 0o644)
    return Installation(
        home=EXPORTER_HOME,
        archives=(archive,),
        files=(tried, known, web),
        units=(
            sandbox.server(
                EXPORTER_UNIT,
                "Figures of this vantage",
                [*_command(collectors, ""), "--web.config.file=" + WEB_FILE],
                [("LoadCredential", "key:" + VANTAGE_KEY)],
                archive,
                (EXPORTER_PORT, ""),
                [web.content],
            ),
            *_prober(probes.seconds, tried),
        ),
        library=True,
        pair=Pair(VANTAGE_KEY, VANTAGE_CERTIFICATE, vantage.address),
    )


def _web() -> dict[str, Any]:
    """Of exporter-toolkit, which reads the certificates anew at each handshake
    (https://github.com/prometheus/exporter-toolkit/blob/master/docs/web-configuration.md)."""
    return {
        "tls_server_config": {
            "cert_file": VANTAGE_CERTIFICATE,
            "key_file": "/run/credentials/%s/key" % EXPORTER_UNIT,
            "client_auth_type": "RequireAndVerifyClientCert",
            "client_ca_file": CLIENTS_FILE,
            "min_version": "TLS13",
        }
    }


def _check(collectors: Sequence[str], probes: Probes, problems: Sequence[str]) -> None:
    wrong = [name for name in collectors if not COLLECTOR.fullmatch(name)]
    found = ["mesh_node_exporter_collectors: no collector's name: %s" % wrong] if wrong else []
    for name, value in (("seconds", probes.seconds), ("cases", probes.per_round)):
        if value < 1:
            found.append("mesh_node_exporter_probe_%s: give 1 or more, not %d" % (name, value))
    if found or problems:
        raise ValueError("; ".join([*found, *problems]))


def _tried(probes: Probes) -> File:
    return File(PROBES_FILE, json.dumps(to_data(probes), sort_keys=True, indent=1) + "\n", 0o600)


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


def _command(collectors: Sequence[str], address: str) -> list[str]:
    """node_exporter's command line; it listens at ``address``, or everywhere."""
    command = [
        place(EXPORTER_HOME, "node_exporter"),
        "--web.listen-address=%s:%d" % (address, EXPORTER_PORT),
        "--web.disable-exporter-metrics",
        "--collector.disable-defaults",
        *("--collector." + name for name in sorted({*collectors, "textfile", "time"})),
        "--collector.textfile.directory=" + TEXTFILES,
    ]
    if "filesystem" in collectors:
        # A dollar is systemd's own sign (systemd.service(5)).
        command.append("--collector.filesystem.fs-types-exclude=^(%s)$$" % NO_DISKS)
    return command


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


def _prober(seconds: int, tried: File) -> tuple[Unit, Unit]:
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
        Unit(PROBE_UNIT, service, "", sandbox.digest(service, tried.content)),
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
