# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Decides mode ``auto`` by fact: would the cluster take the workload's WorkloadGroup?

A sidecar registers through a WorkloadGroup. A managed cluster may not know this kind, or refuse it
by admission; a bridge does without. The API server is asked by a dry run of the very object that
would be applied, so that its own rules give the answer, and nothing is written.
"""

from __future__ import annotations

from dataclasses import replace

from ansible_collections.brownfield.mesh.plugins.module_utils.cluster import ClusterFacts
from ansible_collections.brownfield.mesh.plugins.module_utils.modes import Decision
from ansible_collections.brownfield.mesh.plugins.module_utils.problems import printable
from ansible_collections.brownfield.mesh.plugins.module_utils.spec import Fleet, Mesh, Workload
from ansible_collections.brownfield.mesh.plugins.plugin_utils.apply import patch
from ansible_collections.brownfield.mesh.plugins.plugin_utils.client import Client
from ansible_collections.brownfield.mesh.plugins.plugin_utils.errors import (
    ApiError,
    ClusterError,
    explain,
)
from ansible_collections.brownfield.mesh.plugins.plugin_utils.kinds import KINDS, ref_of
from ansible_collections.brownfield.mesh.plugins.plugin_utils.objects import Object, render

KIND = "WorkloadGroup"
# Every cluster has it; asked about what holds for the whole cluster.
EXISTING_NAMESPACE = "default"
MAX_MESSAGE = 300  # characters of the API server's message in a reason


def decide(fleet: Fleet, facts: ClusterFacts) -> dict[str, Decision]:
    """The decision for each workload of mode ``auto``, by ``Workload.key``.

    One request for each of them, a second one where its namespace does not exist yet, and none when
    there is no such workload. Raises ClusterError with all that keeps it from deciding: missing
    rights and failures say nothing about the cluster's rules.
    """
    undecided = [workload for workload in fleet.workloads if workload.mode == "auto"]
    if not undecided:
        return {}
    client = Client.of(fleet.mesh.cluster)
    answers = client.each(lambda one: _ask(client, fleet.mesh, one, facts), undecided)
    problems = [answer for answer in answers if isinstance(answer, str)]
    if problems:
        raise ClusterError(
            "Mode auto cannot be decided. Mend what is named here, or write mesh_workload.mode:"
            " sidecar or bridge.\n  " + "\n  ".join(problems)
        )
    return {
        workload.key: answer
        for workload, answer in zip(undecided, answers, strict=True)
        if isinstance(answer, Decision)
    }


def _ask(client: Client, mesh: Mesh, workload: Workload, facts: ClusterFacts) -> Decision | str:
    """The decision, or what keeps from it."""
    objects = render(mesh, [replace(workload, mode="sidecar")], facts)
    group = next(item for item in objects if item["kind"] == KIND)
    try:
        try:
            return _dry_run(client, group, "")
        except ApiError as error:
            if not error.lacks_namespace:
                raise
        # We are about to make the namespace, so that its absence says nothing.
        elsewhere = {**group, "metadata": {**group["metadata"], "namespace": EXISTING_NAMESPACE}}
        note = f" (asked in namespace {EXISTING_NAMESPACE}: {workload.namespace} is yet to be made)"
        return _dry_run(client, elsewhere, note)
    except ApiError as error:
        return explain(error, str(ref_of(group)))
    except ClusterError as error:
        return str(error)


def _dry_run(client: Client, group: Object, note: str) -> Decision:
    """Raises ApiError where the answer is neither yes nor no."""
    try:
        # By force: whose fields these are is no question of modes, and apply reports it in full.
        patch(client, group, dry_run=True, force=True)
    except ApiError as error:
        if error.unknown_kind:
            version = KINDS[KIND].api_version
            return Decision("bridge", f"the cluster does not know {KIND} ({version})")
        if error.refused_by_admission:
            return Decision("bridge", f"the cluster refuses {KIND}{note}: {_words(error)}")
        raise
    return Decision("sidecar", f"the cluster takes {KIND}{note}")


def _words(error: ApiError) -> str:
    """The policy's own words, on one line."""
    _, forbidden, words = str(error).partition(" is forbidden: ")
    return printable(" ".join((words if forbidden else str(error)).split()), MAX_MESSAGE)
