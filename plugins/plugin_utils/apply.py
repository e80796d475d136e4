# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Brings objects into the cluster: one batch, by server-side apply, only what differs.

Every object is first applied as a server dry run and compared with the live one, so that check
mode, diff mode and ``changed`` are the server's own word, and a conflict anywhere is known before
anything is written (https://kubernetes.io/docs/reference/using-api/server-side-apply/).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.brownfield.mesh.plugins.module_utils.spec import Workload
from ansible_collections.brownfield.mesh.plugins.plugin_utils.client import Client
from ansible_collections.brownfield.mesh.plugins.plugin_utils.errors import (
    ApiError,
    ClusterError,
    explain,
)
from ansible_collections.brownfield.mesh.plugins.plugin_utils.kinds import (
    Ref,
    collection_path,
    ref_of,
)
from ansible_collections.brownfield.mesh.plugins.plugin_utils.monitoring.objects import metrics_refs
from ansible_collections.brownfield.mesh.plugins.plugin_utils.objects import (
    MANAGER,
    Object,
    belongs_to,
    former_mode,
    is_managed,
    own_refs,
)

# What the server writes on its own; comparing it would show differences nobody made.
_SERVER_FIELDS = ("creationTimestamp", "generation", "managedFields", "resourceVersion", "uid")


@dataclass(frozen=True)
class Change:
    """What happens to one object. ``action``: created, updated, deleted or unchanged.

    ``before`` and ``after`` are the object without what the server writes on its own; None
    where there is no object.
    """

    ref: Ref
    action: str
    before: Object | None = None
    after: Object | None = None


@dataclass(frozen=True)
class _Comparison:
    change: Change
    problems: tuple[str, ...] = ()
    uid: str = ""


def apply(
    client: Client,
    objects: Sequence[Object],
    workloads: Iterable[Workload],
    check: bool,
    shared: Iterable[Ref] = (),
) -> list[Change]:
    """Applies ``objects``, and deletes what ``workloads`` had before and no longer have.

    ``shared`` is what may be there by an earlier run and is no single workload's: what is ours and
    not among ``objects`` goes, too.

    Nothing is written when any object conflicts with another manager or is refused. With
    ``check`` nothing is written at all. Raises ClusterError that names all problems at once.
    """
    desired = {ref_of(item): item for item in objects}
    former: list[tuple[Ref, Workload | None]] = [
        (ref, None) for ref in shared if ref not in desired
    ]
    former += [
        (ref, workload)
        for workload in workloads
        for ref in (*own_refs(workload), *metrics_refs(workload))
        if ref not in desired
    ]
    compared = client.each(lambda item: _compare(client, item), objects)
    looked_at = client.each(lambda pair: _compare_former(client, *pair), former)
    surplus = [one for one in looked_at if one]
    _fail_on(problem for one in (*compared, *surplus) for problem in one.problems)
    if not check:
        todo = [c.change.ref for c in compared if c.change.action in ("created", "updated")]
        _write(client, [desired[ref] for ref in todo if ref.kind == "Namespace"])
        _write(client, [desired[ref] for ref in todo if ref.kind != "Namespace"])
        delete(client, {one.change.ref: one.uid for one in surplus})
    changes = [one.change for one in (*compared, *surplus)]
    return sorted(changes, key=lambda change: change.ref.sort_key)


def labelled(
    client: Client, kinds: Iterable[str], labels: Mapping[str, str], namespace: str = ""
) -> list[Ref]:
    """What lies in the cluster with these labels, in one namespace or in all (empty). Raises
    ClusterError."""
    selector = ",".join(f"{key}={value}" for key, value in sorted(labels.items()))

    def found(kind: str) -> list[Ref]:
        try:
            items = client.items(collection_path(kind, namespace), {"labelSelector": selector})
        except ApiError as error:
            where = f"{kind} in {namespace or 'all namespaces'}"
            raise ClusterError(explain(error, where)) from None
        return [ref_of({**item, "kind": kind}) for item in items]

    return [ref for refs in client.each(found, kinds) for ref in refs]


def delete(client: Client, uids: Mapping[Ref, str]) -> None:
    """Deletes exactly these objects: one that was replaced meanwhile (other uid) stays.

    Raises ClusterError.
    """

    def one(pair: tuple[Ref, str]) -> str:
        ref, uid = pair
        body = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "preconditions": {"uid": uid},
            "propagationPolicy": "Background",
        }
        return _attempt(ref, lambda: client.request("DELETE", ref.path, body), gone_is_fine=True)

    _fail_on(client.each(one, uids.items()))


