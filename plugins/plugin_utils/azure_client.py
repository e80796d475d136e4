# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Ask Azure for the machines of subscriptions, all of them or none.

Lists only, so that the number of calls does not grow with the number of machines: four for each
subscription, and two more for each scale set, beside their pages.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.brownfield.mesh.plugins.plugin_utils.azure_machines import (
    WORKLOAD,
    Filter,
    Lists,
    by_name,
    described,
    part,
    tags_of,
)
from ansible_collections.brownfield.mesh.plugins.plugin_utils.machines import MachinesError

try:
    from azure import identity
    from azure.core import AzureClouds
    from azure.core.exceptions import ClientAuthenticationError, HttpResponseError, map_error
    from azure.core.rest import HttpRequest
    from azure.mgmt.compute import ComputeManagementClient
    from azure.mgmt.core.exceptions import ARMErrorFormat
    from azure.mgmt.core.tools import get_arm_endpoints
    from azure.mgmt.network import NetworkManagementClient

    MISSING = ""
    # Older ones give models only; a thousand of them would take a second to be made and read.
    if not hasattr(ComputeManagementClient, "send_request"):
        MISSING = "azure-mgmt-compute >= 39"
    elif not hasattr(NetworkManagementClient, "send_request"):
        MISSING = "azure-mgmt-network >= 33"
except ImportError as error:
    MISSING = str(error.name)

# Cloud: what azure-core calls it, and where its Entra ID answers (azure.identity's constants).
CLOUDS = {
    "public": ("AZURE_PUBLIC_CLOUD", "https://login.microsoftonline.com"),
    "us_government": ("AZURE_US_GOVERNMENT", "https://login.microsoftonline.us"),
    "china": ("AZURE_CHINA_CLOUD", "https://login.chinacloudapi.cn"),
}
CREDENTIALS = ("default", "environment", "managed_identity", "workload_identity", "cli")
# Versions of Azure's interface that know what is asked for here, in every cloud.
COMPUTE_VERSION = "2024-07-01"
NETWORK_VERSION = "2024-05-01"
SCALE_SET_INTERFACES_VERSION = "2018-10-01"
THREADS = 8
# Attempts after the first one; between them as long as Retry-After says, or 0 to 13 seconds.
RETRIES = 5
# One page may take this long, in seconds.
READ_SECONDS = 60
_MACHINES = "/providers/Microsoft.Compute/virtualMachines"
_SETS = "/providers/Microsoft.Compute/virtualMachineScaleSets"
_INTERFACES = "/providers/Microsoft.Network/networkInterfaces"
_SUBSCRIPTION = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z", re.IGNORECASE)


@dataclass(frozen=True)
class Query:
    """What the plugin's options say. ``authority`` and ``resource_manager``: '' for the cloud's."""

    subscriptions: Sequence[str]
    resource_groups: Sequence[str] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    scale_sets: bool = True
    credential: str = "default"
    client_id: str = ""
    cloud: str = "public"
    authority: str = ""
    resource_manager: str = ""

    def problems(self) -> list[str]:
        """All that is wrong with it."""
        if not self.subscriptions:
            return ["write subscriptions, or set AZURE_SUBSCRIPTION_ID"]
        found = [
            "subscriptions: %r is no subscription's identifier; write the UUID" % one
            for one in self.subscriptions
            if not _SUBSCRIPTION.match(str(one))
        ]
        for name in ("authority", "resource_manager"):
            value = getattr(self, name)
            if value and not value.startswith("https://"):
                found.append("%s: write an address that begins with https://" % name)
        return found

    def endpoints(self) -> tuple[str, str, str]:
        """Entra ID, resource manager, and the scope that a token for the latter has."""
        name, authority = CLOUDS[self.cloud]
        cloud = get_arm_endpoints(AzureClouds[name])
        manager, scope = cloud["resource_manager"], cloud["credential_scopes"][0]
        if self.resource_manager:
            manager = self.resource_manager
            scope = manager.rstrip("/") + "/.default"
        return self.authority or authority, manager, scope


def fetch(query: Query) -> list[dict[str, Any]]:
    """Each subscription as ``{"source", "machines"}``, as the contract has it.

    Raises MachinesError with what is wrong in each subscription.
    """
    if MISSING:
        raise MachinesError(
            [
                "the Python package %s is missing on the controller; install azure-identity,"
                " azure-mgmt-compute and azure-mgmt-network beside ansible-core" % MISSING
            ]
        )
    if problems := query.problems():
        raise MachinesError(problems)
    # The SDKs warn of each attempt of theirs; what matters becomes the one message.
    logging.getLogger("azure").setLevel(logging.CRITICAL)
    found: list[dict[str, Any]] = []
    with ExitStack() as stack, ThreadPoolExecutor(THREADS) as pool:
        credential = _logged_in(query, stack)
        names = dict.fromkeys(str(one).lower() for one in query.subscriptions)
        for one in [_Subscription(query, name, credential, pool, stack) for name in names]:
            source = "subscription %s" % one.name
            try:
                found.append({"source": source, "machines": by_name(one.machines())})
            except MachinesError as error:
                problems += ["%s: %s" % (source, problem) for problem in error.problems]
            except Exception as failure:
                # Whatever the SDK makes of an answer that it did not expect: nothing is guessed.
                problems.append("%s: %s" % (source, explain(failure)))
    if problems:
        raise MachinesError(problems)
    return found


