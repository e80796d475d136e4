# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""The machines of Azure subscriptions: virtual machines, scale sets' instances, their addresses.

Lists only, so that the number of calls does not grow with the number of machines: three for each
subscription, and two more for each scale set, beside their pages.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.brownfield.mesh.plugins.plugin_utils.machines import (
    DEFAULT_SSH_PORT,
    MachinesError,
)

try:
    from azure import identity
    from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError
    from azure.mgmt.compute import ComputeManagementClient
    from azure.mgmt.network import NetworkManagementClient

    MISSING = ""
except ImportError as error:
    MISSING = str(error.name)

PUBLIC_AUTHORITY = "https://login.microsoftonline.com"
PUBLIC_RESOURCE_MANAGER = "https://management.azure.com"
CREDENTIALS = ("default", "environment", "managed_identity", "workload_identity", "cli")
# Tags by which a machine says what it is; terraform/modules/machine writes them.
WORKLOAD, ENVIRONMENT, USER, SSH_PORT = (
    "mesh-workload",
    "mesh-environment",
    "mesh-user",
    "mesh-ssh-port",
)
THREADS = 8
RETRIES = 5
# One page may take this long, in seconds.
READ_SECONDS = 60
_POWER = "PowerState/"


@dataclass(frozen=True)
class Query:
    """Which machines. Empty ``resource_groups`` and ``tags`` mean all that carry our tags."""

    subscriptions: Sequence[str]
    resource_groups: Sequence[str] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    scale_sets: bool = True
    credential: str = "default"
    client_id: str = ""
    authority: str = PUBLIC_AUTHORITY
    resource_manager: str = PUBLIC_RESOURCE_MANAGER


@dataclass(frozen=True)
class Lists:
    """What one subscription answered: the SDK's models."""

    machines: Iterable[Any]
    statuses: Iterable[Any]
    interfaces: Iterable[Any]


def fetch(query: Query) -> list[dict[str, Any]]:
    """Each subscription as ``{"source", "machines"}``, as the contract has it. All or nothing.

    Raises MachinesError with what is wrong in each subscription.
    """
    if MISSING:
        raise MachinesError(
            [
                "the Python package %s is missing on the controller; install azure-identity,"
                " azure-mgmt-compute and azure-mgmt-network beside ansible-core" % MISSING
            ]
        )
    if not query.subscriptions:
        raise MachinesError(["write subscriptions, or set AZURE_SUBSCRIPTION_ID"])
    # The SDKs warn of each attempt of theirs; what matters becomes the one message.
    logging.getLogger("azure").setLevel(logging.CRITICAL)
    credential = _credential(query)
    try:  # once, before several threads would each ask for one
        credential.get_token(_scope(query))
    except (AzureError, ValueError) as failure:
        raise MachinesError([explain(failure)]) from None
    with ThreadPoolExecutor(THREADS) as pool:
        lists = [_Subscription(query, one, credential, pool) for one in query.subscriptions]
        found: list[dict[str, Any]] = []
        problems: list[str] = []
        for one in lists:
            try:
                machines = one.machines()
                found.append({"source": "subscription %s" % one.name, "machines": machines})
            except (AzureError, ValueError) as failure:
                problems.append("subscription %s: %s" % (one.name, explain(failure)))
    if problems:
        raise MachinesError(problems)
    return found


class _Subscription:
    """The lists of one subscription, asked for at once."""

    def __init__(self, query: Query, name: str, credential: Any, pool: ThreadPoolExecutor) -> None:
        self.name = name
        self._query = query
        self._pool = pool
        settings: dict[str, Any] = {
            "base_url": query.resource_manager,
            "credential_scopes": [_scope(query)],
            "retry_total": RETRIES,
            "read_timeout": READ_SECONDS,
        }
        self._compute = ComputeManagementClient(credential, name, **settings)
        self._network = NetworkManagementClient(credential, name, **settings)
        compute, network = self._compute, self._network
        self._lists: list[Future[list[Any]]] = [
            pool.submit(lambda: list(compute.virtual_machines.list_all())),
            pool.submit(lambda: list(compute.virtual_machines.list_all(status_only="true"))),
            pool.submit(lambda: list(network.network_interfaces.list_all())),
        ]
        self._sets = pool.submit(self._scale_sets)

    def machines(self) -> dict[str, Any]:
        """By name, as the contract has it. Raises AzureError."""
        found = described(Lists(*(one.result() for one in self._lists)), self._query)
        for group, name in self._sets.result():
            compute, network = self._compute, self._network
            instances = list(
                compute.virtual_machine_scale_set_vms.list(group, name, expand="instanceView")
            )
            interfaces = (
                network.network_interfaces.list_virtual_machine_scale_set_network_interfaces(
                    group, name
                )
            )
            found.update(described(Lists(instances, instances, interfaces), self._query))
        return found

    def _scale_sets(self) -> list[tuple[str, str]]:
        """Sets whose instances are no virtual machines of their own (mode Uniform)."""
        if not self._query.scale_sets:
            return []
        return [
            (_part(str(item.id), "resourceGroups"), str(item.name))
            for item in self._compute.virtual_machine_scale_sets.list_all()
            if (item.orchestration_mode or "Uniform") == "Uniform" and WORKLOAD in _tags(item)
        ]


