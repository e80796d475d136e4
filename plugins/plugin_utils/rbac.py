# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""The least rights in the cluster with which the controller can do its work."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ansible_collections.brownfield.mesh.plugins.module_utils.spec import Workload
from ansible_collections.brownfield.mesh.plugins.plugin_utils.objects import Object

ROLE = "brownfield-mesh"
TOKEN_ROLE = "brownfield-mesh-tokens"
MONITORING_ROLE = "brownfield-mesh-monitoring"
INGRESS_ROLE = "brownfield-mesh-ingress"
CERTIFICATES_ROLE = "brownfield-mesh-certificates"
_APPLY = ("create", "delete", "get", "patch")


def controller_roles(
    workloads: Iterable[Workload],
    prometheus: str = "",
    ingress: str = "",
    certificates: Iterable[str] = (),
) -> list[Object]:
    """A ClusterRole for facts, objects and registrations, and per namespace a Role for tokens;
    where a Prometheus in the cluster watches, or an ingress gateway ends the TLS of bridges, a Role
    for what these are told in their namespaces. ``certificates`` are the namespaces of workloads
    whose machines have certificates from cert-manager.

    Who may request a service account's token may act as that service account, so this right is
    given per namespace and by name.
    """
    accounts: dict[str, set[str]] = {}
    for workload in workloads:
        accounts.setdefault(workload.namespace, set()).add(workload.service_account)
    return [
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRole",
            "metadata": {"name": ROLE},
            "rules": [
                _rule("", ["configmaps"], ["get", "list"]),
                _rule("", ["namespaces", "serviceaccounts", "services"], _APPLY),
                _rule("", ["pods"], ["list"]),
                _rule(
                    "networking.istio.io",
                    ["destinationrules", "gateways", "serviceentries", "virtualservices"],
                    [*_APPLY, "list"],
                ),
                _rule("networking.istio.io", ["sidecars"], _APPLY),
                _rule("networking.istio.io", ["workloadentries"], ["delete", "get", "list"]),
                _rule("networking.istio.io", ["workloadgroups"], [*_APPLY, "list"]),
                _rule("networking.k8s.io", ["networkpolicies"], _APPLY),
                _rule("security.istio.io", ["authorizationpolicies"], [*_APPLY, "list"]),
                _rule("security.istio.io", ["peerauthentications"], _APPLY),
            ],
        },
        *(
            {
                "apiVersion": "rbac.authorization.k8s.io/v1",
                "kind": "Role",
                "metadata": {"name": TOKEN_ROLE, "namespace": namespace},
                "rules": [
                    {
                        **_rule("", ["serviceaccounts/token"], ["create"]),
                        "resourceNames": sorted(accounts[namespace]),
                    }
                ],
            }
            for namespace in sorted(accounts)
        ),
        *([_role(MONITORING_ROLE, prometheus, _MONITORING)] if prometheus else []),
        *([_role(INGRESS_ROLE, ingress, _INGRESS)] if ingress else []),
        *(_role(CERTIFICATES_ROLE, namespace, _CERTIFICATES) for namespace in sorted(certificates)),
    ]


def _role(name: str, namespace: str, rules: Sequence[Object]) -> Object:
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": {"name": name, "namespace": namespace},
        "rules": [dict(rule) for rule in rules],
    }


def _rule(group: str, resources: Sequence[str], verbs: Sequence[str]) -> Object:
    return {"apiGroups": [group], "resources": list(resources), "verbs": sorted(verbs)}


_MONITORING = (
    _rule("", ["configmaps"], _APPLY),  # with dashboards for Grafana
    _rule(
        "monitoring.coreos.com", ["alertmanagerconfigs", "prometheusrules", "scrapeconfigs"], _APPLY
    ),
)
_INGRESS = (_rule("", ["configmaps"], _APPLY),)  # with the authorities that the gateway believes
_CERTIFICATES = (_rule("cert-manager.io", ["certificaterequests"], ["create", "delete", "get"]),)
