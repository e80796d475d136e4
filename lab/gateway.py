"""Gateways: machines that run `pilot-agent proxy router` with plain Envoy."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass

from lab import machine, tools
from lab.config import CONTROL, GATEWAY, Lab, Machine
from lab.kubernetes import Api, Object
from lab.run import wait_for

UNIT = """\
[Unit]
Description=Gateway of the lab
Wants=network-online.target
After=network-online.target

[Service]
EnvironmentFile=/etc/lab/gateway.env
WorkingDirectory=/var/lib/gateway
StateDirectory=gateway
ExecStart=/srv/bin/pilot-agent proxy router --domain @NAMESPACE@.svc.cluster.local \\
  --proxyLogLevel=warning --templateFile=/srv/bin/envoy_bootstrap_tmpl.json \\
  --meshConfig=/etc/lab/mesh.yaml
Restart=always
RestartSec=500ms

[Install]
WantedBy=multi-user.target
"""


TOKEN_SECONDS = 365 * 24 * 3600  # as long as a lab may live: nothing hands out a new one


@dataclass(frozen=True)
class Router:
    """One gateway: the machine it is, and what the mesh knows it by."""

    machine: Machine
    namespace: str
    name: str
    labels: Mapping[str, str]
    ports: Mapping[str, int]


EAST_WEST = Router(
    GATEWAY,
    "istio-system",
    "istio-eastwestgateway",
    {"istio": "eastwestgateway", "app": "istio-eastwestgateway"},
    {"status-port": 15021, "tls": 15443, "tls-istiod": 15012, "tls-webhook": 15017},
)


def of_app(item: Machine) -> Router:
    """The machine as an ingress or egress gateway, named as Istio's charts name them, which is
    nobody's until a specification makes it so."""
    kind = item.app.removesuffix("-gateway")
    name = f"istio-{kind}gateway"
    return Router(
        item,
        f"istio-{kind}",
        name,
        {"istio": f"{kind}gateway", "app": name},
        {"status-port": 15021, "tls": 8443},
    )


def exposed() -> list[Object]:
    """What is exposed through the east-west gateway by SNI.

    As Istio's samples/multicluster expose it: istiod on 15012 and 15017, and all services, to
    whoever is in the mesh, on 15443.
    """
    ports = EAST_WEST.ports
    routes = [
        {
            "match": [{"port": port, "sniHosts": ["*"]}],
            "route": [
                {
                    "destination": {
                        "host": "istiod.istio-system.svc.cluster.local",
                        "port": {"number": target},
                    }
                }
            ],
        }
        for port, target in ((15012, 15012), (15017, 443))
    ]
    servers = [
        {
            "port": {"name": port_name, "number": ports[port_name], "protocol": "TLS"},
            "tls": {"mode": "PASSTHROUGH"},
            "hosts": ["*"],
        }
        for port_name in ("tls-istiod", "tls-webhook")
    ]
    name = {"name": "istiod-gateway", "namespace": EAST_WEST.namespace}
    services = {
        "port": {"name": "tls", "number": ports["tls"], "protocol": "TLS"},
        "tls": {"mode": "AUTO_PASSTHROUGH"},
        "hosts": ["*.local"],
    }
    return [
        {
            "apiVersion": "networking.istio.io/v1",
            "kind": "Gateway",
            "metadata": name,
            "spec": {"selector": {"istio": "eastwestgateway"}, "servers": servers},
        },
        {
            "apiVersion": "networking.istio.io/v1",
            "kind": "Gateway",
            "metadata": {**name, "name": "cross-network-gateway"},
            "spec": {"selector": {"istio": "eastwestgateway"}, "servers": [services]},
        },
        {
            "apiVersion": "networking.istio.io/v1",
            "kind": "VirtualService",
            "metadata": {**name, "name": "istiod-vs"},
            "spec": {"hosts": ["*"], "gateways": ["istiod-gateway"], "tls": routes},
        },
    ]