def described(lists: Lists, query: Query) -> dict[str, Any]:
    """The machines of ``lists`` that carry our tags and that ``query`` wants, by name. Pure."""
    power = {item.id.lower(): _power_state(item) for item in lists.statuses}
    addresses = {item.id.lower(): _address(item) for item in lists.interfaces}
    groups = {group.lower() for group in query.resource_groups}
    found = {}
    for item in lists.machines:
        tags = _tags(item)
        if WORKLOAD not in tags or any(tags.get(k) != v for k, v in query.tags.items()):
            continue
        if groups and _part(item.id, "resourceGroups").lower() not in groups:
            continue
        port = tags.get(SSH_PORT, str(DEFAULT_SSH_PORT))
        # A scale set's instance is NAME_NUMBER, which is no host's name.
        found[item.name.lower().replace("_", "-")] = {
            "address": addresses.get(_primary_interface(item)),
            "user": tags.get(USER),
            "ssh_port": int(port) if port.isdecimal() else port,
            "workload": tags.get(WORKLOAD),
            "environment": tags.get(ENVIRONMENT),
            "location": item.location,
            "zone": next(iter(item.zones or ()), None),
            "resource_id": item.id,
            "power_state": power.get(item.id.lower()) or "unknown",
            "tags": {key: text for key, text in tags.items() if not key.startswith("mesh-")},
        }
    return found


def explain(failure: Exception) -> str:
    """What the SDK's error means, and what to do, in one line."""
    said = str(getattr(failure, "message", "") or failure).strip().splitlines()
    first = said[0].strip()[:300] if said else type(failure).__name__
    if isinstance(failure, ClientAuthenticationError):
        return (
            "nobody could log in: %s; set AZURE_TENANT_ID, AZURE_CLIENT_ID and a secret or token of"
            " that identity, or choose another `credential`" % first
        )
    status = getattr(failure, "status_code", None)
    if isinstance(failure, HttpResponseError) and status == 403:
        return (
            "the identity may not list what is needed: %s; give it the role that"
            " terraform/modules/identity makes for readers" % first
        )
    if isinstance(failure, HttpResponseError) and status == 429:
        return "Azure is still busy after %d attempts: %s; run again later" % (RETRIES, first)
    return "Azure did not answer in full: %s; nothing of it is used" % first


def _scope(query: Query) -> str:
    return query.resource_manager.rstrip("/") + "/.default"


def _credential(query: Query) -> Any:
    authority: dict[str, Any] = {"authority": query.authority}
    if query.authority != PUBLIC_AUTHORITY:
        authority["disable_instance_discovery"] = True
    client: dict[str, Any] = {"client_id": query.client_id} if query.client_id else {}
    if query.credential == "environment":
        return identity.EnvironmentCredential(**authority)
    if query.credential == "managed_identity":
        return identity.ManagedIdentityCredential(**client)
    if query.credential == "workload_identity":
        return identity.WorkloadIdentityCredential(**client, **authority)
    if query.credential == "cli":
        return identity.AzureCliCredential()
    if client:
        authority["managed_identity_client_id"] = query.client_id
    return identity.DefaultAzureCredential(**authority)


def _tags(item: Any) -> dict[str, str]:
    return {str(key): str(text) for key, text in (item.tags or {}).items()}


def _primary_interface(machine: Any) -> str:
    """The identifier, in lower case, of the interface that Azure calls primary; '' for none."""
    profile = machine.network_profile
    interfaces = list(profile.network_interfaces or ()) if profile else []
    chosen = next((item for item in interfaces if item.primary), next(iter(interfaces), None))
    return chosen.id.lower() if chosen is not None and chosen.id else ""


def _address(interface: Any) -> str | None:
    configurations = list(interface.ip_configurations or ())
    chosen = next(
        (item for item in configurations if item.primary), next(iter(configurations), None)
    )
    return None if chosen is None else chosen.private_ip_address


def _power_state(machine: Any) -> str:
    """Such as running, stopped or deallocated; '' when Azure does not say."""
    view = machine.instance_view
    codes = [status.code or "" for status in (view.statuses or ())] if view else []
    return next((code[len(_POWER) :] for code in codes if code.startswith(_POWER)), "")


def _part(identifier: str, name: str) -> str:
    """What follows ``name`` in an Azure resource's identifier."""
    parts = identifier.split("/")
    lowered = [part.lower() for part in parts]
    return parts[lowered.index(name.lower()) + 1]
