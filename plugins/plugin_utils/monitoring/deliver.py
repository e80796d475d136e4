# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Ask, supply, apply: the controller's side of bringing an installation onto a machine."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.plugins.action import ActionBase
from ansible_collections.brownfield.mesh.plugins.module_utils.spec import (
    Artifact,
    from_data,
    to_data,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.watch.programs import need
from ansible_collections.brownfield.mesh.plugins.module_utils.watch.state import (
    Archive,
    Installation,
)


def artifacts(name: str, variable: str, given: Sequence[Mapping[str, str]]) -> tuple[Artifact, ...]:
    """The artefacts of one archive. Raises AnsibleActionFail naming the variable and the fix."""
    if not given:
        raise AnsibleActionFail(
            "%s is empty; give `sha256` with `url` (a mirror) or `path` (on the controller) of a"
            " Debian package, a tar archive or the program" % variable
        )
    for one in given:
        if bool(one["url"]) == bool(one["path"]):
            raise AnsibleActionFail("%s: give either `url` or `path`" % variable)
        if len(one["sha256"]) != 64 or set(one["sha256"]) - set("0123456789abcdef"):
            raise AnsibleActionFail(
                "%s: sha256 is not 64 lower-case hexadecimal digits; see sha256sum(1)" % variable
            )
    return tuple(from_data(Artifact, {**one, "name": name}) for one in given)


def plain(options: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments without Ansible's tags, which a YAML writer does not know."""
    data: dict[str, Any] = json.loads(json.dumps(options))
    return data


def deliver(
    action: ActionBase, module: str, wanted: Installation, task_vars: dict[str, Any] | None
) -> dict[str, Any]:
    """Call the module with the desired state; bring what it needs and call it again."""
    files = tuple(
        dataclasses.replace(file, content="") if file.secret else file for file in wanted.files
    )
    arguments: dict[str, Any] = {
        "installation": to_data(dataclasses.replace(wanted, files=files)),
        "secrets": {file.path: file.content for file in wanted.files if file.secret},
    }
    # Secrets travel in the connection's stream: no module file holds them on a disk.
    action._connection.always_pipeline_modules = True
    result = _call(action, module, arguments, task_vars)
    if result.get("needs") and not result.get("failed") and not action._task.check_mode:
        try:
            arguments["pushed"] = {
                archive.name: _push(action, archive, artifact)
                for archive in wanted.archives
                for artifact in archive.artifacts
                if need(archive, artifact) in result["needs"]
            }
            result = _call(action, module, arguments, task_vars)
        finally:
            action._remove_tmp_path(action._connection._shell.tmpdir)
    result.pop("invocation", None)  # it would repeat the whole desired state
    return result


def _call(
    action: ActionBase, module: str, arguments: dict[str, Any], task_vars: dict[str, Any] | None
) -> dict[str, Any]:
    result: dict[str, Any] = action._execute_module(
        module_name=module, module_args=arguments, task_vars=task_vars
    )
    return result


def _push(action: ActionBase, archive: Archive, artifact: Artifact) -> str:
    """Bring the file; returns where it lies on the machine."""
    try:
        path = action._find_needle("files", artifact.path)
    except AnsibleError as error:
        raise AnsibleActionFail(
            "%s: there is no file %s on the controller; correct `path`"
            % (archive.variable, artifact.path)
        ) from error
    shell = action._connection._shell
    if not shell.tmpdir:
        action._make_tmp_path()
    remote: str = shell.join_path(shell.tmpdir, archive.name)
    action._transfer_file(path, remote)
    return remote