class _Subscription:
    """The lists of one subscription, asked for at once."""

    def __init__(
        self, query: Query, name: str, credential: Any, pool: ThreadPoolExecutor, stack: ExitStack
    ) -> None:
        self.name = name
        self._pool = pool
        self._wanted = Filter(query.resource_groups, query.tags)
        _authority, manager, scope = query.endpoints()
        settings: dict[str, Any] = {
            "base_url": manager,
            "credential_scopes": [scope],
            "retry_total": RETRIES,
            "retry_status": RETRIES,
            "read_timeout": READ_SECONDS,
        }
        compute = stack.enter_context(ComputeManagementClient(credential, name, **settings))
        network = stack.enter_context(NetworkManagementClient(credential, name, **settings))
        self._compute, self._network = compute, network
        # First, since it tells which other lists to ask for.
        self._sets = self._compute_list(_SETS) if query.scale_sets else None
        self._lists = (
            self._compute_list(_MACHINES),
            self._compute_list(_MACHINES, statusOnly="true"),
            self._list(network, _INTERFACES, NETWORK_VERSION),
        )

    def _compute_list(self, path: str, **query: str) -> Future[list[Any]]:
        return self._list(self._compute, path, COMPUTE_VERSION, **query)

    def _list(self, client: Any, path: str, version: str, **query: str) -> Future[list[Any]]:
        path = "/subscriptions/%s%s" % (self.name, path)
        return self._pool.submit(_pages, client, path, {"api-version": version, **query})

    def machines(self) -> list[tuple[str, dict[str, Any]]]:
        """Name and contract of each. Raises what the SDK raises."""
        sets = self._sets.result() if self._sets else []
        asked = [self._instances(item) for item in sets if self._has_instances(item)]
        machines, statuses, interfaces = (one.result() for one in self._lists)
        lists = [Lists(machines, statuses, interfaces)]
        for tags, instances, cards in asked:
            lists.append(Lists(instances.result(), instances.result(), cards.result(), tags))
        return [found for one in lists for found in described(one, self._wanted)]

    def _has_instances(self, item: Any) -> bool:
        """Whether its instances are no virtual machines of their own (mode Uniform)."""
        return (
            (item.get("properties") or {}).get("orchestrationMode") != "Flexible"
            and any(name.lower() == WORKLOAD for name in tags_of(item))
            and self._wanted.takes_group(item["id"])
        )

    def _instances(self, item: Any) -> tuple[dict[str, str], Future[list[Any]], Future[list[Any]]]:
        group = "/resourceGroups/" + part(item["id"], "resourceGroups")
        path = "%s%s/%s" % (group, _SETS, item["name"])
        cards = path + "/networkInterfaces"
        return (
            tags_of(item),
            self._compute_list(path + "/virtualMachines", **{"$expand": "instanceView"}),
            self._list(self._network, cards, SCALE_SET_INTERFACES_VERSION),
        )


def _pages(client: Any, path: str, query: Mapping[str, str]) -> list[Any]:
    """All resources of a list, by the SDK's client but as Azure's JSON has them.

    Raises what the SDK raises, and KeyError for a page that is none.
    """
    found: list[Any] = []
    request = HttpRequest("GET", path, params=dict(query))
    while True:
        response = client.send_request(request)
        if response.status_code != 200:
            map_error(response.status_code, response, {401: ClientAuthenticationError})
            raise HttpResponseError(response=response, error_format=ARMErrorFormat)
        page = response.json()
        found += page["value"]
        if not page.get("nextLink"):
            return found
        request = HttpRequest("GET", page["nextLink"])


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
            "the identity may not list what is needed: %s; give it the role Reader, or the smaller"
            " one that terraform/modules/identity makes" % first
        )
    if isinstance(failure, HttpResponseError) and status == 429:
        return "Azure is still busy after %d attempts: %s; run again later" % (
            RETRIES + 1,
            first,
        )
    return "Azure did not answer in full: %s; nothing of it is used" % first


def _logged_in(query: Query, stack: ExitStack) -> Any:
    """A credential that has a token: asked for once, and not by each thread.

    Raises MachinesError.
    """
    try:
        credential = stack.enter_context(_credential(query))
        credential.get_token(query.endpoints()[2])
    except Exception as failure:
        raise MachinesError([explain(failure)]) from None
    return credential


def _credential(query: Query) -> Any:
    authority: dict[str, Any] = {"authority": query.endpoints()[0]}
    if query.authority:
        # MSAL asks the public cloud about an authority that it does not know.
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
