"""The control plane: a machine with etcd, the API server, controllers, istiod, resolver and mirror.

istiod runs with the arguments, environment, mesh configuration and rights that Istio's own charts
render. What differs, because there are no pods here, stands in ``ISTIOD_DIFFERS``.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from lab import deb, machine, tools
from lab.config import CHECKOUT, CONTROL, Lab, cache_dir
from lab.kubernetes import Api, Object
from lab.run import run, wait_for

DEB = "istio-sidecar.deb"
UNITS = Path(__file__).parent / "units"

# Environment that the charts take from the pod, or that the plain Envoy needs; each its reason.
ISTIOD_DIFFERS = {
    "POD_NAME": "istiod-lab",  # the charts take it from the pod
    "POD_NAMESPACE": "istio-system",  # the same
    "SERVICE_ACCOUNT": "istiod",  # the same
    "KUBECONFIG": "/srv/pki/istiod.kubeconfig",  # a pod would use its mounted token
    "ISTIOD_CUSTOM_HOST": "istiod.istio-system.svc",  # no admission adds the pod's own names
    "PILOT_ENABLE_METADATA_EXCHANGE": "false",  # a filter that only Istio's own Envoy build has
    "PILOT_ENABLE_ALPN_FILTER": "false",  # the same
}
MANAGED_LABEL = "lab.brownfield.mesh/managed"
# Kinds of the charts that have no meaning without pods, or whose webhooks nothing could route to.
LEFT_OUT = {
    "Deployment",
    "HorizontalPodAutoscaler",
    "PodDisruptionBudget",
    "MutatingWebhookConfiguration",
    "ValidatingWebhookConfiguration",
}


def rendered() -> list[Object]:
    """What Istio's charts render with lab/istio.yaml, kept in the cache (as JSON: read faster)."""
    binary = tools.go_tools("istio") / "istioctl"
    values = CHECKOUT / "lab" / "istio.yaml"
    cached = cache_dir() / "manifests" / f"{binary.parent.name}-{tools.sha256(values)[:16]}.json"
    if not cached.exists():
        text = run([str(binary), "manifest", "generate", "-f", str(values)])
        objects = [item for item in yaml.load_all(text, yaml.CSafeLoader) if item]
        cached.parent.mkdir(parents=True, exist_ok=True)
        cached.with_suffix(".partial").write_text(json.dumps(objects))
        cached.with_suffix(".partial").rename(cached)
    loaded: list[Object] = json.loads(cached.read_text())
    return loaded


def istiod_process(objects: list[Object]) -> tuple[list[str], dict[str, str]]:
    """Arguments and environment of istiod's container, with ``ISTIOD_DIFFERS`` applied."""
    deployment = next(
        item
        for item in objects
        if item["kind"] == "Deployment" and item["metadata"]["name"] == "istiod"
    )
    container: dict[str, Any] = deployment["spec"]["template"]["spec"]["containers"][0]
    environment = {e["name"]: e["value"] for e in container["env"] if "value" in e}
    return container["args"], environment | ISTIOD_DIFFERS


def units(lab: Lab, istiod_arguments: Sequence[str]) -> dict[str, str]:
    """The control machine's units: name -> content."""
    places = {"@ADDRESS@": lab.address(CONTROL), "@ARGUMENTS@": shlex.join(istiod_arguments)}
    files = {}
    for source in sorted(UNITS.glob("*.service")):
        text = source.read_text()
        for place, value in places.items():
            text = text.replace(place, value)
        files[source.name] = text
    return files


def start(lab: Lab) -> None:
    """Prepare and boot the control machine; etcd and the API server start with it."""
    arguments, environment = istiod_process(rendered())
    machine.prepare(lab, CONTROL)
    root = lab.root(CONTROL)
    for name, text in units(lab, arguments).items():
        machine.write(root, f"/etc/systemd/system/{name}", text)
        if name != "istiod.service":  # it waits for its CRDs and rights
            machine.enable(root, name)
    machine.write(root, "/etc/lab/istiod.env", machine.environment_file(environment))
    for name, text in authority(lab).items():  # a pod has the Secret mounted there
        machine.write(root, f"/etc/cacerts/{name}", text, 0o600)
    istio, kubernetes = tools.go_tools("istio"), tools.go_tools("kubernetes")
    binds = {
        "/srv/pki": lab.pki,
        "/srv/bin/pilot-discovery": istio / "pilot-discovery",
        "/srv/bin/kube-apiserver": kubernetes / "kube-apiserver",
        "/srv/bin/kube-controller-manager": kubernetes / "kube-controller-manager",
    }
    mirror = {**tools.artifacts(), DEB: deb.package()}
    (lab.dir / "mirror.json").write_text(json.dumps({n: str(path) for n, path in mirror.items()}))
    binds |= {f"/srv/mirror/{name}": path for name, path in mirror.items()}
    machine.connect(lab, CONTROL)
    machine.boot(lab, CONTROL, binds)


