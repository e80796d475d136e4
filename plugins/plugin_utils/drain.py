# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Takes machines out of the mesh's load balancing, while their proxies still serve.

Istiod tells every proxy of the mesh when a WorkloadEntry goes, within a second or so. The
connection of a machine's own agent stays, and does not bring the entry back: only a new connection
registers again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ansible_collections.brownfield.mesh.plugins.module_utils.spec import Machine, Workload
from ansible_collections.brownfield.mesh.plugins.plugin_utils.apply import delete
from ansible_collections.brownfield.mesh.plugins.plugin_utils.client import Client
from ansible_collections.brownfield.mesh.plugins.plugin_utils.errors import (
    ApiError,
    ClusterError,
    explain,
)
from ansible_collections.brownfield.mesh.plugins.plugin_utils.kinds import Ref, collection_path
from ansible_collections.brownfield.mesh.plugins.plugin_utils.registration import GROUP_ANNOTATION


def drain(
    client: Client, machines: Iterable[tuple[Machine, Workload]], check: bool
) -> Sequence[Ref]:
    """Deletes the WorkloadEntries of ``machines``; with ``check`` only says which those are.

    An entry belongs to a machine when it was registered for its workload at its address. Others,
    and entries made by hand, stay. Returns them sorted. Raises ClusterError.
    """
    wanted = {(w.namespace, w.name, machine.mesh_address) for machine, w in machines}
    found: dict[Ref, str] = {}
    for namespace in sorted({namespace for namespace, _, _ in wanted}):
        try:
            entries = client.items(collection_path("WorkloadEntry", namespace))
        except ApiError as error:
            raise ClusterError(explain(error, f"WorkloadEntries of {namespace}")) from None
        for item in entries:
            metadata = item["metadata"]
            group = (metadata.get("annotations") or {}).get(GROUP_ANNOTATION, "")
            if (namespace, group, (item.get("spec") or {}).get("address", "")) in wanted:
                found[Ref("WorkloadEntry", namespace, metadata["name"])] = metadata["uid"]
    if not check:
        delete(client, found)
    return sorted(found, key=lambda ref: ref.sort_key)
