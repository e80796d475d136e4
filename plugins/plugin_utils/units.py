# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""systemd units of our own, as data rendered to unit files, with their sandboxes."""

from __future__ import annotations

from collections.abc import Mapping

from ansible_collections.brownfield.mesh.plugins.module_utils.sidecar.state import (
    CAPTURE_APPLIED,
    CAPTURE_ENV,
    CONFIG,
    PROXY_UNIT,
    STATE,
    USER,
    WRITABLE,
)

Section = list[tuple[str, str]]

# What both units can do without (systemd.exec(5); judged by `systemd-analyze security`).
COMMON: Section = [
    ("NoNewPrivileges", "yes"),
    ("ProtectSystem", "strict"),
    ("ProtectHome", "yes"),
    ("PrivateTmp", "yes"),
    ("PrivateDevices", "yes"),
    ("ProtectClock", "yes"),
    ("ProtectControlGroups", "yes"),
    ("ProtectHostname", "yes"),
    ("ProtectKernelLogs", "yes"),
    ("RestrictNamespaces", "yes"),
    ("RestrictRealtime", "yes"),
    ("RestrictSUIDSGID", "yes"),
    ("LockPersonality", "yes"),
    ("MemoryDenyWriteExecute", "yes"),
    ("SystemCallArchitectures", "native"),
]
# To systemd, two dollars are one (systemd.service(5)).
PIPED = ("/bin/bash", "-c", """'exec "$$@" &> >(exec cat)'""", "mesh-proxy")


def unit(sections: Mapping[str, Section]) -> str:
    """The unit file. Values are ours or validated; ``%`` has no place in them."""
    blocks = []
    for name, entries in sections.items():
        blocks.append("[%s]\n" % name + "".join("%s=%s\n" % entry for entry in entries))
    return "\n".join(blocks)


def proxy(places: Mapping[str, str], domain: str, digest: str) -> str:
    """mesh-proxy.service: pilot-agent and Envoy, unprivileged, quickly back.

    A mesh that asks for an access log names /dev/stdout, which Envoy opens: it can open a pipe, and
    not journald's socket, without which it takes no listener at all. So what they say goes through
    a pipe. The shell that makes it becomes the agent.
    """
    command = [
        places["agent"], "proxy", "sidecar", "--domain", domain,
        "--meshConfig", CONFIG + "/mesh.yaml", "--templateFile", places["template"],
        "--proxyLogLevel", "warning",
    ]  # fmt: skip
    start: Section = [
        ("Description", "Istio agent and Envoy of this machine (brownfield.mesh)"),
        ("Wants", "network-online.target"),
        ("After", "network-online.target"),
        ("StartLimitIntervalSec", "0"),
    ]
    service: Section = [
        ("User", USER),
        ("Group", USER),
        ("WorkingDirectory", STATE),
        ("ReadWritePaths", " ".join(WRITABLE)),
        ("RuntimeDirectory", "mesh-proxy"),
        ("RuntimeDirectoryMode", "0700"),
        ("UMask", "0077"),
        ("EnvironmentFile", CONFIG + "/cluster.env"),
        ("Environment", "MESH_PROXY_DIGEST=" + digest),
        ("ExecStart", " ".join([*PIPED, *command])),
        ("SyslogIdentifier", "pilot-agent"),
        ("Restart", "always"),
        ("RestartSec", "100ms"),
        ("KillMode", "mixed"),
        ("TimeoutStopSec", "30s"),
        ("LimitNOFILE", "65536"),
        ("CapabilityBoundingSet", ""),
        ("AmbientCapabilities", ""),
        ("PrivateUsers", "yes"),
        ("ProtectKernelModules", "yes"),
        ("ProtectKernelTunables", "yes"),
        ("ProtectProc", "invisible"),
        ("RestrictAddressFamilies", "AF_INET AF_INET6 AF_UNIX AF_NETLINK"),
        ("RemoveIPC", "yes"),
        # Without an error number Envoy dies of the first call outside the list.
        ("SystemCallFilter", "@system-service"),
        ("SystemCallFilter", "~@privileged @resources"),
        ("SystemCallErrorNumber", "EPERM"),
        *COMMON,
    ]
    return unit({"Unit": start, "Service": service, "Install": [("WantedBy", "multi-user.target")]})


# Of the ranges for documentation (RFC 5737, RFC 3849), so that nobody has them.
LENT_ADDRESSES = ("192.0.2.1/32", "2001:db8::1/128")
# Istio's tool adds it for the proxy's own connections and leaves it (istio:tools/istio-iptables).
ISTIOS_ADDRESS = "::6/128"


def capture(agent: str, bypass: bool) -> str:
    """mesh-capture.service: the rules go on at start and off at stop, and stay in between.

    They do not depend on the proxy, so a proxy that is down fails traffic closed. At boot they are
    there before the network, as a firewall's, and a shutdown leaves them to the end, so nothing is
    sent around the proxy. With ``bypass`` they come and go with it.

    Istio's tool goes by the addresses it sees: none, as at boot, is an error, and without one of
    IPv6 it makes no rules for that. While it runs it is lent one of each.
    """
    start: Section = [
        ("Description", "Send this machine's traffic through its proxy (brownfield.mesh)"),
        ("StartLimitIntervalSec", "0"),
    ]
    if bypass:
        start += [("BindsTo", PROXY_UNIT), ("After", PROXY_UNIT)]
    else:
        start += [
            ("DefaultDependencies", "no"),
            ("After", "local-fs.target systemd-sysctl.service"),
            ("Wants", "network-pre.target"),
            ("Before", "network-pre.target"),
        ]
    start += [("After", "nftables.service firewalld.service ufw.service")]
    service: Section = [
        ("Type", "oneshot"),
        ("RemainAfterExit", "yes"),
        # At boot the list of name servers may come late.
        ("Restart", "on-failure"),
        ("RestartSec", "1s"),
        ("RuntimeDirectory", "mesh-capture"),
        ("EnvironmentFile", CAPTURE_ENV),
        *(("ExecStartPre", "-ip address add %s dev lo" % it) for it in LENT_ADDRESSES),
        ("ExecStartPre", agent + " istio-iptables --cleanup-only"),
        ("ExecStart", agent + " istio-iptables"),
        # The machine's own record of the settings that are in force.
        ("ExecStartPost", "cp %s %s" % (CAPTURE_ENV, CAPTURE_APPLIED)),
        *(("ExecStartPost", "-ip address del %s dev lo" % it) for it in LENT_ADDRESSES),
        ("ExecStop", agent + " istio-iptables --cleanup-only"),
        *(
            ("ExecStopPost", "-ip address del %s dev lo" % it)
            for it in (*LENT_ADDRESSES, ISTIOS_ADDRESS)
        ),
        ("CapabilityBoundingSet", "CAP_NET_ADMIN CAP_NET_RAW"),
        ("ReadWritePaths", "/run"),
        ("RestrictAddressFamilies", "AF_INET AF_INET6 AF_UNIX AF_NETLINK"),
        ("SystemCallFilter", "@system-service"),
        ("SystemCallErrorNumber", "EPERM"),
        *COMMON,
    ]
    return unit({"Unit": start, "Service": service, "Install": [("WantedBy", PROXY_UNIT)]})
