# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""What must hold between the external services of ``mesh.egress`` and the workloads' calls."""

from __future__ import annotations

from ansible_collections.brownfield.mesh.plugins.module_utils.egress import (
    Egress,
    ExternalService,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.entries import Entry
from ansible_collections.brownfield.mesh.plugins.module_utils.field_types import Report


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
    for index, call in enumerate(entry.workload.get("calls", ())):
        if call.external:
            at = "mesh_workload.calls[%d]" % index
            _check_call(entry, egress, egress.find(call.external, call.port), at, report)
        elif any(call.host == service.host for service in egress.services):
            report(
                "mesh_workload.calls[%d].host" % index,
                "%s is an external service (mesh.egress.services)" % call.host,
                "write external: %s" % call.host,
            )


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
        why = "goes through the egress gateway, which a bridge cannot do"
        report(at, entry.because(why), "choose the mode sidecar, or declare it with via: direct")
    capture = entry.merged("capture")
    if capture and service.port in capture.exclude_outbound_ports:
        report(
            at + ".port",
            "%d is in capture.exclude_outbound_ports, so the call would go around the gateway"
            % service.port,
            "remove it from one of them",
        )
