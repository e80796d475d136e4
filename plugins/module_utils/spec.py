# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""The typed specification: what a user's inventory says, after validation.

Everything downstream (cluster objects, machine state, reachability cases) is derived from these
frozen values and from nothing else. ``validate.parse`` is the only place that makes them from
inventory variables; ``to_data`` and ``from_data`` carry them through Ansible as plain JSON data.
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Optional, TypeVar

from ansible_collections.brownfield.mesh.plugins.module_utils.egress import Egress

T = TypeVar("T")

UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600}

# Ports that Istio's agent and Envoy occupy on a machine (istio.io, "Ports used by Istio").
RESERVED_PORTS = (15000, 15001, 15004, 15006, 15008, 15020, 15021, 15053, 15090)

MODES = ("auto", "sidecar", "bridge")
HTTP_PROTOCOLS = ("http", "http2", "grpc")


@dataclass(frozen=True)
class Cluster:
    """How the controller reaches the Kubernetes API. Empty strings mean the client's defaults."""

    kubeconfig: str = ""
    context: str = ""


@dataclass(frozen=True)
class Gateway:
    """The Service of the east-west gateway; its address is read from the cluster unless given.

    It exposes istiod to machines in mode ``sidecar``, and the mesh's workloads, at ``port``, to
    machines in mode ``bridge``.
    """

    service: str = "istio-eastwestgateway"
    namespace: str = "istio-system"
    address: str = ""
    port: int = 15443


@dataclass(frozen=True)
class Istiod:
    """Where machines find istiod.

    ``host`` is the name in istiod's certificate (empty: derived from the revision), ``address``
    what this name resolves to on the machines (empty: the gateway's address).
    """

    host: str = ""
    address: str = ""
    port: int = 15012


@dataclass(frozen=True)
class Artifact:
    """One pinned file to install: from ``url`` (fetched by the machine) or ``path`` (pushed)."""

    name: str
    sha256: str
    architecture: str = "any"
    url: str = ""
    path: str = ""


@dataclass(frozen=True)
class Proxy:
    """How pilot-agent and Envoy come to the machine.

    ``package`` is ``binaries`` (``pilot-agent``, ``envoy``, ``envoy_bootstrap_tmpl.json``),
    ``deb`` or ``rpm`` (one artifact ``istio-sidecar`` per architecture). ``https_proxy`` serves
    the machine's downloads only.
    """

    package: str = "binaries"
    artifacts: tuple[Artifact, ...] = ()
    https_proxy: str = ""


@dataclass(frozen=True)
class Capture:
    """Which traffic goes through the proxy. ``method``: auto, nftables or iptables."""

    method: str = "auto"
    exclude_inbound_ports: tuple[int, ...] = ()
    exclude_outbound_ports: tuple[int, ...] = ()
    exclude_outbound_cidrs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Vault:
    """A PKI secrets engine of Vault, and how a machine logs in to have a certificate signed there.

    ``ca`` is the path, on the controller, of the authority of Vault's own certificate (PEM).
    ``auth_mount`` is where the auth method is mounted (empty: under its own name), ``role`` the
    role's name there. ``jwt_path`` is the file on the machine with the token for ``jwt``.
    ``azure_resource`` is what the auth method ``azure`` was configured with, ``azure_client_id``
    which of the machine's managed identities logs in (empty: its only one).
    """

    address: str
    ca: str
    pki_role: str
    role: str
    pki_mount: str = "pki"
    login: str = "approle"  # approle | jwt | azure
    auth_mount: str = ""
    jwt_path: str = ""
    azure_resource: str = "https://management.azure.com/"
    azure_client_id: str = ""
    storage: str = "memory"  # memory | disk

    @property
    def mount(self) -> str:
        """Where the auth method is mounted."""
        return self.auth_mount or self.login

    @property
    def keeps_token(self) -> bool:
        """Whether the machine keeps its log-in; else each is by its platform's word."""
        return self.login == "approle"


