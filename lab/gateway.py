"""The east-west gateway: a machine that runs `pilot-agent proxy router` with plain Envoy."""

from __future__ import annotations

import json
import urllib.request

from lab import machine, tools
from lab.config import CONTROL, GATEWAY, Lab
from lab.kubernetes import Api, Object
from lab.run import wait_for

UNIT = """\
[Unit]
Description=East-west gateway of the lab
Wants=network-online.target
After=network-online.target

[Service]
EnvironmentFile=/etc/lab/gateway.env
WorkingDirectory=/var/lib/gateway
StateDirectory=gateway
ExecStart=/srv/bin/pilot-agent proxy router --domain istio-system.svc.cluster.local \\
  --proxyLogLevel=warning --templateFile=/srv/bin/envoy_bootstrap_tmpl.json \\
  --meshConfig=/etc/lab/mesh.yaml
Restart=always
RestartSec=500ms

[Install]
WantedBy=multi-user.target
"""


NAMESPACE = "istio-system"
NAME = "istio-eastwestgateway"
LABELS = {"istio": "eastwestgateway", "app": NAME}
TOKEN_SECONDS = 365 * 24 * 3600  # as long as a lab may live: nothing hands out a new one


def objects(lab: Lab) -> list[Object]:
    """The east-west gateway's registration, and what is exposed through it by SNI.

    As Istio's samples/multicluster expose it: istiod on 15012 and 15017, and all services, to
    whoever is in the mesh, on 15443.
    """
    name = {"name": NAME, "namespace": NAMESPACE}
    ports = {"status-port": 15021, "tls": 15443, "tls-istiod": 15012, "tls-webhook": 15017}
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
    exposed = {"name": "istiod-gateway", "namespace": NAMESPACE}
    services = {
        "port": {"name": "tls", "number": ports["tls"], "protocol": "TLS"},
        "tls": {"mode": "AUTO_PASSTHROUGH"},
        "hosts": ["*.local"],
    }
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
                "name": NAME,
            },
            "subjects": [{"kind": "ServiceAccount", **name}],
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {**name, "labels": LABELS},
            "spec": {
                "type": "LoadBalancer",
                "selector": LABELS,
                "externalIPs": [lab.address(GATEWAY)],
                "ports": [{"name": n, "port": p, "targetPort": p} for n, p in ports.items()],
            },
        },
        {
            "apiVersion": "networking.istio.io/v1",
            "kind": "WorkloadGroup",
            "metadata": name,
            "spec": {
                "metadata": {"labels": LABELS},
                "template": {"serviceAccount": NAME},
            },
        },
        {
            "apiVersion": "networking.istio.io/v1",
            "kind": "Gateway",
            "metadata": exposed,
            "spec": {"selector": {"istio": "eastwestgateway"}, "servers": servers},
        },
        {
            "apiVersion": "networking.istio.io/v1",
            "kind": "Gateway",
            "metadata": {**exposed, "name": "cross-network-gateway"},
            "spec": {"selector": {"istio": "eastwestgateway"}, "servers": [services]},
        },
        {
            "apiVersion": "networking.istio.io/v1",
            "kind": "VirtualService",
            "metadata": {**exposed, "name": "istiod-vs"},
            "spec": {"hosts": ["*"], "gateways": ["istiod-gateway"], "tls": routes},
        },
    ]


def environment(lab: Lab) -> dict[str, str]:
    """What pilot-agent is told; as the charts of Istio's gateway tell it, but for the first two.

    Without pods, the gateway registers itself through a WorkloadGroup, by its own address.
    """
    return {
        "INSTANCE_IP": lab.address(GATEWAY),
        "ISTIO_META_AUTO_REGISTER_GROUP": NAME,
        "POD_NAME": NAME,
        "POD_NAMESPACE": NAMESPACE,
        "SERVICE_ACCOUNT": NAME,
        "TRUST_DOMAIN": "cluster.local",
        "CA_ADDR": "istiod.istio-system.svc:15012",
        "XDS_ROOT_CA": "/etc/lab/root-cert.pem",
        "CA_ROOT_CA": "/etc/lab/root-cert.pem",
        "ISTIO_META_CLUSTER_ID": "lab",
        "ISTIO_META_MESH_ID": "lab",
        "ISTIO_META_WORKLOAD_NAME": NAME,
        "ISTIO_METAJSON_LABELS": json.dumps(LABELS),
    }


def start(lab: Lab) -> None:
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
        GATEWAY,
        {
            "/etc/systemd/system/gateway.service": UNIT,
            "/etc/lab/gateway.env": machine.environment_file(environment(lab)),
            "/etc/lab/mesh.yaml": json.dumps(mesh),
            "/etc/hosts": f"127.0.0.1 localhost\n127.0.1.1 {GATEWAY.name}\n{hosts}",
        },
    )
    machine.connect(lab, GATEWAY)
    binds = {f"/srv/bin/{name}": path for name, path in tools.artifacts().items()}
    machine.boot(lab, GATEWAY, binds)


def configure(lab: Lab, api: Api) -> None:
    """Register the gateway, hand it its token and wait until it passes istiod on."""
    api.apply(objects(lab))
    root = api.call("GET", f"/api/v1/namespaces/{NAMESPACE}/configmaps/istio-ca-root-cert")
    token = api.call(
        "POST",
        f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/{NAME}/token",
        {"spec": {"audiences": ["istio-ca"], "expirationSeconds": TOKEN_SECONDS}},
    )["status"]["token"]
    put = ["sh", "-c", 'umask 077; mkdir -p "${1%/*}"; cat > "$1"', "put"]
    machine.execute(
        lab, GATEWAY, *put, "/etc/lab/root-cert.pem", stdin=root["data"]["root-cert.pem"]
    )
    place = "/var/lib/gateway/var/run/secrets/tokens/istio-token"
    machine.execute(lab, GATEWAY, *put, place, stdin=token)
    machine.execute(lab, GATEWAY, "systemctl", "enable", "--now", "gateway.service")
    wait_for("gateway", lambda: ready(lab), 60, lambda: machine.journal(lab, GATEWAY))


def ready(lab: Lab) -> bool:
    """Whether the gateway's proxy has its configuration from istiod and serves."""
    url = f"http://{lab.address(GATEWAY)}:15021/healthz/ready"
    try:
        with urllib.request.urlopen(url, timeout=1) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
