# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""What must hold between the fields of a host whose mode is ``bridge``."""

from __future__ import annotations

from typing import Callable

from ansible_collections.brownfield.mesh.plugins.module_utils.entries import Entry
from ansible_collections.brownfield.mesh.plugins.module_utils.field_types import Report
from ansible_collections.brownfield.mesh.plugins.module_utils.problems import shown
from ansible_collections.brownfield.mesh.plugins.module_utils.spec import (
    Bridge,
    Call,
    Identity,
    Proxy,
    Vault,
)


def check_bridge(entry: Entry, exists: Callable[[str, str], bool], report: Report) -> None:
    """Report what a bridge cannot do, or lacks."""
    _check_identity(entry, exists, report)
    proxy: Proxy | None = entry.merged("proxy")
    if proxy is not None and proxy.package != "binaries":
        report(
            "%s.proxy.package" % ("mesh_machine" if "proxy" in entry.machine else "mesh"),
            "is %s, which brings Istio's agent, but the mode bridge needs Envoy alone"
            % proxy.package,
            "write mesh_machine.proxy: {package: binaries, artifacts: [...]} with envoy",
        )
    if entry.workload.get("when_proxy_is_down") == "bypass":
        report(
            "mesh_workload.when_proxy_is_down",
            "is bypass, but a bridge captures nothing that could pass it by",
            "remove it, or choose the mode sidecar",
        )
    _check_calls(entry, report)
    bridge: Bridge | None = entry.mesh.get("bridge")
    _check_revocation(entry, bridge, exists, report)
    for index, port in enumerate(entry.workload.get("ports", ())):
        if bridge is not None and port.port == bridge.port:
            report(
                "mesh_workload.ports[%d].port" % index,
                "%d is the bridge's own (mesh.bridge.port)" % port.port,
                "serve another port, or set mesh.bridge.port to a free one",
            )
    if bridge is not None and entry.ssh_port == bridge.port:
        report(
            "mesh.bridge.port",
            "%d is the machine's SSH port" % bridge.port,
            "set it to a free one",
        )


def _check_identity(entry: Entry, exists: Callable[[str, str], bool], report: Report) -> None:
    identity: Identity | None = entry.merged("identity")
    if identity is None:
        return
    overrides = entry.machine.get("identity", {})
    if identity.provider == "vault":
        place = "%s.identity.vault" % ("mesh_machine" if "vault" in overrides else "mesh")
        _check_vault(identity.vault, place, exists, report)
        return
    if identity.provider == "cert_manager":
        if identity.cert_manager is None:
            report(
                "%s.identity.cert_manager"
                % ("mesh_machine" if "provider" in overrides else "mesh"),
                "is missing, but the mode bridge needs it (provider cert_manager)",
                "write the name of the issuer",
            )
        return
    for name in ("certificate", "key"):
        path = getattr(identity, name)
        where = "%s.identity.%s" % ("mesh_machine" if name in overrides else "mesh", name)
        whose = "the machine" if identity.provider == "files" else "the authority"
        if not path:
            where = where if identity.provider == "local_ca" else "mesh_machine.identity." + name
            report(
                where,
                "is missing, but the mode bridge needs it (provider %s)" % identity.provider,
                "write the path of the %s of %s on the controller" % (name, whose),
            )
        elif not exists("identity", path):
            report(
                where,
                "names a file that does not exist: %s" % shown(path),
                "write the path of the %s of %s on the controller" % (name, whose),
            )


def _check_revocation(
    entry: Entry, bridge: Bridge | None, exists: Callable[[str, str], bool], report: Report
) -> None:
    if bridge is None or bridge.revocation is None:
        return
    if bridge.gateway and not bridge.gateway.credential_name:
        report(
            "mesh.bridge.gateway.credential_name",
            "is empty, but with istiod's certificate the gateway looks at no revocation lists",
            "name a Secret with a certificate for the gateway, or remove mesh.bridge.revocation",
        )
    elif bridge.gateway and not bridge.revocation.lists:
        report(
            "mesh.bridge.revocation.lists",
            "is empty, but the gateway does not fetch lists by itself",
            "write paths of revocation lists on the controller, or remove mesh.bridge.revocation",
        )
    for index, path in enumerate(bridge.revocation.lists):
        if not exists("identity", path):
            report(
                "mesh.bridge.revocation.lists[%d]" % index,
                "names a file that does not exist: %s" % shown(path),
                "write the path of a revocation list on the controller",
            )
    identity: Identity | None = entry.merged("identity")
    has_lists = bridge.gateway or bridge.revocation.lists
    if identity is not None and identity.provider != "vault" and not has_lists:
        report(
            "mesh.bridge.revocation.lists",
            "is empty, but the provider %s has no list that machines could fetch"
            % identity.provider,
            "write paths of revocation lists on the controller, or remove mesh.bridge.revocation",
        )


def _check_vault(
    vault: Vault | None, place: str, exists: Callable[[str, str], bool], report: Report
) -> None:
    if vault is None:
        report(
            place,
            "is missing, but the mode bridge needs it (provider vault)",
            "write address, ca, pki_role and role",
        )
        return
    if not exists("identity", vault.ca):
        report(
            place + ".ca",
            "names a file that does not exist: %s" % shown(vault.ca),
            "write the path of the authority of Vault's certificate on the controller",
        )
    if vault.login == "jwt" and not vault.jwt_path:
        report(
            place + ".jwt_path",
            "is missing, but the log-in jwt needs it",
            "write the path of the file on the machine with its token",
        )


def _check_calls(entry: Entry, report: Report) -> None:
    for index, call in enumerate(entry.workload.get("calls", ())):
        if call.host and not call.is_mesh_service:
            report(
                "mesh_workload.calls[%d].host" % index,
                "%s is no Service's name, by which a bridge could tell whom it calls"
                % shown(call.host),
                "write NAME.NAMESPACE.svc.cluster.local, or list it as external",
            )


def bad_callee(entry: Entry, call: Call, protocol: str) -> tuple[str, str]:
    """What is wrong with a bridge's call of what the inventory does not have, and the remedy; empty
    texts when nothing is. ``protocol`` is what another bridge speaks to it."""
    bridge: Bridge | None = entry.mesh.get("bridge")
    if bridge and bridge.gateway and call.protocol != protocol:
        return (
            "speaks %s to %s, and another workload %s, but the gateway that ends their TLS can"
            " speak one only" % (call.protocol or "tcp", call.host, protocol or "tcp"),
            "write the protocol of port %d in both" % call.port,
        )
    if not call.is_mesh_service or call.service_account or (bridge and bridge.gateway):
        return "", ""
    return (
        "does not say whose identity %s has, and the inventory does not have it" % call.host,
        "add service_account: the one that %s runs as" % call.host,
    )
