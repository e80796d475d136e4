# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""The table of what users write in their inventory.

Validation, JSON Schema and the role's argument specification are all made from it. Defaults are
those of the dataclasses in ``spec``.
"""

from __future__ import annotations

from typing import Any

from ansible_collections.brownfield.mesh.plugins.module_utils.bridge_fields import (
    INGRESS_GATEWAY,
    REVOCATION,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.egress_fields import EGRESS
from ansible_collections.brownfield.mesh.plugins.module_utils.field_types import (
    Choice,
    Flag,
    Text,
    Whole,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.forms import (
    ANNOTATION_KEY,
    ANNOTATION_VALUE,
    CIDR,
    CONTEXT,
    DNS_NAME,
    DURATION,
    HOST_OR_IPV4,
    HTTP_PATH,
    IPV4,
    KIND,
    LABEL,
    LABEL_KEY,
    LOCALITY,
    MOUNT,
    OPTIONAL_DNS_NAME,
    OPTIONAL_IPV4,
    OPTIONAL_IPV6,
    OPTIONAL_MOUNT,
    OPTIONAL_PROXY,
    OPTIONAL_QUALIFIED,
    OPTIONAL_UUID,
    PATH,
    PORT_NAME,
    PROTOCOLS,
    REQUIRED_PATH,
    SERVICE_NAME,
    SHA256,
    TOKEN_PATH,
    TRUST_DOMAIN,
    URI,
    URL,
    VAULT_ADDRESS,
    VAULT_ROLE,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.record_types import (
    Field,
    ListOf,
    Record,
    TextMap,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.spec import (
    MODES,
    RESERVED_PORTS,
    AllowRule,
    Artifact,
    Bridge,
    Call,
    Capture,
    CertManager,
    Cluster,
    Gateway,
    HealthProbe,
    Identity,
    Istiod,
    Machine,
    Mesh,
    Port,
    Prometheus,
    Proxy,
    Vault,
    Workload,
)

# Files that `binaries` consists of, and the one artefact of `deb` and `rpm`.
PACKAGES = {
    "binaries": ("pilot-agent", "envoy", "envoy_bootstrap_tmpl.json"),
    "deb": ("istio-sidecar",),
    "rpm": ("istio-sidecar",),
}

PORT = Whole(1, 65535)
WORKLOAD_PORT = Whole(1, 65535, RESERVED_PORTS, "Istio's agent and Envoy")
SECONDS = Whole(1, 3600)
PORTS = ListOf(PORT, (("",),))

CAPTURE_FIELDS = (
    Field("method", Choice(("auto", "nftables", "iptables")), "What writes the capture's rules."),
    Field("exclude_inbound_ports", PORTS, "Ports whose incoming traffic passes the proxy by."),
    Field("exclude_outbound_ports", PORTS, "Ports whose outgoing traffic passes the proxy by."),
    Field(
        "exclude_outbound_cidrs",
        ListOf(Text(CIDR), (("",),)),
        "IPv4 ranges whose outgoing traffic passes the proxy by.",
    ),
)

ARTIFACT = Record(
    Artifact,
    (
        Field(
            "name",
            Choice(tuple(dict.fromkeys(name for names in PACKAGES.values() for name in names))),
            "Which file this is.",
            required=True,
        ),
        Field("sha256", Text(SHA256), "SHA-256 of the file, in hexadecimal.", required=True),
        Field(
            "architecture",
            Choice(("any", "amd64", "arm64")),
            "The machines' architecture that the file is for.",
        ),
        Field("url", Text(URL), "Where machines fetch it."),
        Field("path", Text(REQUIRED_PATH), "Where it lies on the controller, which pushes it."),
    ),
    one_of=("url", "path"),
)

PROXY_FIELDS = (
    Field("package", Choice(tuple(PACKAGES)), "How the agent and Envoy are packaged."),
    Field(
        "artifacts",
        ListOf(ARTIFACT, (("name", "architecture"),)),
        "The files to install: pilot-agent, envoy and envoy_bootstrap_tmpl.json for binaries,"
        " istio-sidecar for deb and rpm.",
    ),
    Field("https_proxy", Text(OPTIONAL_PROXY), "The proxy of the machine's own downloads."),
)

VAULT = Record(
    Vault,
    (
        Field("address", Text(VAULT_ADDRESS), "Vault's address, https://HOST:PORT.", required=True),
        Field(
            "ca",
            Text(REQUIRED_PATH),
            "A PEM file on the controller: the authority of Vault's own certificate.",
            required=True,
        ),
        Field("pki_mount", Text(MOUNT), "Where the PKI secrets engine is mounted."),
        Field("pki_role", Text(VAULT_ROLE), "The role of that engine to sign by.", required=True),
        Field(
            "login",
            Choice(("approle", "jwt", "azure")),
            "How the machine logs in: by a wrapped secret that the controller brings once"
            " (approle), by a token that its platform writes to a file (jwt), or by its managed"
            " identity (azure).",
        ),
        Field(
            "auth_mount",
            Text(OPTIONAL_MOUNT),
            "Where that auth method is mounted. Empty: under its own name.",
        ),
        Field("role", Text(VAULT_ROLE), "The role of that auth method.", required=True),
        Field("jwt_path", Text(TOKEN_PATH), "The file on the machine with its token, for jwt."),
        Field(
            "azure_resource",
            Text(URI),
            "For azure: the resource that the auth method was configured with.",
        ),
        Field(
            "azure_client_id",
            Text(OPTIONAL_UUID),
            "For azure: the client ID of the managed identity, where a machine has several.",
        ),
        Field(
            "storage",
            Choice(("memory", "disk")),
            "Where the machine keeps key and log-in: in memory, until a reboot, or on its disk.",
        ),
    ),
)

CERT_MANAGER = Record(
    CertManager,
    (
        Field("issuer", Text(DNS_NAME), "The issuer's name.", required=True),
        Field(
            "kind",
            Text(KIND),
            "Its kind: ClusterIssuer, Issuer (in the workload's namespace), or that of an external"
            " issuer.",
        ),
        Field("group", Text(DNS_NAME), "The API group of its kind."),
    ),
)

IDENTITY_FIELDS = (
    Field(
        "provider",
        Choice(("files", "local_ca", "vault", "cert_manager")),
        "Where certificates come from: files of the user's, an authority that the controller signs"
        " with, Vault, to which the machine itself turns, or cert-manager in the cluster, which the"
        " controller asks.",
    ),
    Field(
        "certificate",
        Text(PATH),
        "A PEM file on the controller: the machine's certificate and its chain (files), or the"
        " authority's certificate (local_ca).",
    ),
    Field("key", Text(PATH), "The certificate's private key, a PEM file on the controller."),
    Field(
        "lifetime",
        Text(DURATION),
        "How long a certificate lives that is signed (all but files), such as 24h or 15m.",
    ),
    Field("vault", VAULT, "Where and how a machine has its certificate signed by Vault."),
    Field("cert_manager", CERT_MANAGER, "The issuer of cert-manager that signs certificates."),
)

DNS = Field(
    "dns",
    Choice(("names", "off")),
    "Whether the mesh's names resolve on the machine (names), or its resolver stays as it is.",
)
NETWORK = Field(
    "network",
    Text(OPTIONAL_QUALIFIED),
    "Istio's network of the machines. Empty means the cluster's own.",
)

MESH = Record(
    Mesh,
    (
        Field(
            "cluster",
            Record(
                Cluster,
                (
                    Field("kubeconfig", Text(PATH), "Path of the kubeconfig. Empty: the default."),
                    Field("context", Text(CONTEXT), "The context in it. Empty: the current one."),
                ),
            ),
            "How the controller reaches the Kubernetes API.",
        ),
        Field("trust_domain", Text(TRUST_DOMAIN), "The trust domain of the mesh."),
        Field("revision", Text(LABEL), "The revision of Istio that the machines join."),
        Field(
            "namespace",
            Text(LABEL),
            "Istio's own namespace, where istiod and the mesh's settings are.",
        ),
        NETWORK,
        Field(
            "gateway",
            Record(
                Gateway,
                (
                    Field("service", Text(LABEL), "Name of the Service."),
                    Field("namespace", Text(LABEL), "Namespace of the Service."),
                    Field(
                        "address",
                        Text(OPTIONAL_IPV4),
                        "The address at which machines reach it. Empty: the Service's.",
                    ),
                    Field("port", PORT, "Its port for calls in mode bridge (AUTO_PASSTHROUGH)."),
                ),
            ),
            "The east-west gateway, which exposes istiod (sidecar) and the services (bridge).",
        ),
        Field(
            "istiod",
            Record(
                Istiod,
                (
                    Field("host", Text(OPTIONAL_DNS_NAME), "The name in istiod's certificate."),
                    Field(
                        "address",
                        Text(OPTIONAL_IPV4),
                        "The address at which machines reach it. Empty: the gateway's.",
                    ),
                    Field("port", PORT, "The port at which machines reach it."),
                ),
            ),
            "Where machines find istiod.",
        ),
        Field("proxy", Record(Proxy, PROXY_FIELDS), "How the agent and Envoy come to the machine."),
        Field("capture", Record(Capture, CAPTURE_FIELDS), "Which traffic passes the proxy by."),
        Field(
            "identity",
            Record(Identity, IDENTITY_FIELDS),
            "How machines in mode bridge get their certificates.",
        ),
        Field(
            "bridge",
            Record(
                Bridge,
                (
                    Field("port", WORKLOAD_PORT, "The port at which the mesh reaches a bridge."),
                    Field("tls", Choice(("1.3", "1.2")), "The oldest TLS version it speaks."),
                    Field(
                        "revocation",
                        REVOCATION,
                        "How it learns of revoked certificates. Without it nobody looks for them.",
                    ),
                    Field(
                        "gateway",
                        INGRESS_GATEWAY,
                        "The ingress gateway that ends its TLS. Without it, its calls go through"
                        " mesh.gateway, end to end.",
                    ),
                ),
            ),
            "Envoy in mode bridge.",
        ),
        Field(
            "prometheus",
            Record(
                Prometheus,
                (
                    Field("namespace", Text(LABEL), "Its namespace.", required=True),
                    Field(
                        "service_account",
                        Text(DNS_NAME),
                        "Its service account, by which machines let it in.",
                        required=True,
                    ),
                ),
            ),
            "A Prometheus in the cluster, run by Prometheus Operator, that watches the machines.",
        ),
        Field("egress", EGRESS, "The way out of the mesh."),
        DNS,
    ),
)


def _health(**given: Any) -> HealthProbe:
    kind = "tcp" if "tcp" in given else "http"
    return HealthProbe(kind=kind, port=given.pop(kind), **given)


HEALTH = Record(
    HealthProbe,
    (
        Field("tcp", PORT, "The port that must accept a connection."),
        Field("http", PORT, "The port that must answer a GET with a status from 200 to 399."),
        Field("path", Text(HTTP_PATH), "The path of the GET."),
        Field(
            "period_seconds",
            SECONDS,
            "Seconds from one probe to the next. A machine serves one period after its join.",
        ),
        Field("timeout_seconds", SECONDS, "Seconds after which a probe has failed."),
        Field(
            "failure_threshold", Whole(1, 1000), "Failures in a row that make a machine unhealthy."
        ),
    ),
    one_of=("tcp", "http"),
    build=_health,
)

WORKLOAD = Record(
    Workload,
    (
        Field("name", Text(SERVICE_NAME), "Name of the workload and its Service.", required=True),
        Field("namespace", Text(LABEL), "Its namespace in the cluster.", required=True),
        Field(
            "service_account", Text(DNS_NAME), "The service account of its identity. Default: name."
        ),
        Field("mode", Choice(MODES), "How its machines join; auto decides by fact."),
        Field(
            "ports",
            ListOf(
                Record(
                    Port,
                    (
                        Field(
                            "name",
                            Text(PORT_NAME),
                            "Name of the port; its prefix is the protocol (tcp-postgres).",
                            required=True,
                        ),
                        Field("port", WORKLOAD_PORT, "The port's number.", required=True),
                    ),
                ),
                (("port",), ("name",)),
            ),
            "The ports it serves.",
        ),
        Field("health", HEALTH, "How the agent finds out whether the application is healthy."),
        Field(
            "callers",
            ListOf(
                Record(
                    AllowRule,
                    (
                        Field("namespace", Text(LABEL), "The caller's namespace.", required=True),
                        Field(
                            "service_account",
                            Text(DNS_NAME),
                            "The caller's service account.",
                            required=True,
                        ),
                        Field("ports", PORTS, "The ports it may call. Empty: all."),
                    ),
                )
            ),
            "Who may call it. Everybody else is refused.",
        ),
        Field(
            "calls",
            ListOf(
                Record(
                    Call,
                    (
                        Field("host", Text(DNS_NAME), "A host of the mesh."),
                        Field("external", Text(HOST_OR_IPV4), "A host outside of the mesh."),
                        Field("port", PORT, "The port that is called.", required=True),
                        Field(
                            "service_account",
                            Text(OPTIONAL_DNS_NAME),
                            "The host's service account, for mode bridge. Empty: from the"
                            " inventory.",
                        ),
                        Field(
                            "protocol",
                            Choice(("", *PROTOCOLS)),
                            "The host's protocol there, for mode bridge. Empty: from the inventory,"
                            " else tcp.",
                        ),
                    ),
                    one_of=("host", "external"),
                )
            ),
            "What it calls.",
        ),
        Field(
            "when_proxy_is_down",
            Choice(("refuse", "bypass")),
            "Whether traffic fails, or leaves in clear, while the proxy is down.",
        ),
        Field(
            "labels",
            TextMap(Text(LABEL_KEY), Text(OPTIONAL_QUALIFIED)),
            "Further labels of its machines.",
        ),
        Field(
            "annotations",
            TextMap(Text(ANNOTATION_KEY), Text(ANNOTATION_VALUE)),
            "Annotations of its machines.",
        ),
        Field("locality", Text(LOCALITY), "Where it runs: REGION/ZONE/SUBZONE."),
        Field("weight", Whole(0, 2**32 - 1), "Its share of the load. 0 leaves it to the mesh."),
    ),
)

# Overrides are read into plain mappings: only what is given replaces the mesh's.
MACHINE = Record(
    Machine,
    (
        Field("address", Text(IPV4), "Its own IPv4 address. Default: ansible_host."),
        Field("external_address", Text(OPTIONAL_IPV4), "The address by which the mesh reaches it."),
        Field(
            "ipv6_address",
            Text(OPTIONAL_IPV6),
            "Its IPv6 address, if it has one. It is tried that only the proxy answers there.",
        ),
        Field("ssh_port", PORT, "The port of its SSH server. Default: ansible_port, or 22."),
        NETWORK,
        Field("proxy", Record(Proxy, PROXY_FIELDS, build=dict), "Overrides of mesh.proxy."),
        Field("capture", Record(Capture, CAPTURE_FIELDS, build=dict), "Overrides of mesh.capture."),
        Field(
            "identity",
            Record(Identity, IDENTITY_FIELDS, build=dict),
            "Overrides of mesh.identity.",
        ),
        DNS,
    ),
)

VANTAGE = Flag()

# The variables by name, with what the reference says of each.
VARIABLES = (
    Field("mesh", MESH, "The mesh, the same for all hosts (group_vars/all.yml)."),
    Field("mesh_workload", WORKLOAD, "The workload that a group of machines runs."),
    Field("mesh_machine", MACHINE, "What differs on one machine."),
    Field(
        "mesh_vantage",
        VANTAGE,
        "Whether this is a host outside of the mesh from which verify tries what must be refused.",
    ),
)
