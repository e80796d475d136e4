# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Envoy's configuration for a machine in mode ``bridge``: pure, JSON data.

Outward, each call of the workload has a listener on a loopback address of its own, and leaves as
mutual TLS through the mesh's east-west gateway, which passes it on by its server name to the
workload: both ends see each other's SPIFFE ID (istio:pilot/pkg/networking/core/gateway.go,
AUTO_PASSTHROUGH). For what lies outside of the mesh it goes to the egress gateway and ends there.
Inward, one listener takes mutual TLS for all ports of the workload; the server name that Istio's
proxies send says which port is meant, as it does at that gateway.
Fields are those of Envoy's API v3; limits follow its "Configuring Envoy as an edge proxy".
"""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.brownfield.mesh.plugins.module_utils.bridge.state import ADMIN_SOCKET
from ansible_collections.brownfield.mesh.plugins.module_utils.spec import (
    Call,
    Machine,
    Mesh,
    Port,
    Prometheus,
    Workload,
)
from ansible_collections.brownfield.mesh.plugins.plugin_utils import bridge_tls
from ansible_collections.brownfield.mesh.plugins.plugin_utils.monitoring.ports import (
    EXPORTER_PORT,
    PROXY_FIGURES_PORT,
)

Json = dict[str, Any]

MAX_CONNECTIONS = 10000
BUFFER_BYTES = 1 << 15
# Else Envoy would connect to the application before it knows who calls.
AFTER_HANDSHAKE = {
    "upstream_connect_mode": "ON_DOWNSTREAM_TLS_HANDSHAKE",
    "max_early_data_bytes": BUFFER_BYTES,
}
# Names have their addresses here, away from those in use (127.0.0.1, 127.0.1.1, 127.0.0.53).
LOOPBACK = ipaddress.IPv4Network("127.128.0.0/9")

_TYPES = "type.googleapis.com/envoy."
_HTTP_OPTIONS = _TYPES + "extensions.upstreams.http.v3.HttpProtocolOptions"

# What is offered to a gateway that ends our TLS, by protocol.
_ENDED: dict[str, tuple[str, ...]] = {"http": ("http/1.1",), "http2": ("h2",), "": ()}

# A handshake that failed has no response flag: CEL alone can ask for it.
FAILED_HANDSHAKE = {
    "extension_filter": {
        "name": "envoy.access_loggers.extension_filters.cel",
        "typed_config": {
            "@type": _TYPES + "extensions.access_loggers.filters.cel.v3.ExpressionFilter",
            "expression": "connection.transport_failure_reason != ''",
        },
    }
}


@dataclass(frozen=True)
class Way:
    """How a bridge makes a call: what the application calls, and what the bridge makes of it.

    ``protocol`` is ``http``, ``http2``, or empty for TCP. The gateway is the egress gateway or the
    one into the mesh, and has a ``gateway_port``; who answers there is meant by ``server_name``,
    and must have the name ``answers``. ``authority`` is the Host header by which a gateway finds
    its way on; empty: as the application wrote it.
    """

    host: str
    port: int
    protocol: str
    to_egress: bool
    gateway_port: int
    server_name: str
    answers: str
    alpn: tuple[str, ...]
    authority: str = ""

    @property
    def name(self) -> str:
        """That of its listener and its cluster."""
        return "outward_%d_%s" % (self.port, self.host)


def bootstrap(
    machine: Machine,
    workload: Workload,
    gateway: str,
    digest: str = "",
    monitoring: Sequence[Prometheus] = (),
    egress: str = "",
) -> Json:
    """The whole configuration. ``gateway`` is the address of the gateway that calls go through,
    ``egress`` that of the egress gateway; ``digest`` is told in the node's metadata, by which one
    sees what a running Envoy was given; ``monitoring`` may read the machine's figures."""
    calls = ways(machine.mesh, workload)
    addresses = loopback_addresses(way.host for way in calls)
    listeners = [_outward_listener(way, addresses[way.host]) for way in calls]
    clusters = [
        _outward_cluster(way, machine, egress if way.to_egress else gateway) for way in calls
    ]
    trust_domain = machine.mesh.trust_domain
    served = [port for port in workload.ports if callers_of(workload, port, trust_domain)]
    if served:
        listeners.append(_inward_listener(machine, workload, served))
        clusters += [_application(port) for port in served]
    if monitoring:
        listeners += _figures_listeners(machine, monitoring)
        clusters += _figures_clusters()
    return {
        "node": {
            "id": machine.name,
            "cluster": workload.service_host,
            "metadata": {"digest": digest},
        },
        "admin": {"address": {"pipe": {"path": ADMIN_SOCKET, "mode": 0o600}}},
        "overload_manager": {
            "resource_monitors": [
                {
                    "name": "envoy.resource_monitors.global_downstream_max_connections",
                    "typed_config": {
                        "@type": _TYPES + "extensions.resource_monitors.downstream_connections.v3"
                        ".DownstreamConnectionsConfig",
                        "max_active_downstream_connections": MAX_CONNECTIONS,
                    },
                }
            ]
        },
        "static_resources": {"listeners": listeners, "clusters": clusters},
    }