def mirrored(lab: Lab) -> dict[str, Path]:
    """What this lab's mirror serves, since its start: name -> file of this host."""
    served = json.loads((lab.dir / "mirror.json").read_text())
    return {name: Path(path) for name, path in served.items()}


def configure(lab: Lab) -> Api:
    """Bring Istio into the API server and start istiod. Returns when istiod is ready."""
    api = Api(lab)

    def diagnose() -> str:
        return machine.journal(lab, CONTROL)

    wait_for("API server", api.ready, 60, diagnose)
    objects = [item for item in rendered() if item["kind"] not in LEFT_OUT]
    definitions = [item for item in objects if item["kind"] == "CustomResourceDefinition"]
    api.apply([namespace("istio-system"), *definitions])
    api.apply(item for item in objects if item not in definitions)
    api.apply([*istiod_endpoints(lab), *managed_policy()])
    secret = {"name": "cacerts", "namespace": "istio-system"}
    api.apply(
        [{"apiVersion": "v1", "kind": "Secret", "metadata": secret, "stringData": authority(lab)}]
    )
    machine.execute(lab, CONTROL, "systemctl", "enable", "--now", "istiod.service")

    root = "/api/v1/namespaces/istio-system/configmaps/istio-ca-root-cert"
    wait_for("istiod", lambda: api.exists(root), 60, diagnose)
    return api


def authority(lab: Lab) -> dict[str, str]:
    """The mesh's authority, by the names under which istiod looks for it in /etc/cacerts
    (istio.io, "Plug in CA Certificates")."""
    root = lab.pki / "mesh-root"
    content = dict.fromkeys(
        ("ca-cert.pem", "cert-chain.pem", "root-cert.pem"), root.with_suffix(".crt").read_text()
    )
    return {**content, "ca-key.pem": root.with_suffix(".key").read_text()}


def namespace(name: str) -> Object:
    """A plain namespace."""
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def managed_policy() -> list[Object]:
    """Plays a managed cluster, which wants no machines, in namespaces with MANAGED_LABEL."""
    name = "managed.lab.brownfield.mesh"
    api = {"apiVersion": "admissionregistration.k8s.io/v1", "metadata": {"name": name}}
    rule = {
        "apiGroups": ["networking.istio.io"],
        "apiVersions": ["*"],
        "operations": ["CREATE", "UPDATE"],
        "resources": ["workloadentries", "workloadgroups"],
    }
    refusal = {"expression": "false", "message": "this managed mesh has pods only"}
    policy = {"matchConstraints": {"resourceRules": [rule]}, "validations": [refusal]}
    binding = {
        "policyName": name,
        "validationActions": ["Deny"],
        "matchResources": {"namespaceSelector": {"matchLabels": {MANAGED_LABEL: "true"}}},
    }
    return [
        {**api, "kind": "ValidatingAdmissionPolicy", "spec": policy},
        {**api, "kind": "ValidatingAdmissionPolicyBinding", "spec": binding},
    ]


def istiod_endpoints(lab: Lab) -> list[Object]:
    """No pod stands behind the Service `istiod`: its endpoint is the control machine."""
    metadata = {
        "name": "istiod-lab",
        "namespace": "istio-system",
        "labels": {
            "kubernetes.io/service-name": "istiod",
            "endpointslice.kubernetes.io/managed-by": "lab",
        },
    }
    ports = {
        "grpc-xds": 15010,
        "https-dns": 15012,
        "https-webhook": 15017,
        "http-monitoring": 15014,
    }
    return [
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": metadata,
            "addressType": "IPv4",
            "endpoints": [{"addresses": [lab.address(CONTROL)], "conditions": {"ready": True}}],
            "ports": [{"name": n, "port": p, "protocol": "TCP"} for n, p in ports.items()],
        }
    ]
