# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Capture: whether the rules that send traffic through the proxy are on, and switching them.

The rules themselves are Istio's (``pilot-agent istio-iptables``), run by ``mesh-capture.service``.
"""

from __future__ import annotations

from collections.abc import Sequence

from ansible_collections.brownfield.mesh.plugins.module_utils.desired import (
    Change,
    File,
    Host,
    Link,
    MachineError,
    compare_file,
    compare_link,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.sidecar import resolver
from ansible_collections.brownfield.mesh.plugins.module_utils.sidecar.state import (
    CAPTURE_APPLIED,
    CAPTURE_ENABLED,
    CAPTURE_ENV,
    CAPTURE_UNIT,
    UNITS,
    SidecarState,
)

GUARD = "mesh-guard"
GUARD_SECONDS = 60
LOOSE = "/proc/sys/net/netfilter/nf_conntrack_tcp_loose"
LOOSE_BEFORE = "/run/mesh-conntrack-before"
_ENABLED = Link(CAPTURE_ENABLED, "%s/%s" % (UNITS, CAPTURE_UNIT))

# How each kind of rules is read, by IP version, and what in it is Istio's. Native nftables has one
# table for both.
NFTABLES = "nftables"
LEGACY = "iptables-legacy"
_MARKS = {"iptables-nft": "-A ISTIO_OUTPUT", LEGACY: "-A ISTIO_OUTPUT", NFTABLES: "istio-proxy"}
_READERS = {
    4: {
        "iptables-nft": ["iptables-nft-save", "-t", "nat"],
        LEGACY: ["iptables-legacy-save", "-t", "nat"],
        NFTABLES: ["nft", "list", "tables"],
    },
    6: {
        "iptables-nft": ["ip6tables-nft-save", "-t", "nat"],
        LEGACY: ["ip6tables-legacy-save", "-t", "nat"],
        NFTABLES: ["nft", "list", "tables"],
    },
}
_LEGACY_TABLES = {4: "/proc/net/ip_tables_names", 6: "/proc/net/ip6_tables_names"}


def rules(host: Host) -> str:
    """Which kind of capture rules is loaded: iptables-nft, iptables-legacy, nftables or ''.

    They count only when they are there for IPv6, too, where the machine has that.
    """
    kind = _loaded(host, 4)
    return kind if not has_ipv6(host) or _loaded(host, 6) == kind else ""


def has_ipv6(host: Host) -> bool:
    """Whether any interface of the machine has an IPv6 address, ``::1`` among them."""
    return bool(host.read("/proc/net/if_inet6"))


def _loaded(host: Host, version: int) -> str:
    # Asking the legacy tool makes the tables it asks for, after which Istio's tool would take them
    # for the ones in use.
    legacy_tables = (host.read(_LEGACY_TABLES[version]) or "").split()
    for kind, argv in _READERS[version].items():
        if (kind != LEGACY or "nat" in legacy_tables) and _MARKS[kind] in host.run(
            argv, check=False
        ):
            return kind
    return ""


def environment(host: Host, state: SidecarState) -> File:
    """capture.env with the method decided. Raises MachineError when the tool is missing."""
    version = host.run(["iptables", "--version"], check=False)
    has_iptables = bool(version)
    has_nft = host.succeeds(["nft", "--version"])
    method = state.capture_method
    if method == "auto":
        method = "iptables" if has_iptables else "nftables"
    if not (has_iptables if method == "iptables" else has_nft):
        raise MachineError(
            "capture by %s needs the package %s on the machine; install it, or set"
            " mesh.capture.method" % (method, "iptables" if method == "iptables" else "nftables")
        )
    content = state.capture_env
    if method == "nftables":
        content += 'NATIVE_NFTABLES="true"\n'
    # The machine's own kind, so that the rules are later found where they were put.
    kind = "nft" if "nf_tables" in version else "legacy"
    if method == "iptables" and host.succeeds(["iptables-" + kind, "--version"]):
        content += 'FORCE_IPTABLES_BINARY="%s"\n' % kind
    if state.dns == "names" and resolver.is_resolved(host):
        # Its own questions go to servers that stand in no resolv.conf.
        content += 'CAPTURE_ALL_DNS="true"\n'
    return File(CAPTURE_ENV, content, 0o644)


def is_on(host: Host, wanted: File) -> bool:
    """Whether capture is confirmed, with these settings, and its rules are loaded."""
    return (
        host.read(CAPTURE_APPLIED) == wanted.content
        and not compare_link(host, _ENABLED)
        and bool(rules(host))
    )


def settings(host: Host, wanted: File) -> list[Change]:
    """Bring capture.env in place; ``switch_on`` makes the change."""
    return compare_file(host, wanted)


def switch_on(host: Host, changed: Sequence[Change]) -> None:
    """Capture, guarded: unless ``confirm`` comes, it goes off again by itself, over reboots too.

    Rules that are on go off with the settings they were made with, before these change.
    """
    _disarm(host)
    host.remove(CAPTURE_ENABLED)
    _keep_connections(host)
    host.run(
        [
            "systemd-run",
            "--quiet",
            "--collect",
            "--unit=" + GUARD,
            "--on-active=%d" % GUARD_SECONDS,
            "--timer-property=AccuracySec=1s",
            "systemctl",
            "stop",
            CAPTURE_UNIT,
        ]
    )
    host.run(["systemctl", "stop", CAPTURE_UNIT])
    for change in changed:
        change.act()
    host.run(["systemctl", "start", CAPTURE_UNIT])


def confirm(host: Host) -> None:
    """A fresh connection works with capture on: keep it, over reboots too. Raises MachineError."""
    _disarm(host)
    if not rules(host):
        raise MachineError(
            "the fresh connection took longer than %d s, so the guard took capture off; see why a"
            " new SSH connection is slow with capture on, and run again" % GUARD_SECONDS
        )
    for change in compare_link(host, _ENABLED):
        change.act()


def switch_off(host: Host) -> None:
    """Take the rules away and keep them away."""
    _disarm(host)
    host.run(["systemctl", "stop", CAPTURE_UNIT], check=False)
    host.remove(CAPTURE_ENABLED)
    before = host.read(LOOSE_BEFORE)
    if before is not None:
        _write_loose(host, before)
        host.remove(LOOSE_BEFORE)


def traces(host: Host) -> list[str]:
    """What of capture is still on this machine, in words."""
    found = {
        "rules": any(_loaded(host, version) for version in _READERS),
        "guard": guarded(host),
        "tcp_loose": host.read(LOOSE_BEFORE) is not None,
    }
    return [name for name, there in found.items() if there]


def guarded(host: Host) -> bool:
    """Whether the guard's timer is armed."""
    return host.succeeds(["systemctl", "is-active", "--quiet", GUARD + ".timer"])


def _keep_connections(host: Host) -> None:
    """Let connections that are older than the rules go on as they are, SSH first of all.

    Where nothing tracked connections before, Linux takes their next packet for the first of a new
    one and redirects it, unless tcp_loose is 0 (kernel: nf_conntrack-sysctl).
    """
    host.run(["modprobe", "--quiet", "nf_conntrack"], check=False)
    before = host.read(LOOSE)
    if before and before.strip() != "0" and _write_loose(host, "0\n"):
        host.write(File(LOOSE_BEFORE, before, 0o644))


def _write_loose(host: Host, value: str) -> bool:
    try:
        with open(host.path(LOOSE), "w", encoding="ascii") as file:
            file.write(value)
    except OSError:  # a container, where the host decides
        return False
    return True


def _disarm(host: Host) -> None:
    host.run(["systemctl", "stop", GUARD + ".timer"], check=False)