def mesh_calls(workload: Workload) -> list[Call]:
    """The calls that go through the mesh, each name and port once, sorted."""
    found = {(call.fqdn, call.port): call for call in workload.calls if call.host}
    return [found[key] for key in sorted(found)]


def ways(mesh: Mesh, workload: Workload) -> list[Way]:
    """How a bridge of ``workload`` makes its calls, each name and port once, sorted."""
    made = [
        _way_into(mesh, call) if call.host else _way_out(mesh, call)
        for call in workload.calls
        if mesh.bridged(call)
    ]
    found = {(way.host, way.port): way for way in made}
    return [found[key] for key in sorted(found)]


def loopback_addresses(names: Iterable[str]) -> dict[str, str]:
    """An address on this machine for each name that is called, the same for the same name.

    Only when two names of one workload would get the same one does the later name move on.
    """
    taken: dict[str, str] = {}
    for name in sorted(set(names)):
        number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big")
        # Neither the first nor the last address of the range.
        for step in range(len(taken) + 1):
            address = str(LOOPBACK[1 + (number + step) % (LOOPBACK.num_addresses - 2)])
            if address not in taken.values():
                taken[name] = address
                break
    return taken


def callers_of(workload: Workload, port: Port, trust_domain: str) -> list[str]:
    """The SPIFFE IDs that the allow-list lets in at ``port``, sorted."""
    return sorted(
        {
            "spiffe://" + rule.principal(trust_domain)
            for rule in workload.callers
            if not rule.ports or port.port in rule.ports
        }
    )


def server_name(host: str, port: int) -> str:
    """The server name by which Istio's proxies mean a port of a service
    (istio:pilot/pkg/model/push_context.go, BuildDNSSrvSubsetKey)."""
    return "outbound_.%d_._.%s" % (port, host)


def server_name_at_gateway(host: str, port: int) -> str:
    """The server name by which a gateway that ends our TLS knows a port of a service."""
    return "%d.%s" % (port, host)


def _way_into(mesh: Mesh, call: Call) -> Way:
    protocol = "http2" if call.protocol in ("http2", "grpc") else "http" if call.is_http else ""
    if ends := mesh.bridge.gateway:
        name = server_name_at_gateway(call.fqdn, call.port)
        return Way(
            call.fqdn,
            call.port,
            protocol,
            to_egress=False,
            gateway_port=ends.port,
            server_name=name,
            answers=ends.name(mesh.trust_domain),
            alpn=_ENDED[protocol],
            authority=name if protocol else "",
        )
    # Istio's gateway and proxies tell mutual TLS of the mesh by these protocol names.
    known = {"http": ("istio-http/1.1", "istio"), "http2": ("istio-h2", "istio")}
    return Way(
        call.fqdn,
        call.port,
        protocol,
        to_egress=False,
        gateway_port=mesh.gateway.port,
        server_name=server_name(call.fqdn, call.port),
        answers=call.spiffe_id(mesh.trust_domain),
        alpn=(*known.get(protocol, ("istio",)), bridge_tls.FROM_BRIDGE),
    )