@dataclass(frozen=True)
class CertManager:
    """The issuer of cert-manager by which machines' certificates are signed: its name, kind (an
    Issuer lies in the workload's namespace) and API group."""

    issuer: str
    kind: str = "ClusterIssuer"
    group: str = "cert-manager.io"


@dataclass(frozen=True)
class Identity:
    """How machines in mode ``bridge`` get their certificates.

    ``certificate`` and ``key`` are paths of PEM files on the controller: with the provider
    ``files`` each machine's own (the certificate with its chain), with ``local_ca`` those of the
    authority by which the controller signs. ``lifetime`` is that of signed certificates.
    """

    provider: str = "files"  # files | local_ca | vault | cert_manager
    certificate: str = ""
    key: str = ""
    lifetime: str = "24h"
    vault: Optional[Vault] = None
    cert_manager: Optional[CertManager] = None

    @property
    def lifetime_seconds(self) -> int:
        """``lifetime`` in seconds."""
        return seconds(self.lifetime)


@dataclass(frozen=True)
class Revocation:
    """How bridges learn of revoked certificates, and what they do when they no longer do.

    ``lists`` are paths of PEM files on the controller. With the provider ``vault`` a machine also
    fetches those of its PKI, each ``interval_seconds``. Whose certificates are looked for are
    ``peers``: those that the inventory has as bridges, or all, for which all authorities of the
    mesh must have lists.
    """

    lists: tuple[str, ...] = ()
    interval_seconds: int = 30
    when_stale: str = "refuse"  # refuse | ignore
    peers: str = "bridges"  # bridges | all


@dataclass(frozen=True)
class IngressGateway:
    """The user's ingress gateway that ends the mutual TLS of bridges, and judges who calls what.

    ``labels`` are those of its proxies, ``service_account`` is theirs (empty: named as the
    Service). Its certificate is that in the Secret ``credential_name`` of its namespace (empty:
    the one that istiod gives it), and has the SPIFFE ID or DNS name ``subject_alt_name`` (empty:
    its own SPIFFE ID).
    """

    service: str = "istio-ingressgateway"
    namespace: str = "istio-ingress"
    address: str = ""
    port: int = 8443
    labels: Mapping[str, str] = dataclasses.field(
        default_factory=lambda: {"istio": "ingressgateway"}
    )
    service_account: str = ""
    credential_name: str = ""
    subject_alt_name: str = ""

    @property
    def rule(self) -> AllowRule:
        """It, as a caller of workloads."""
        return AllowRule(self.namespace, self.service_account or self.service)

    def name(self, trust_domain: str) -> str:
        """What its certificate must say that it is."""
        return self.subject_alt_name or "spiffe://" + self.rule.principal(trust_domain)


@dataclass(frozen=True)
class Bridge:
    """Envoy in mode ``bridge``: the port of its inward listener, and its oldest TLS version.

    It calls through ``gateway``, or through the mesh's east-west gateway, which passes its TLS on.
    """

    port: int = 15443
    tls: str = "1.3"  # 1.3 | 1.2
    revocation: Optional[Revocation] = None  # no list is looked at
    gateway: Optional[IngressGateway] = None


@dataclass(frozen=True)
class Prometheus:
    """What watches the mesh: an identity by which machines let their figures be read."""

    namespace: str
    service_account: str

    def principal(self, trust_domain: str) -> str:
        """It, as an AuthorizationPolicy writes it."""
        return "%s/ns/%s/sa/%s" % (trust_domain, self.namespace, self.service_account)


