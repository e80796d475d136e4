# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""The systemd units of a machine in mode ``bridge``, with their sandboxes."""

from __future__ import annotations

from ansible_collections.brownfield.mesh.plugins.module_utils import artifacts
from ansible_collections.brownfield.mesh.plugins.module_utils.bridge.state import (
    ADMIN_SOCKET,
    DIGEST_VARIABLE,
    ENVOY_CONFIG,
    FIREWALL,
    FIREWALL_TABLE,
    IDENTITY_UNIT,
    LIBRARY,
    MEMORY,
    RUNTIME,
    STATE,
    SUPERVISOR,
    USER,
)
from ansible_collections.brownfield.mesh.plugins.plugin_utils.units import COMMON, Section, unit

# An old process serves what it has for so long after a hot restart.
DRAIN_SECONDS = 60
OLD_PROCESS_SECONDS = 120
# Shared memory and sockets of the hot restart, apart from those of other Envoys here.
BASE_ID = 15443


def bridge(digest: str, low_ports: bool) -> str:
    """mesh-bridge.service: the supervisor and Envoy, unprivileged.

    ``low_ports`` says whether Envoy is to listen below 1024, for which it needs a capability, that
    would mean nothing in a user namespace of its own.
    """
    command = [
        "/usr/bin/env", "python3", SUPERVISOR, ADMIN_SOCKET,
        artifacts.place("envoy"), "--config-path", ENVOY_CONFIG, "--log-level", "warning",
        "--base-id", str(BASE_ID),
        "--socket-path", RUNTIME + "/hot-restart", "--socket-mode", "600",
        # An old process has HTTP callers go at their next answer, not some time within the minute.
        "--drain-strategy", "immediate", "--drain-time-s", str(DRAIN_SECONDS),
        "--parent-shutdown-time-s", str(OLD_PROCESS_SECONDS),
    ]  # fmt: skip
    start: Section = [
        ("Description", "Bridge of this machine to its mesh (brownfield.mesh)"),
        ("Wants", "network-online.target"),
        ("After", "network-online.target"),
        ("StartLimitIntervalSec", "0"),
    ]
    capability = "CAP_NET_BIND_SERVICE" if low_ports else ""
    service: Section = [
        ("Type", "notify"),
        ("NotifyAccess", "main"),
        ("User", USER),
        ("Group", USER),
        ("RuntimeDirectory", "mesh-bridge"),
        ("RuntimeDirectoryMode", "0700"),
        ("UMask", "0077"),
        # Where Envoy keeps the memory of its hot restarts: others here could take its name first.
        ("TemporaryFileSystem", "/dev/shm:mode=1777,size=1M,nosuid,nodev,noexec"),
        ("Environment", "%s=%s" % (DIGEST_VARIABLE, digest)),
        ("ExecStart", " ".join(command)),
        ("ExecReload", "kill -HUP $MAINPID"),
        ("Restart", "always"),
        ("RestartSec", "100ms"),
        ("KillMode", "mixed"),
        ("TimeoutStopSec", "15s"),
        ("LimitNOFILE", "65536"),
        ("CapabilityBoundingSet", capability),
        ("AmbientCapabilities", capability),
        ("PrivateUsers", "no" if low_ports else "yes"),
        ("ProtectKernelModules", "yes"),
        ("ProtectKernelTunables", "yes"),
        ("ProtectProc", "invisible"),
        ("ProcSubset", "pid"),
        ("RestrictAddressFamilies", "AF_INET AF_INET6 AF_UNIX AF_NETLINK"),
        ("RemoveIPC", "yes"),
        # Without an error number Envoy dies of the first call outside the list.
        ("SystemCallFilter", "@system-service"),
        ("SystemCallFilter", "~@privileged @resources"),
        ("SystemCallErrorNumber", "EPERM"),
        *COMMON,
    ]
    return unit({"Unit": start, "Service": service, "Install": [("WantedBy", "multi-user.target")]})


def firewall() -> str:
    """mesh-bridge-firewall.service: our table comes before the network and stays to the end.

    It does not depend on the bridge, so an application stays closed while the bridge is down.
    """
    start: Section = [
        ("Description", "Keep the network from applications behind the bridge (brownfield.mesh)"),
        ("DefaultDependencies", "no"),
        ("After", "local-fs.target nftables.service firewalld.service ufw.service"),
        ("Wants", "network-pre.target"),
        ("Before", "network-pre.target"),
    ]
    service: Section = [
        ("Type", "oneshot"),
        ("RemainAfterExit", "yes"),
        ("ExecStart", "nft -f " + FIREWALL),
        ("ExecReload", "nft -f " + FIREWALL),
        ("ExecStop", "nft delete table inet " + FIREWALL_TABLE),
        ("CapabilityBoundingSet", "CAP_NET_ADMIN"),
        ("RestrictAddressFamilies", "AF_NETLINK"),
        ("SystemCallFilter", "@system-service"),
        ("SystemCallErrorNumber", "EPERM"),
        *COMMON,
    ]
    return unit({"Unit": start, "Service": service, "Install": [("WantedBy", "multi-user.target")]})


def identity(in_memory: bool) -> str:
    """mesh-identity.service: one look whether the certificate is to be renewed.

    Root, because the proxy must not be able to change its own identity; of root's rights it has
    those by which it gives files to the proxy's user.
    """
    program = "ansible_collections.brownfield.mesh.plugins.module_utils.bridge.renew"
    start: Section = [
        ("Description", "Renew the certificate of this machine's bridge (brownfield.mesh)"),
        ("Wants", "network-online.target"),
        ("After", "network-online.target"),
        ("StartLimitIntervalSec", "0"),
    ]
    service: Section = [
        ("Type", "oneshot"),
        ("Environment", "PYTHONPATH=%s PYTHONDONTWRITEBYTECODE=1" % LIBRARY),
        ("ExecStart", "/usr/bin/env python3 -m " + program),
        ("TimeoutStartSec", "90s"),
        ("SuccessExitStatus", "SIGTERM"),  # stopped half way: the next look takes it up
        ("UMask", "0077"),
        ("ReadWritePaths", " ".join([STATE, *([MEMORY] if in_memory else [])])),
        ("CapabilityBoundingSet", "CAP_CHOWN CAP_DAC_OVERRIDE CAP_FOWNER"),
        ("ProtectKernelModules", "yes"),
        ("ProtectKernelTunables", "yes"),
        ("ProtectProc", "invisible"),
        ("ProcSubset", "pid"),
        ("RestrictAddressFamilies", "AF_INET AF_INET6 AF_UNIX AF_NETLINK"),
        ("SystemCallFilter", "@system-service"),
        ("SystemCallFilter", "~@privileged @resources"),
        ("SystemCallFilter", "@chown"),
        ("SystemCallErrorNumber", "EPERM"),
        *COMMON,
    ]
    return unit({"Unit": start, "Service": service, "Install": [("WantedBy", "multi-user.target")]})


def identity_timer(seconds: int) -> str:
    """mesh-identity.timer: look every so many ``seconds``, not all machines at once."""
    start: Section = [("Description", "Renew this machine's certificate in time (brownfield.mesh)")]
    when: Section = [
        ("OnActiveSec", "%ds" % seconds),
        ("OnUnitInactiveSec", "%ds" % seconds),
        ("RandomizedDelaySec", "%dms" % (seconds * 250)),
        ("AccuracySec", "1s"),
        ("Unit", IDENTITY_UNIT),
    ]
    return unit({"Unit": start, "Timer": when, "Install": [("WantedBy", "timers.target")]})