def _way_out(mesh: Mesh, call: Call) -> Way:
    service, gateway = mesh.egress.find(call.external, call.port), mesh.egress.gateway
    # TLS of the application's own is bytes to us.
    protocol = "http" if service and service.protocol == "http" else ""
    return Way(
        call.external,
        call.port,
        protocol,
        to_egress=True,
        gateway_port=gateway.port,
        server_name=call.external,  # as that of sidecars (egress_objects)
        answers=gateway.spiffe_id(mesh.trust_domain),
        alpn=_ENDED[protocol],
    )


def _outward_listener(way: Way, address: str) -> Json:
    if way.protocol:
        route: Json = {
            "cluster": way.name,
            "timeout": "0s",
            "retry_policy": {"retry_on": "connect-failure,refused-stream", "num_retries": 2},
        }
        if way.authority:
            route["host_rewrite_literal"] = way.authority
        filters = [_http_manager(way.name, route, [])]
    else:
        filters = [_tcp_proxy(way.name, inward=False)]
    return {
        "name": way.name,
        "address": _socket(address, way.port),
        "per_connection_buffer_limit_bytes": BUFFER_BYTES,
        "filter_chains": [{"filters": filters}],
    }


def _outward_cluster(way: Way, machine: Machine, gateway: str) -> Json:
    asked = machine.mesh.bridge.revocation
    listed = asked and (way.answers in machine.bridges or asked.peers == "all")
    tls = bridge_tls.context(
        machine.mesh.bridge.tls,
        way.alpn,
        [{"exact": way.answers}],
        "listed" if listed else "roots",
    )
    cluster = _cluster(way.name, gateway, way.gateway_port, way.protocol)
    cluster.update(bridge_tls.spoken(tls, way.server_name))
    cluster["upstream_connection_options"] = {"tcp_keepalive": {"keepalive_time": 300}}
    # Envoy takes what is behind a dot for a part of a metric's name.
    cluster["alt_stat_name"] = cluster["name"].replace(".", "_")
    return cluster


def _inward_listener(machine: Machine, workload: Workload, served: Sequence[Port]) -> Json:
    inspector = _TYPES + "extensions.filters.listener.tls_inspector.v3.TlsInspector"
    return {
        "name": "inward",
        "address": _socket(machine.address, machine.mesh.bridge.port),
        "stat_prefix": "inward",
        "per_connection_buffer_limit_bytes": BUFFER_BYTES,
        "listener_filters_timeout": "5s",
        "listener_filters": [
            {
                "name": "envoy.filters.listener.tls_inspector",
                "typed_config": {"@type": inspector},
            }
        ],
        # What fits none of them is closed, counted (no_filter_chain_match), and written down.
        "access_log": [_access_log("connection")],
        "filter_chains": [
            chain for port in served for chain in _inward_chains(machine, workload, port)
        ],
    }


def _inward_chains(machine: Machine, workload: Workload, port: Port) -> list[Json]:
    """One chain for a port; or two, where bridges are looked for in lists and others are not, as
    their authority may have none.

    Which of the two it is says the caller, and it does not help him to lie: each lets in only
    the identities that belong there.
    """
    asked = machine.mesh.bridge.revocation
    everybody = callers_of(workload, port, machine.mesh.trust_domain)
    if asked is None or asked.peers == "all":
        secret = "listed" if asked else "roots"
        return [_inward_chain(machine, workload, port, everybody, secret)]
    bridges = [caller for caller in everybody if caller in machine.bridges]
    others = [caller for caller in everybody if caller not in machine.bridges]
    chains = [_inward_chain(machine, workload, port, others, "roots")]
    if bridges:
        chain = _inward_chain(machine, workload, port, bridges, "listed")
        chain["name"] += "_bridges"
        chain["filter_chain_match"]["application_protocols"] = [bridge_tls.FROM_BRIDGE]
        chains.append(chain)
    return chains


