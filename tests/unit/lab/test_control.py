"""istiod's process and objects, from what Istio's charts render."""

from __future__ import annotations

from typing import Any

from lab import control
from lab.config import Lab

DEPLOYMENT: dict[str, Any] = {
    "kind": "Deployment",
    "metadata": {"name": "istiod"},
    "spec": {
        "template": {
            "spec": {
                "containers": [
                    {
                        "args": ["discovery", "--domain", "cluster.local"],
                        "env": [
                            {"name": "CLUSTER_ID", "value": "lab"},
                            {"name": "KUBECONFIG", "value": "/var/run/secrets/remote/config"},
                            {"name": "POD_NAME", "valueFrom": {"fieldRef": {}}},
                            {"name": "GOMAXPROCS", "valueFrom": {"resourceFieldRef": {}}},
                        ],
                    }
                ]
            }
        }
    },
}


def test_istiod_runs_as_the_charts_say_but_for_what_needs_pods() -> None:
    other = {"kind": "Deployment", "metadata": {"name": "other"}}
    arguments, environment = control.istiod_process([other, DEPLOYMENT])
    assert arguments == ["discovery", "--domain", "cluster.local"]
    assert environment == {"CLUSTER_ID": "lab", **control.ISTIOD_DIFFERS}


def test_nothing_that_needs_pods_or_webhooks_is_applied() -> None:
    kinds = {"CustomResourceDefinition", "ConfigMap", "ClusterRole", "Service", "ServiceAccount"}
    assert not kinds & control.LEFT_OUT
    assert {"Deployment", "MutatingWebhookConfiguration"} <= control.LEFT_OUT


def test_units_have_no_open_places() -> None:
    files = control.units(Lab(), ["discovery", "--domain", "with space"])
    assert {"etcd.service", "kube-apiserver.service", "istiod.service"} <= files.keys()
    assert not [name for name, text in files.items() if "@" in text]
    assert "--domain 'with space'" in files["istiod.service"]
    assert "--advertise-address=198.18.0.2" in files["kube-apiserver.service"]


def test_istiod_has_its_endpoint_on_the_control_machine() -> None:
    (slices,) = control.istiod_endpoints(Lab())
    assert slices["metadata"]["labels"]["kubernetes.io/service-name"] == "istiod"
    assert slices["endpoints"][0]["addresses"] == ["198.18.0.2"]
    assert {"name": "https-dns", "port": 15012, "protocol": "TCP"} in slices["ports"]