@dataclass(frozen=True)
class Mesh:
    """One Istio installation as its machines see it.

    ``namespace`` is Istio's own. ``prometheus`` is one of the user's own in the cluster, run by
    Prometheus Operator.
    """

    cluster: Cluster = Cluster()
    trust_domain: str = "cluster.local"
    revision: str = "default"
    namespace: str = "istio-system"
    network: str = ""
    gateway: Gateway = Gateway()
    istiod: Istiod = Istiod()
    proxy: Proxy = Proxy()
    capture: Capture = Capture()
    identity: Identity = Identity()
    bridge: Bridge = Bridge()
    prometheus: Optional[Prometheus] = None
    egress: Egress = dataclasses.field(default_factory=Egress)
    dns: str = "names"  # names | off

    def bridged(self, call: Call) -> bool:
        """Whether ``call`` goes through the bridge of a machine that has one: into the mesh, or to
        the egress gateway. Others go past it."""
        service = self.egress.through_gateway(call.external, call.port)
        return bool(call.host) or service is not None


@dataclass(frozen=True)
class Port:
    """A port the workload serves. The name's prefix selects Istio's protocol (http, tcp, ...)."""

    name: str
    port: int

    @property
    def protocol(self) -> str:
        """Istio's protocol: the name up to the first dash (istio.io, "Protocol Selection")."""
        return self.name.split("-", 1)[0]

    @property
    def is_http(self) -> bool:
        """Whether Istio handles the port as HTTP, so that a refusal is a 403 and not a reset."""
        return self.protocol in HTTP_PROTOCOLS


@dataclass(frozen=True)
class HealthProbe:
    """How the agent finds out whether the application is healthy: ``tcp`` or ``http``."""

    kind: str
    port: int
    path: str = "/"
    period_seconds: int = 2
    timeout_seconds: int = 1
    failure_threshold: int = 3


@dataclass(frozen=True)
class AllowRule:
    """Who may call a workload. Empty ``ports`` means every port of the workload."""

    namespace: str
    service_account: str
    ports: tuple[int, ...] = ()

    def principal(self, trust_domain: str) -> str:
        """The caller as AuthorizationPolicy writes it (SPIFFE ID without its scheme)."""
        return "%s/ns/%s/sa/%s" % (trust_domain, self.namespace, self.service_account)


@dataclass(frozen=True)
class Call:
    """What a workload calls: a ``host`` of the mesh or an ``external`` one, and the port.

    ``service_account`` and ``protocol`` (Istio's, as in a port's name) of the callee matter to the
    mode ``bridge``; where the callee is in the inventory, they are taken from there.
    """

    port: int
    host: str = ""
    external: str = ""
    service_account: str = ""
    protocol: str = ""

    @property
    def is_mesh_service(self) -> bool:
        """Whether ``host`` is a Service's name: NAME.NAMESPACE, with or without the rest."""
        name, _, rest = self.host.partition(".")
        namespace, _, rest = rest.partition(".")
        return bool(name and namespace) and rest in ("", "svc", "svc.cluster.local")

    @property
    def fqdn(self) -> str:
        """The whole name of a Service, which may be written short; else ``host`` as it is."""
        if not self.is_mesh_service:
            return self.host
        return "%s.%s.svc.cluster.local" % tuple(self.host.split(".")[:2])

    @property
    def is_http(self) -> bool:
        """Whether the callee's port is spoken to in HTTP."""
        return self.protocol in HTTP_PROTOCOLS

    def spiffe_id(self, trust_domain: str) -> str:
        """The callee's identity."""
        namespace = self.host.split(".")[1]
        return "spiffe://%s/ns/%s/sa/%s" % (trust_domain, namespace, self.service_account)


@dataclass(frozen=True)
class Workload:
    """What joins: one or many machines run it."""

    name: str
    namespace: str
    service_account: str
    mode: str = "auto"
    ports: tuple[Port, ...] = ()
    health: Optional[HealthProbe] = None
    callers: tuple[AllowRule, ...] = ()
    calls: tuple[Call, ...] = ()
    when_proxy_is_down: str = "refuse"  # refuse | bypass
    labels: Mapping[str, str] = dataclasses.field(default_factory=dict)
    annotations: Mapping[str, str] = dataclasses.field(default_factory=dict)
    locality: str = ""
    weight: int = 0

    @property
    def key(self) -> str:
        """``NAMESPACE/NAME``, unique in a fleet."""
        return "%s/%s" % (self.namespace, self.name)

    @property
    def service_host(self) -> str:
        """The workload's name in the mesh."""
        return "%s.%s.svc.cluster.local" % (self.name, self.namespace)

    def spiffe_id(self, trust_domain: str) -> str:
        """The identity that every machine of this workload has."""
        return "spiffe://%s/ns/%s/sa/%s" % (trust_domain, self.namespace, self.service_account)

    def allows(self, caller: Workload, port: int) -> bool:
        """Whether the allow-list lets ``caller`` reach ``port`` of this workload."""
        return any(
            rule.namespace == caller.namespace
            and rule.service_account == caller.service_account
            and (not rule.ports or port in rule.ports)
            for rule in self.callers
        )