def _inward_chain(
    machine: Machine, workload: Workload, port: Port, callers: Sequence[str], secret: str
) -> Json:
    mesh = machine.mesh
    name = "application_%d" % port.port
    principals = [{"authenticated": {"principal_name": {"exact": caller}}} for caller in callers]
    allowed = {"permissions": [{"any": True}], "principals": principals}
    # Without a policy nobody is let in.
    rules = {"action": "ALLOW", "policies": {"allow-list": allowed} if callers else {}}
    if port.is_http:
        # A member of the mesh that is not on the list is answered 403, as a sidecar would.
        admitted = [{"prefix": "spiffe://%s/" % mesh.trust_domain}]
        rbac = {
            "name": "envoy.filters.http.rbac",
            "typed_config": {
                "@type": _TYPES + "extensions.filters.http.rbac.v3.RBAC",
                "rules": rules,
            },
        }
        filters = [_http_manager("inward", {"cluster": name, "timeout": "0s"}, [rbac])]
    else:
        # RBAC decides on the first bytes of a caller; a server that speaks first (MySQL) would have
        # spoken by then. So the handshake is for callers on the list only.
        # An empty list would admit everybody: the name of the trust domain itself is nobody's.
        admitted = [{"exact": caller} for caller in callers or ["spiffe://" + mesh.trust_domain]]
        rbac = {
            "name": "envoy.filters.network.rbac",
            "typed_config": {
                "@type": _TYPES + "extensions.filters.network.rbac.v3.RBAC",
                "stat_prefix": "tcp.",
                "rules": rules,
            },
        }
        filters = [rbac, _tcp_proxy(name, inward=True)]
    alpn = ["h2", "http/1.1"] if port.is_http else []
    tls = bridge_tls.context(mesh.bridge.tls, alpn, admitted, secret)
    return {
        "name": name,
        "filter_chain_match": {
            "transport_protocol": "tls",
            "server_names": [server_name(workload.service_host, port.port)],
        },
        **bridge_tls.taken(tls),
        "filters": filters,
    }


def _figures_listeners(machine: Machine, monitoring: Sequence[Prometheus]) -> list[Json]:
    """node_exporter and Envoy's own figures, for monitoring: the handshake is for it only."""
    mesh, asked = machine.mesh, machine.mesh.bridge.revocation
    secret = "listed" if asked and asked.peers == "all" else "roots"
    admitted = [{"exact": "spiffe://" + one.principal(mesh.trust_domain)} for one in monitoring]
    guarded = bridge_tls.taken(bridge_tls.context(mesh.bridge.tls, [], admitted, secret))
    envoys = _http_manager("figures_proxy", {"cluster": "figures_proxy", "timeout": "10s"}, [])
    # Of the administration, which could stop Envoy, this page and no other.
    (host,) = envoys["typed_config"]["route_config"]["virtual_hosts"]
    get = {"name": ":method", "string_match": {"exact": "GET"}}
    host["routes"][0]["match"] = {"path": "/stats/prometheus", "headers": [get]}
    return [
        {
            "name": name,
            "address": _socket(machine.address, port),
            "stat_prefix": name,
            "per_connection_buffer_limit_bytes": BUFFER_BYTES,
            "access_log": [_access_log("connection")],
            "filter_chains": [{**guarded, "filters": [end]}],
        }
        for name, port, end in (
            ("figures_machine", EXPORTER_PORT, _tcp_proxy("figures_machine", inward=True)),
            ("figures_proxy", PROXY_FIGURES_PORT, envoys),
        )
    ]


def _figures_clusters() -> list[Json]:
    machine = _cluster("figures_machine", "127.0.0.1", EXPORTER_PORT, "")
    proxy = _cluster("figures_proxy", "127.0.0.1", PROXY_FIGURES_PORT, "http")
    (place,) = proxy["load_assignment"]["endpoints"][0]["lb_endpoints"]
    place["endpoint"]["address"] = {"pipe": {"path": ADMIN_SOCKET}}
    return [machine, proxy]


def _application(port: Port) -> Json:
    protocol = {"http": "http", "http2": "http2", "grpc": "http2"}.get(port.protocol, "")
    return _cluster("application_%d" % port.port, "127.0.0.1", port.port, protocol)


