"""The east-west gateway: a machine that runs `pilot-agent proxy router` with plain Envoy."""

from __future__ import annotations

import json
import urllib.error
import urllib.request

from lab import control, machine, tools
from lab.config import CONTROL, GATEWAY, Lab
from lab.kubernetes import Api
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
"""


def start(lab: Lab) -> None:
    """Prepare and boot the machine; the proxy starts once its token is there."""
    labels = {"istio": "eastwestgateway", "app": "istio-eastwestgateway"}
    environment = {
        "INSTANCE_IP": lab.address(GATEWAY),
        "POD_NAME": "istio-eastwestgateway",
        "POD_NAMESPACE": "istio-system",
        "SERVICE_ACCOUNT": "istio-eastwestgateway",
        "CA_ADDR": "istiod.istio-system.svc:15012",
        "TRUST_DOMAIN": "cluster.local",
        "CREDENTIAL_FETCHER_TYPE": "",
        "XDS_ROOT_CA": "/etc/lab/root-cert.pem",
        "CA_ROOT_CA": "/etc/lab/root-cert.pem",
        "ISTIO_META_CLUSTER_ID": "lab",
        "ISTIO_META_MESH_ID": "lab",
        "ISTIO_META_WORKLOAD_NAME": "istio-eastwestgateway",
        "ISTIO_META_AUTO_REGISTER_GROUP": "istio-eastwestgateway",
        "ISTIO_METAJSON_LABELS": json.dumps(labels, separators=(",", ":")),
    }
    mesh = {
        "defaultConfig": {
            "discoveryAddress": "istiod.istio-system.svc:15012",
            "binaryPath": "/srv/bin/envoy",
        }
    }
    lines = [
        "{}=\"{}\"".format(name, value.replace('"', '\\"')) for name, value in environment.items()
    ]
    hosts = f"{lab.address(CONTROL)} istiod.istio-system.svc\n"
    machine.prepare(
        lab,
        GATEWAY,
        {
            "/etc/systemd/system/gateway.service": UNIT,
            "/etc/lab/gateway.env": "\n".join(lines) + "\n",
            "/etc/lab/mesh.yaml": json.dumps(mesh),
            "/etc/hosts": f"127.0.0.1 localhost\n127.0.1.1 {GATEWAY.name}\n{hosts}",
        },
    )
    machine.connect(lab, GATEWAY)
    binds = {f"/srv/bin/{name}": path for name, path in tools.artifacts().items()}
    machine.boot(lab, GATEWAY, binds)


def configure(lab: Lab, api: Api) -> None:
    """Register the gateway, hand it its token and wait until it passes istiod on."""
    api.apply(control.gateway_objects(lab))
    root = api.call("GET", "/api/v1/namespaces/istio-system/configmaps/istio-ca-root-cert")
    token = api.call(
        "POST",
        "/api/v1/namespaces/istio-system/serviceaccounts/istio-eastwestgateway/token",
        {"spec": {"audiences": ["istio-ca"], "expirationSeconds": 24 * 3600}},
    )["status"]["token"]
    put = ["sh", "-c", 'umask 077; mkdir -p "${1%/*}"; cat > "$1"', "put"]
    machine.execute(
        lab, GATEWAY, *put, "/etc/lab/root-cert.pem", stdin=root["data"]["root-cert.pem"]
    )
    place = "/var/lib/gateway/var/run/secrets/tokens/istio-token"
    machine.execute(lab, GATEWAY, *put, place, stdin=token)
    machine.execute(lab, GATEWAY, "systemctl", "start", "gateway.service")

    def ready() -> bool:
        url = f"http://{lab.address(GATEWAY)}:15021/healthz/ready"
        try:
            with urllib.request.urlopen(url, timeout=1) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    wait_for("gateway", ready, 60, lambda: machine.journal(lab, GATEWAY))
