# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""What lies outside of the mesh, and by which way it is reached: a part of the specification."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class EgressGateway:
    """The user's egress gateway: its Service, the Service's port, and the labels of its proxies.

    Bridges reach it at ``address`` (empty: the Service's), and believe it by the SPIFFE ID of its
    proxies' ``service_account`` (empty: named as the Service).
    """

    service: str = "istio-egressgateway"
    namespace: str = "istio-egress"
    address: str = ""
    port: int = 8443
    labels: Mapping[str, str] = dataclasses.field(
        default_factory=lambda: {"istio": "egressgateway"}
    )
    service_account: str = ""

    @property
    def host(self) -> str:
        """The gateway's name in the mesh."""
        return "%s.%s.svc.cluster.local" % (self.service, self.namespace)

    def spiffe_id(self, trust_domain: str) -> str:
        """The identity of its proxies."""
        account = self.service_account or self.service
        return "spiffe://%s/ns/%s/sa/%s" % (trust_domain, self.namespace, account)


@dataclass(frozen=True)
class Origination:
    """The TLS that the gateway adds. ``credential_name`` names a Secret in its namespace, which is
    the user's: the server's authority (simple), and the client's certificate and key (mutual)."""

    mode: str = "none"  # none | simple | mutual
    credential_name: str = ""
    sni: str = ""  # empty: the service's host


@dataclass(frozen=True)
class ExternalService:
    """A host outside of the mesh, as workloads call it.

    ``protocol`` is what they speak. The service itself is reached at ``target_port`` (0: the same)
    of ``addresses`` (none: what its name resolves to).
    """

    host: str
    port: int
    protocol: str = "http"  # http | tls | tcp
    via: str = "gateway"  # gateway | direct
    addresses: tuple[str, ...] = ()
    target_port: int = 0
    tls: Origination = Origination()

    @property
    def outer_port(self) -> int:
        """The port at which the service itself is reached."""
        return self.target_port or self.port


@dataclass(frozen=True)
class Egress:
    """The external services, and what becomes of calls to anything else: ``allow`` leaves that to
    the mesh, ``refuse`` sees to it that they fail."""

    undeclared: str = "allow"  # allow | refuse
    gateway: EgressGateway = EgressGateway()
    services: tuple[ExternalService, ...] = ()

    @property
    def configured(self) -> bool:
        """Whether there is anything to do."""
        return bool(self.services) or self.undeclared == "refuse"

    def find(self, host: str, port: int) -> ExternalService | None:
        """The service at ``host`` and ``port``, if it is declared."""
        for service in self.services:
            if (service.host, service.port) == (host, port):
                return service
        return None

    def through_gateway(self, host: str, port: int) -> ExternalService | None:
        """The service at ``host`` and ``port``, if it is declared and goes through the gateway."""
        service = self.find(host, port)
        return service if service is not None and service.via == "gateway" else None