def _cluster(name: str, address: str, port: int, protocol: str) -> Json:
    limits = ("max_connections", "max_pending_requests", "max_requests", "max_retries")
    threshold = dict.fromkeys(limits, MAX_CONNECTIONS)
    cluster: Json = {
        "name": name,
        "type": "STATIC",
        "connect_timeout": "5s",
        "per_connection_buffer_limit_bytes": BUFFER_BYTES,
        "circuit_breakers": {"thresholds": [threshold]},
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [
                {"lb_endpoints": [{"endpoint": {"address": _socket(address, port)}}]},
            ],
        },
    }
    if protocol:
        options = "http2_protocol_options" if protocol == "http2" else "http_protocol_options"
        cluster["typed_extension_protocol_options"] = {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": _HTTP_OPTIONS,
                "explicit_http_config": {options: {}},
            }
        }
    return cluster


def _http_manager(name: str, route: Mapping[str, Any], filters: Sequence[Json]) -> Json:
    router = _TYPES + "extensions.filters.http.router.v3.Router"
    return {
        "name": "envoy.filters.network.http_connection_manager",
        "typed_config": {
            "@type": _TYPES + "extensions.filters.network.http_connection_manager.v3"
            ".HttpConnectionManager",
            "stat_prefix": name,
            "codec_type": "AUTO",
            "route_config": {
                "virtual_hosts": [
                    {
                        "name": name,
                        "domains": ["*"],
                        "routes": [{"match": {"prefix": "/"}, "route": dict(route)}],
                    }
                ]
            },
            "http_filters": [
                *filters,
                {"name": "envoy.filters.http.router", "typed_config": {"@type": router}},
            ],
            "normalize_path": True,
            # What the other side says of who called is not believed; we say it.
            "forward_client_cert_details": "SANITIZE_SET",
            "set_current_client_cert_details": {"uri": True},
            "server_header_transformation": "PASS_THROUGH",
            "upgrade_configs": [{"upgrade_type": "websocket"}],
            "stream_idle_timeout": "300s",
            "request_headers_timeout": "10s",
            "common_http_protocol_options": {"idle_timeout": "3600s", "max_headers_count": 100},
            "http2_protocol_options": {
                "max_concurrent_streams": 100,
                "initial_stream_window_size": 1 << 16,
                "initial_connection_window_size": 1 << 20,
            },
            "access_log": [_access_log("http")],
        },
    }


def _tcp_proxy(name: str, inward: bool) -> Json:
    return {
        "name": "envoy.filters.network.tcp_proxy",
        "typed_config": {
            "@type": _TYPES + "extensions.filters.network.tcp_proxy.v3.TcpProxy",
            "stat_prefix": name,
            "cluster": name,
            "access_log": [_access_log("tcp")],
            **(AFTER_HANDSHAKE if inward else {}),
        },
    }


def _access_log(kind: str) -> Json:
    """What was refused or failed, one line of JSON each, to the journal, which is bounded."""
    fields = {
        "time": "%START_TIME%",
        "cluster": "%UPSTREAM_CLUSTER%",
        "caller": "%DOWNSTREAM_PEER_URI_SAN%",
        "from": "%DOWNSTREAM_REMOTE_ADDRESS%",
        "flags": "%RESPONSE_FLAGS%",
        "why": "%RESPONSE_CODE_DETAILS%",
        "failure": "%UPSTREAM_TRANSPORT_FAILURE_REASON%",
    }
    flagged: Json = {"response_flag_filter": {}}
    if kind == "connection":
        # What came to an end before a filter saw it: no log but the listener's own knows of it.
        fields["failure"] = "%DOWNSTREAM_TRANSPORT_FAILURE_REASON%"
        no_chain: Json = {"response_flag_filter": {"flags": ["NR"]}}
        flagged = {"or_filter": {"filters": [no_chain, FAILED_HANDSHAKE]}}
    if kind == "http":
        fields |= {"method": "%REQ(:METHOD)%", "status": "%RESPONSE_CODE%"}
        value = {"default_value": 400, "runtime_key": "access_log.status"}
        bad: Json = {"status_code_filter": {"comparison": {"op": "GE", "value": value}}}
        flagged = {"or_filter": {"filters": [flagged, bad]}}
    return {
        "name": "envoy.access_loggers.stdout",
        "filter": flagged,
        "typed_config": {
            "@type": _TYPES + "extensions.access_loggers.stream.v3.StdoutAccessLog",
            "log_format": {"json_format": fields},
        },
    }


def _socket(address: str, port: int) -> Json:
    return {"socket_address": {"address": address, "port_value": port}}
