# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Takes workloads' objects out of the cluster again, and nothing that others may need.

A workload's own objects always go. A service account goes when we made it and nothing uses it. A
namespace goes, with the policies that guard it, only when we made it and it is otherwise empty:
while anything else lives there, taking the default deny away would open it.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.brownfield.mesh.plugins.module_utils.spec import Workload
from ansible_collections.brownfield.mesh.plugins.plugin_utils.apply import (
    Change,
    comparable,
    delete,
)
from ansible_collections.brownfield.mesh.plugins.plugin_utils.client import Client
from ansible_collections.brownfield.mesh.plugins.plugin_utils.errors import (
    ApiError,
    ClusterError,
    explain,
)
from ansible_collections.brownfield.mesh.plugins.plugin_utils.inhabitants import inhabitants
from ansible_collections.brownfield.mesh.plugins.plugin_utils.kinds import Ref, collection_path
from ansible_collections.brownfield.mesh.plugins.plugin_utils.monitoring.objects import metrics_refs
from ansible_collections.brownfield.mesh.plugins.plugin_utils.objects import (
    MANAGER,
    Object,
    belongs_to,
    is_managed,
    namespace_refs,
    own_refs,
)

NAMESPACE_TIMEOUT_SECONDS = 60


@dataclass(frozen=True)
class Kept:
    """An object that stays, and why."""

    ref: Ref
    reason: str


@dataclass
class Removal:
    """What goes (the ``live`` objects, whose uid a deletion names) and what stays."""

    live: dict[Ref, Object] = field(default_factory=dict)
    kept: list[Kept] = field(default_factory=list)

    @property
    def changes(self) -> list[Change]:
        """What goes, as changes, sorted."""
        refs = sorted(self.live, key=lambda ref: ref.sort_key)
        return [Change(ref, "deleted", comparable(self.live[ref])) for ref in refs]


def remove(
    client: Client, workloads: Sequence[Workload], check: bool, shared: Sequence[Ref] = ()
) -> Removal:
    """Deletes what belongs to ``workloads``, and of ``shared`` (what is no single workload's) what
    is ours; with ``check`` only says what would go.

    Waits until a deleted namespace is gone. Raises ClusterError.
    """
    removal = Removal()
    try:
        for namespace in sorted({workload.namespace for workload in workloads}):
            _plan(client, namespace, [w for w in workloads if w.namespace == namespace], removal)
        for ref, live in zip(shared, client.each(lambda ref: client.find(ref.path), shared)):
            if live is not None and is_managed(live):
                removal.live[ref] = live
    except ApiError as error:
        raise ClusterError(explain(error, "looking for what to take away")) from None
    if not check:
        uids = {ref: str(item["metadata"]["uid"]) for ref, item in removal.live.items()}
        namespaces = [ref for ref in uids if ref.kind == "Namespace"]
        delete(client, {ref: uid for ref, uid in uids.items() if ref.kind != "Namespace"})
        delete(client, {ref: uids[ref] for ref in namespaces})
        client.each(lambda ref: _await_gone(client, ref), namespaces)
    return removal


def _plan(client: Client, namespace: str, workloads: Sequence[Workload], removal: Removal) -> None:
    own = [
        (ref, workload)
        for workload in workloads
        for ref in (*own_refs(workload), *metrics_refs(workload))
    ]
    found = client.each(lambda pair: client.find(pair[0].path), own)
    going: dict[Ref, Object] = {}
    for (ref, workload), live in zip(own, found):
        if live is not None and belongs_to(live, workload):
            going[ref] = live
        elif live is not None:
            removal.kept.append(Kept(ref, "it is not ours: our labels are missing"))
    groups = _items(client, "WorkloadGroup", namespace)
    staying = [
        group
        for group in groups
        if Ref("WorkloadGroup", namespace, group["metadata"]["name"]) not in going
    ]
    in_use = {group["spec"]["template"].get("serviceAccount", "default") for group in staying}
    for name in sorted({workload.service_account for workload in workloads}):
        ref = Ref("ServiceAccount", namespace, name)
        _plan_service_account(client, ref, in_use, going, removal)
    removal.live.update(going)
    _plan_namespace(client, namespace, going, bool(staying), removal)


def _plan_service_account(
    client: Client,
    ref: Ref,
    in_use: Collection[str],
    going: dict[Ref, Object],
    removal: Removal,
) -> None:
    live = client.find(ref.path)
    if live is None:
        return
    by_account = {"fieldSelector": f"spec.serviceAccountName={ref.name}"}
    if ref.name in in_use:
        removal.kept.append(Kept(ref, "another WorkloadGroup uses it"))
    elif not _is_ours_alone(live):
        removal.kept.append(Kept(ref, "it was not made by us, or others manage it too"))
    elif _items(client, "Pod", ref.namespace, by_account):
        removal.kept.append(Kept(ref, "pods use it"))
    else:
        going[ref] = live


def _plan_namespace(
    client: Client,
    namespace: str,
    going: Mapping[Ref, Object],
    shared: bool,
    removal: Removal,
) -> None:
    ref = Ref("Namespace", "", namespace)
    live = client.find(ref.path)
    if live is None:
        return
    guards = {guard: client.find(guard.path) for guard in namespace_refs(namespace)}
    ours = {guard: item for guard, item in guards.items() if item and is_managed(item)}
    if shared:
        reason = "other workloads are in it"
    elif not _is_ours_alone(live):
        reason = "it was not made by us, or others manage it too"
    else:
        leaving = {**going, **ours}
        reason = inhabitants(client, namespace, {i["metadata"]["uid"] for i in leaving.values()})
    if reason:
        removal.kept.extend(Kept(one, reason) for one in (ref, *ours))
    else:
        removal.live.update({ref: live, **ours})


def _is_ours_alone(live: Mapping[str, Any]) -> bool:
    """Whether our apply made the object and nobody else set a field of it.

    Who creates an object by any other way is recorded in its managed fields.
    """
    entries = [e for e in live["metadata"].get("managedFields") or () if not e.get("subresource")]
    return is_managed(live) and all(
        entry.get("manager") == MANAGER and entry.get("operation") == "Apply" for entry in entries
    )


def _items(
    client: Client, kind: str, namespace: str, query: Mapping[str, str] | None = None
) -> list[Object]:
    return client.items(collection_path(kind, namespace), query)


def _await_gone(client: Client, ref: Ref) -> None:
    """Waits for the namespace controller, so that the next run does not meet a dying namespace."""
    end = time.monotonic() + NAMESPACE_TIMEOUT_SECONDS
    while client.find(ref.path) is not None:
        if time.monotonic() > end:
            raise ClusterError(
                f"{ref} is still being deleted after {NAMESPACE_TIMEOUT_SECONDS} seconds:"
                " its status says what holds it"
            )
        time.sleep(0.5)