@dataclass(frozen=True)
class Machine:
    """One host that runs one workload, with what differs there from the rest of its mesh.

    ``name`` is the inventory name. ``address`` is the machine's own address, ``external_address``
    the one by which the mesh reaches it when that is not the same (behind NAT). ``bridges`` are
    the SPIFFE IDs of all bridges of the inventory, where they are looked for in revocation lists.
    """

    name: str
    workload: str  # Workload.key
    address: str
    external_address: str = ""
    ipv6_address: str = ""
    ssh_port: int = 22
    mode: str = "sidecar"  # sidecar | bridge; auto until that is decided
    mesh: Mesh = Mesh()  # the mesh with this machine's overrides applied
    bridges: tuple[str, ...] = ()

    @property
    def mesh_address(self) -> str:
        """The address at which the mesh reaches the machine."""
        return self.external_address or self.address


@dataclass(frozen=True)
class Vantage:
    """A machine outside the mesh from which ``verify`` tries what must be refused."""

    name: str
    address: str
    ipv6_address: str = ""


@dataclass(frozen=True)
class Fleet:
    """Everything the inventory describes. Tuples are sorted by key or name."""

    mesh: Mesh
    workloads: tuple[Workload, ...]
    machines: tuple[Machine, ...]
    vantages: tuple[Vantage, ...] = ()

    def workload_of(self, machine: Machine) -> Workload:
        """The workload that ``machine`` runs. Raises KeyError when there is none."""
        for workload in self.workloads:
            if workload.key == machine.workload:
                return workload
        raise KeyError(machine.workload)

    @property
    def has_bridges_to_egress(self) -> bool:
        """Whether a bridge calls through the egress gateway."""
        return any(
            call.external and self.mesh.bridged(call)
            for workload in self.workloads
            if workload.mode == "bridge"
            for call in workload.calls
        )

    def machines_of(self, workload: Workload) -> tuple[Machine, ...]:
        """The machines that run ``workload``."""
        return tuple(m for m in self.machines if m.workload == workload.key)


def seconds(duration: str) -> int:
    """A duration such as ``90s``, ``15m`` or ``24h`` in seconds."""
    return int(duration[:-1]) * UNIT_SECONDS[duration[-1]]


def to_data(value: Any) -> Any:
    """``value`` as plain JSON data (dict, list, str, int, bool, None)."""
    if value is None or isinstance(value, (str, int)):
        return value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_data(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, (list, tuple)):
        return [to_data(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): to_data(item) for key, item in value.items()}
    return value


def from_data(kind: type[T], data: Mapping[str, Any]) -> T:
    """The ``kind`` that ``to_data`` turned into ``data``. For data of our own making only."""
    hints = typing.get_type_hints(kind)
    return kind(**{name: _load(hints[name], value) for name, value in data.items()})


def _load(hint: Any, value: Any) -> Any:
    if value is None:
        return None
    arguments = typing.get_args(hint)
    if typing.get_origin(hint) is typing.Union:
        return _load(next(a for a in arguments if a is not type(None)), value)
    if dataclasses.is_dataclass(hint):
        return from_data(typing.cast(Any, hint), value)
    if typing.get_origin(hint) is tuple:
        return tuple(_load(arguments[0], item) for item in value)
    return value
