# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Which rules are loaded, by which tool, and the guard."""

from __future__ import annotations

import shlex
from collections.abc import Callable

import pytest
from ansible_collections.brownfield.mesh.plugins.module_utils.desired import MachineError
from ansible_collections.brownfield.mesh.plugins.module_utils.sidecar import capture
from ansible_collections.brownfield.mesh.plugins.module_utils.sidecar.state import (
    CAPTURE_ENABLED,
    CAPTURE_UNIT,
    SidecarState,
)

from tests.support.machine import Machine

Render = Callable[..., SidecarState]
NFT = (0, "iptables v1.8.9 (nf_tables)\n")
LEGACY = (0, "iptables v1.8.9 (legacy)\n")
NONE = (127, "")


def settings(text: str) -> dict[str, str]:
    return dict(entry.split("=", 1) for entry in shlex.split(text))


@pytest.mark.parametrize(
    ("iptables", "nft", "wanted", "method"),
    [
        (NFT, (0, "nftables"), "auto", {"FORCE_IPTABLES_BINARY": "nft"}),
        (LEGACY, (0, "nftables"), "auto", {"FORCE_IPTABLES_BINARY": "legacy"}),
        (NONE, (0, "nftables"), "auto", {"NATIVE_NFTABLES": "true"}),
        (NFT, (0, "nftables"), "nftables", {"NATIVE_NFTABLES": "true"}),
        (NFT, NONE, "iptables", {"FORCE_IPTABLES_BINARY": "nft"}),
        ((0, "iptables v1.8.4 (nf_tables)\n"), NONE, "auto", {"FORCE_IPTABLES_BINARY": "nft"}),
    ],
)
def test_the_method_is_decided_by_what_is_there(
    box: Machine,
    render: Render,
    iptables: tuple[int, str],
    nft: tuple[int, str],
    wanted: str,
    method: dict[str, str],
) -> None:
    box.outputs.update({"iptables --version": iptables, "nft --version": nft})
    found = settings(capture.environment(box.host, render(method=wanted)).content)
    assert {
        k: v for k, v in found.items() if k in ("FORCE_IPTABLES_BINARY", "NATIVE_NFTABLES")
    } == (method)


def test_a_tool_without_names_for_its_kinds_is_not_forced(box: Machine, render: Render) -> None:
    box.outputs["iptables-nft --version"] = NONE
    assert "FORCE" not in capture.environment(box.host, render()).content


@pytest.mark.parametrize(
    ("iptables", "nft", "wanted", "package"),
    [
        (NONE, (0, ""), "iptables", "iptables"),
        (NFT, NONE, "nftables", "nftables"),
        (NONE, NONE, "auto", "nftables"),
    ],
)
def test_a_missing_tool_is_named(
    box: Machine,
    render: Render,
    iptables: tuple[int, str],
    nft: tuple[int, str],
    wanted: str,
    package: str,
) -> None:
    box.outputs.update({"iptables --version": iptables, "nft --version": nft})
    with pytest.raises(MachineError, match="needs the package %s on the machine" % package):
        capture.environment(box.host, render(method=wanted))


def test_all_questions_are_captured_where_the_resolver_asks_others(
    box: Machine, render: Render
) -> None:
    assert "CAPTURE_ALL_DNS" not in capture.environment(box.host, render()).content
    box.path("/etc/resolv.conf").symlink_to("../run/systemd/resolve/stub-resolv.conf")
    assert 'CAPTURE_ALL_DNS="true"' in capture.environment(box.host, render()).content
    assert "CAPTURE_ALL_DNS" not in capture.environment(box.host, render(dns="off")).content


def test_the_legacy_tool_is_asked_only_where_its_tables_are(box: Machine) -> None:
    box.outputs["iptables-legacy-save -t nat"] = (0, "-A ISTIO_OUTPUT -j RETURN\n")
    assert capture.rules(box.host) == ""
    assert box.ran("iptables-legacy-save") == []
    (box.root / "proc/net/ip_tables_names").write_text("nat\nfilter\n")
    assert capture.rules(box.host) == "iptables-legacy"


@pytest.mark.parametrize(
    ("loaded", "kind"), [("iptables", "iptables-nft"), ("nft", "nftables"), ("", "")]
)
def test_which_rules_are_loaded(box: Machine, loaded: str, kind: str) -> None:
    box._save({**box.now, "rules": loaded})
    assert capture.rules(box.host) == kind


IPV6 = "fe80000000000000000000000000000a 02 40 20 80 eth0\n"
FLUSHED = (0, "*nat\nCOMMIT\n")


@pytest.mark.parametrize(
    ("loaded", "save"),
    [("iptables-nft", "ip6tables-nft-save -t nat"), ("nftables", "nft list tables")],
)
def test_rules_count_only_with_those_of_ipv6(box: Machine, loaded: str, save: str) -> None:
    box._save({**box.now, "rules": "nft" if loaded == "nftables" else "iptables"})
    (box.root / "proc/net/if_inet6").write_text(IPV6)
    assert capture.rules(box.host) == loaded
    box.outputs[save] = FLUSHED
    assert capture.rules(box.host) == ""
    (box.root / "proc/net/if_inet6").write_text("")
    assert capture.rules(box.host) == ("iptables-nft" if loaded == "iptables-nft" else "")


def test_rules_of_one_ip_version_are_a_trace(box: Machine) -> None:
    assert capture.traces(box.host) == []
    box._save({**box.now, "rules": "iptables"})
    for save in ("iptables-nft-save -t nat", "ip6tables-nft-save -t nat"):
        box.outputs = {save: FLUSHED}
        assert capture.traces(box.host) == ["rules"]


def test_a_guard_that_was_armed_is_armed_anew(
    box: Machine, state: SidecarState, pushed: dict[str, str]
) -> None:
    box.path("/etc/mesh-proxy").mkdir()
    box.path("/etc/systemd/system/" + CAPTURE_UNIT).write_text("")
    wanted = capture.environment(box.host, state)
    capture.switch_on(box.host, capture.settings(box.host, wanted))
    capture.switch_on(box.host, [])
    assert box.now["guard"]
    assert len(box.ran("systemctl stop mesh-guard.timer")) == 2
    arms = [command for command in box.commands if "--on-active=60" in command]
    assert len(arms) == 2
    assert all(command.endswith(" systemctl stop " + CAPTURE_UNIT) for command in arms)
    assert not capture.is_on(box.host, wanted)
    capture.confirm(box.host)
    assert capture.is_on(box.host, wanted)
    assert box.path(CAPTURE_ENABLED).is_symlink()
    assert not capture.guarded(box.host)


def test_rules_that_somebody_flushed_are_missed(
    box: Machine, state: SidecarState, pushed: dict[str, str]
) -> None:
    test_a_guard_that_was_armed_is_armed_anew(box, state, pushed)
    wanted = capture.environment(box.host, state)
    box._save({**box.now, "rules": ""})
    assert not capture.is_on(box.host, wanted)
