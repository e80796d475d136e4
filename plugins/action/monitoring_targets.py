# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Tell Prometheus whom to watch: the plan's machines, as the files that it reads by itself."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.brownfield.mesh.plugins.module_utils.spec import (
    Machine,
    Vantage,
    Workload,
    from_data,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.watch import options as known
from ansible_collections.brownfield.mesh.plugins.module_utils.watch.state import (
    VANTAGE_CERTIFICATE,
)
from ansible_collections.brownfield.mesh.plugins.plugin_utils.monitoring import (
    deliver,
    pinned,
    targets,
)

MODULE = "brownfield.mesh.monitoring_targets"


class ActionModule(ActionBase):  # type: ignore[misc]
    """The controller's side of ``brownfield.mesh.monitoring_targets``."""

    _requires_connection = True

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Render and write."""
        super().run(tmp, task_vars)
        _, options = self.validate_argument_spec(
            argument_spec={
                **known.TARGETS,
                **{
                    name: {**known.TARGETS[name], "required": True} for name in ("machines", "here")
                },
            }
        )
        options = deliver.plain(options)
        pairs = [
            (from_data(Machine, one["machine"]), from_data(Workload, one["workload"]))
            for one in options["machines"].values()
        ]
        owners, without = options["owners"], options["without"]
        vantages = [from_data(Vantage, one) for one in options["vantages"]]
        result: dict[str, Any] = self._execute_module(
            module_name=MODULE,
            module_args={
                "content": targets.render(pairs, options["here"], owners, without),
                "vantages": targets.vantages(vantages, owners, without),
                "certificates": _certificates(vantages, options["certificates"], without),
                "installed": options["installed"],
            },
            task_vars=task_vars,
        )
        result.pop("invocation", None)
        return result


def _certificates(
    vantages: Sequence[Vantage], shown: Mapping[str, str], without: Collection[str]
) -> dict[str, str]:
    """Of each vantage that stays, the certificate that it has shown; empty when it has not."""
    found = {}
    for vantage in vantages:
        if vantage.name in without:
            continue
        pem = shown.get(vantage.name, "")
        try:
            found[vantage.name] = pinned.certificate(pem, vantage.address) if pem else ""
        except ValueError as error:
            raise AnsibleActionFail(
                "%s: what it shows in %s %s; remove that file there and run"
                " brownfield.mesh.monitor again" % (vantage.name, VANTAGE_CERTIFICATE, error)
            ) from None
    return found