def patch(client: Client, item: Object, *, dry_run: bool, force: bool = False) -> dict[str, Any]:
    """The object that the server makes of ``item``; with ``dry_run`` it keeps nothing.

    ``force`` takes fields over from other managers. Raises ApiError.
    """
    query = {"fieldManager": MANAGER, "fieldValidation": "Strict"}
    if dry_run:
        query["dryRun"] = "All"
    if force:
        query["force"] = "true"
    return client.request(
        "PATCH",
        ref_of(item).path,
        body=item,
        query=query,
        content_type="application/apply-patch+yaml",
    )


def comparable(live: Mapping[str, Any]) -> Object:
    """A live object without what the server writes on its own."""
    content = {key: value for key, value in live.items() if key != "status"}
    content["metadata"] = {
        key: value for key, value in live["metadata"].items() if key not in _SERVER_FIELDS
    }
    return content


def _compare(client: Client, item: Object) -> _Comparison:
    ref = ref_of(item)
    change = Change(ref, "created", None, item)
    try:
        live = client.find(ref.path)
        if live and "deletionTimestamp" in live["metadata"]:
            problem = f"{ref}: is just being deleted. Wait until it is gone and run again"
            return _Comparison(change, (problem,))
        result = patch(client, item, dry_run=True)
    except ApiError as error:
        if error.lacks_namespace:
            return _Comparison(change)  # will be there when it is this object's turn
        return _Comparison(change, _problems(ref, error))
    if live is None:
        return _Comparison(change)
    before, after = comparable(live), comparable(result)
    action = "unchanged" if before == after else "updated"
    return _Comparison(Change(ref, action, before, after))


def _compare_former(client: Client, ref: Ref, workload: Workload | None) -> _Comparison | None:
    try:
        live = client.find(ref.path)
    except ApiError as error:
        return _Comparison(Change(ref, "unchanged"), _problems(ref, error))
    if live is None or not (belongs_to(live, workload) if workload else is_managed(live)):
        return None
    gone = Change(ref, "deleted", comparable(live))
    if workload is None:
        return _Comparison(gone, (), live["metadata"]["uid"])
    former = former_mode(ref, workload)
    # Istio keeps endpoints of a Service whose selector goes, and machines refuse to change modes.
    problem = (
        f"{workload.key} is in mode {former} in the cluster: let all of its machines leave as they"
        " joined (playbook offboard), then change mesh_workload.mode. Where auto has decided"
        f" otherwise now, write mode: {former} to stay"
    )
    return _Comparison(gone, (problem,) if former else (), live["metadata"]["uid"])


def _write(client: Client, items: Iterable[Object]) -> None:
    _fail_on(
        client.each(
            lambda item: _attempt(ref_of(item), lambda: patch(client, item, dry_run=False)), items
        )
    )


def _attempt(ref: Ref, action: Callable[[], object], gone_is_fine: bool = False) -> str:
    """The problem that ``action`` had, or an empty string."""
    try:
        action()
    except ApiError as error:
        if gone_is_fine and error.status in (404, 409):
            return ""
        return "\n".join(_problems(ref, error))
    return ""


def _problems(ref: Ref, error: ApiError) -> tuple[str, ...]:
    conflicts = [c for c in error.causes if c.get("reason") == "FieldManagerConflict"]
    if error.status == 409 and conflicts:
        return tuple(
            f"{ref}: field {cause.get('field', '?')} is managed by {_manager(cause)}, with another"
            " value. Take it out of what that manager applies, or agree on one value"
            for cause in conflicts
        )
    return (explain(error, str(ref)),)


def _manager(cause: Mapping[str, str]) -> str:
    """The other manager's name, as the server quotes it: conflict with "NAME" using v1."""
    found = re.search(r'conflict with ("[^"]*")', cause.get("message", ""))
    return found.group(1) if found else "another manager"


def _fail_on(problems: Iterable[str]) -> None:
    found = sorted({problem for problem in problems if problem})
    if len(found) == 1:
        raise ClusterError(found[0])
    if found:
        raise ClusterError(
            f"{len(found)} problems with the cluster's objects:\n  " + "\n  ".join(found)
        )
