# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""What the controller tells a machine of programs that watch: pure data, without secrets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

from ansible_collections.brownfield.mesh.plugins.module_utils.desired import File
from ansible_collections.brownfield.mesh.plugins.module_utils.spec import Artifact

UNITS = "/etc/systemd/system"

EXPORTER_HOME = "mesh-watch"
EXPORTER_UNIT = "mesh-node-exporter.service"
STATE_UNIT = "mesh-state.service"
STATE_TIMER = "mesh-state.timer"
PROBE_UNIT = "mesh-probe.service"
PROBE_TIMER = "mesh-probe.timer"
LOGS_UNIT = "mesh-logs.service"
LOGS_TIMER = "mesh-logs.timer"
EXPORTER_UNITS = (
    LOGS_TIMER, LOGS_UNIT, PROBE_TIMER, PROBE_UNIT, STATE_TIMER, STATE_UNIT, EXPORTER_UNIT,
)  # fmt: skip

MONITORING_HOME = "mesh-monitoring"
PROMETHEUS_UNIT = "mesh-prometheus.service"
ALERTMANAGER_UNIT = "mesh-alertmanager.service"
MONITORING_UNITS = (PROMETHEUS_UNIT, ALERTMANAGER_UNIT)
TARGETS = "/etc/mesh-monitoring/targets.json"
# Vantages are asked by TLS of node_exporter's own. Both sides have a key of their own, and know the
# other one's certificate.
VANTAGES = "/etc/mesh-monitoring/vantages.json"
VANTAGE_CERTIFICATES = "/etc/mesh-monitoring/vantages.pem"
CLIENT_KEY = "/etc/mesh-monitoring/client.key"
CLIENT_CERTIFICATE = "/etc/mesh-monitoring/client.crt"
VANTAGE_KEY = "/etc/mesh-watch/vantage.key"
VANTAGE_CERTIFICATE = "/etc/mesh-watch/vantage.crt"
# By which a Grafana on the machine finds the dashboards.
GRAFANA_PROVIDER = "/etc/grafana/provisioning/dashboards/brownfield-mesh.yml"
# The label of a target with the port that must not answer in plain. Prometheus stores none that
# begins so.
PLAINTEXT_PORT = "__plaintext_port"

# What the scripts read and write, and where their code lies.
MACHINE_FILE = "/etc/mesh-watch/machine.json"
PROBES_FILE = "/etc/mesh-watch/probes.json"
TEXTFILES = "/var/lib/mesh-watch"
LIBRARY = "/opt/mesh-watch/lib"
PYTHON = "/usr/bin/python3"  # what runs them
# Where the journal is sent, if anywhere, and what became of it.
LOKI_FILE = "/etc/mesh-watch/loki.json"
SHIP_RECORD = TEXTFILES + "/ship.json"
SHIP_FILE = TEXTFILES + "/ship.prom"


@dataclass(frozen=True)
class Program:
    """A program of an archive; ``members`` are the file names it may have there."""

    name: str
    members: tuple[str, ...]


@dataclass(frozen=True)
class Archive:
    """Programs that come in one file: a Debian package, a tar archive, or the program itself.

    ``variable`` is where its artefacts were given, for messages. ``data`` are files that the
    programs of some packagers want at a place of their own.
    """

    name: str
    variable: str
    programs: tuple[Program, ...]
    artifacts: tuple[Artifact, ...]
    data: tuple[str, ...] = ()


@dataclass(frozen=True)
class Pair:
    """A key that is made on the machine and stays there, and its certificate, which the other side
    knows as SSH knows a host's key: no authority signs it, and it does not end. A server's names
    its ``address``, a client's none.
    """

    key: str
    certificate: str
    address: str = ""


@dataclass(frozen=True)
class Unit:
    """A systemd unit. ``wanted_by`` is empty when another unit starts it.

    ``digest`` stands for everything it was started with: another one means a restart. A server
    answers ``ready`` at ``port`` on loopback with 200 once it works; without ``ready``, it takes
    connections there.
    """

    name: str
    content: str
    wanted_by: str
    digest: str
    port: int = 0
    ready: str = ""


@dataclass(frozen=True)
class Installation:
    """Programs with their files and units, below ``/opt``, ``/etc`` and ``/var/lib`` of ``home``.

    ``library`` asks for the collection's own code beside the programs. ``checks`` are commands that
    must succeed on the files before a unit is started with them. ``gone`` are files of ours
    that must not be there. ``reloads`` is a unit of the user's that reads the files. The units know
    the ``pair``, if there is one.
    """

    home: str
    archives: tuple[Archive, ...]
    files: tuple[File, ...]
    units: tuple[Unit, ...]
    https_proxy: str = ""
    library: bool = False
    checks: tuple[tuple[str, ...], ...] = ()
    gone: tuple[str, ...] = ()
    reloads: str = ""
    pair: Optional[Pair] = None

    def program(self, name: str) -> str:
        """Where a program is installed."""
        return place(self.home, name)


def place(home: str, name: str) -> str:
    """Where a program is installed."""
    return "/opt/%s/bin/%s" % (home, name)


def folders(home: str) -> tuple[str, ...]:
    """The folders of an installation, each before what is in it."""
    return "/opt/" + home, "/opt/%s/bin" % home, "/etc/" + home, "/var/lib/" + home
