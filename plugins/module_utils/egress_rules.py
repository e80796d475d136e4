# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""What must hold between the external services of ``mesh.egress`` and the workloads' calls."""

from __future__ import annotations

from collections.abc import Sequence

from ansible_collections.brownfield.mesh.plugins.module_utils.egress import (
    Egress,
    ExternalService,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.entries import Entry
from ansible_collections.brownfield.mesh.plugins.module_utils.field_types import Report
from ansible_collections.brownfield.mesh.plugins.module_utils.forms import IPV4
from ansible_collections.brownfield.mesh.plugins.module_utils.spec import Call


def check_egress(entry: Entry, report: Report) -> None:
    """Report services that contradict themselves, and calls of what is not declared."""
    egress: Egress | None = entry.mesh.get("egress")
    if egress is None:
        return
    by_gateway: set[str] = set()
    for index, service in enumerate(egress.services):
        at = "mesh.egress.services[%d]" % index
        _check_service(service, at, report)
        if service.via == "gateway" and service.host in by_gateway:
            report(
                at + ".host",
                "%s goes through the gateway at another port already, and the gateway tells"
                " services by their names" % service.host,
                "declare one port of it, or send the others directly (via: direct)",
            )
        if service.via == "gateway":
            by_gateway.add(service.host)
    calls: Sequence[Call] = entry.workload.get("calls", ())
    if entry.workload.get("mode") == "bridge":
        _check_names(entry, egress, calls, report)
    for index, call in enumerate(calls):
        if call.external:
            at = "mesh_workload.calls[%d]" % index
            _check_call(entry, egress, egress.find(call.external, call.port), at, report)
        elif any(call.host == service.host for service in egress.services):
            report(
                "mesh_workload.calls[%d].host" % index,
                "%s is an external service (mesh.egress.services)" % call.host,
                "write external: %s" % call.host,
            )


def _check_names(entry: Entry, egress: Egress, calls: Sequence[Call], report: Report) -> None:
    """On a bridge's machine a name leads to the bridge, which has only those ports of it that go
    through the gateway."""
    bridged = {c.external: c.port for c in calls if egress.through_gateway(c.external, c.port)}
    for index, call in enumerate(calls):
        if call.external in bridged and not egress.through_gateway(call.external, call.port):
            why = "goes past the egress gateway, but with port %d %s leads to the bridge alone" % (
                bridged[call.external],
                call.external,
            )
            fix = "send all of its ports directly (via: direct), or choose the mode sidecar"
            report("mesh_workload.calls[%d]" % index, entry.because(why), fix)


def _check_service(service: ExternalService, at: str, report: Report) -> None:
    if service.host.endswith((".svc", ".cluster.local")):
        report(at + ".host", "is a name of the mesh", "list it as host in calls only")
    if service.tls.mode == "none":
        if service.tls.credential_name or service.tls.sni:
            report(at + ".tls.mode", "is none, beside settings of TLS", "write simple or mutual")
        return
    if service.via == "direct":
        why = "is %s, but only the gateway adds TLS" % service.tls.mode
        report(at + ".tls.mode", why, "write via: gateway, or remove tls")
    if service.protocol == "tls":
        why = "is %s, but workloads speak TLS already (protocol tls)" % service.tls.mode
        report(at + ".tls.mode", why, "write protocol: http or tcp, or remove tls")
    if service.tls.mode == "mutual" and not service.tls.credential_name:
        report(
            at + ".tls.credential_name",
            "is missing, but mutual TLS needs a certificate",
            "name the Secret in the gateway's namespace that has it",
        )


def _check_call(
    entry: Entry, egress: Egress, service: ExternalService | None, at: str, report: Report
) -> None:
    if service is None:
        if egress.undeclared == "refuse":
            report(
                at,
                "is no service of mesh.egress.services, and all else is refused",
                "declare its host and port there, or remove the call",
            )
        return
    if service.via == "direct":
        return
    if entry.workload.get("mode") == "bridge":
        if IPV4.fits(service.host):
            why = "is an address, and only names can lead to a bridge, which captures nothing"
            fix = "declare and call it by a name, with addresses: [%s]" % service.host
            report(at + ".external", entry.because(why), fix)
        return
    capture = entry.merged("capture")
    if capture and service.port in capture.exclude_outbound_ports:
        report(
            at + ".port",
            "%d is in capture.exclude_outbound_ports, so the call would go around the gateway"
            % service.port,
            "remove it from one of them",
        )