def registration(lab: Lab, router: Router) -> list[Object]:
    """A gateway's account, rights, Service and group, as the charts and Istio's tool make them."""
    name = {"name": router.name, "namespace": router.namespace}
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": name},
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "Role",
            "metadata": name,
            "rules": [
                {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "watch", "list"]}
            ],
        },
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": name,
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io",
                "kind": "Role",
                "name": router.name,
            },
            "subjects": [{"kind": "ServiceAccount", **name}],
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {**name, "labels": dict(router.labels)},
            "spec": {
                "type": "LoadBalancer",
                "selector": dict(router.labels),
                "externalIPs": [lab.address(router.machine)],
                "ports": [{"name": n, "port": p, "targetPort": p} for n, p in router.ports.items()],
            },
        },
        {
            "apiVersion": "networking.istio.io/v1",
            "kind": "WorkloadGroup",
            "metadata": name,
            "spec": {
                "metadata": {"labels": dict(router.labels)},
                "template": {"serviceAccount": router.name},
            },
        },
    ]


def environment(lab: Lab, router: Router) -> dict[str, str]:
    """What pilot-agent is told; as the charts of Istio's gateway tell it, but for the first two.

    Without pods, the gateway registers itself through a WorkloadGroup, by its own address.
    """
    return {
        "INSTANCE_IP": lab.address(router.machine),
        "ISTIO_META_AUTO_REGISTER_GROUP": router.name,
        "POD_NAME": router.name,
        "POD_NAMESPACE": router.namespace,
        "SERVICE_ACCOUNT": router.name,
        "TRUST_DOMAIN": "cluster.local",
        "CA_ADDR": "istiod.istio-system.svc:15012",
        "XDS_ROOT_CA": "/etc/lab/root-cert.pem",
        "CA_ROOT_CA": "/etc/lab/root-cert.pem",
        "ISTIO_META_CLUSTER_ID": "lab",
        "ISTIO_META_MESH_ID": "lab",
        "ISTIO_META_WORKLOAD_NAME": router.name,
        "ISTIO_METAJSON_LABELS": json.dumps(dict(router.labels)),
    }


def start(lab: Lab, router: Router = EAST_WEST) -> None:
    """Prepare and boot the machine; the proxy starts once its token is there."""
    mesh = {
        "defaultConfig": {
            "discoveryAddress": "istiod.istio-system.svc:15012",
            "binaryPath": "/srv/bin/envoy",
        }
    }
    hosts = f"{lab.address(CONTROL)} istiod.istio-system.svc\n"
    machine.prepare(
        lab,
        router.machine,
        {
            "/etc/systemd/system/gateway.service": UNIT.replace("@NAMESPACE@", router.namespace),
            "/etc/lab/gateway.env": machine.environment_file(environment(lab, router)),
            "/etc/lab/mesh.yaml": json.dumps(mesh),
            "/etc/hosts": f"127.0.0.1 localhost\n127.0.1.1 {router.machine.name}\n{hosts}",
        },
    )
    machine.connect(lab, router.machine)
    binds = {f"/srv/bin/{name}": path for name, path in tools.artifacts().items()}
    machine.boot(lab, router.machine, binds)


def configure(lab: Lab, api: Api, router: Router = EAST_WEST) -> None:
    """Register the gateway, hand it its token and wait until it passes istiod on."""
    api.apply(registration(lab, router))
    if router is EAST_WEST:
        api.apply(exposed())
    root = api.call("GET", "/api/v1/namespaces/istio-system/configmaps/istio-ca-root-cert")
    token = api.call(
        "POST",
        f"/api/v1/namespaces/{router.namespace}/serviceaccounts/{router.name}/token",
        {"spec": {"audiences": ["istio-ca"], "expirationSeconds": TOKEN_SECONDS}},
    )["status"]["token"]
    put = ["sh", "-c", 'umask 077; mkdir -p "${1%/*}"; cat > "$1"', "put"]
    machine.execute(
        lab, router.machine, *put, "/etc/lab/root-cert.pem", stdin=root["data"]["root-cert.pem"]
    )
    place = "/var/lib/gateway/var/run/secrets/tokens/istio-token"
    machine.execute(lab, router.machine, *put, place, stdin=token)
    machine.execute(lab, router.machine, "systemctl", "enable", "--now", "gateway.service")
    wait_for(
        "gateway", lambda: ready(lab, router), 60, lambda: machine.journal(lab, router.machine)
    )


def ready(lab: Lab, router: Router = EAST_WEST) -> bool:
    """Whether the gateway's proxy has its configuration from istiod and serves."""
    url = f"http://{lab.address(router.machine)}:15021/healthz/ready"
    try:
        with urllib.request.urlopen(url, timeout=1) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
