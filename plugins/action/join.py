# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Join a machine: render its state, ask it what it lacks, supply just that, confirm capture.

What differs between the modes is what is rendered, and which secret is supplied.

At most three remote module calls: ask (which applies by itself when nothing is needed from here),
supply and apply, confirm over a fresh connection.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.plugins.action import ActionBase
from ansible_collections.brownfield.mesh.plugins.module_utils import artifacts
from ansible_collections.brownfield.mesh.plugins.module_utils.cluster import ClusterFacts
from ansible_collections.brownfield.mesh.plugins.module_utils.spec import (
    Machine,
    Prometheus,
    Vault,
    Workload,
    from_data,
    to_data,
)
from ansible_collections.brownfield.mesh.plugins.plugin_utils.errors import (
    ClusterError,
    IdentityError,
)

if TYPE_CHECKING:
    from ansible_collections.brownfield.mesh.plugins.plugin_utils.identity_providers import Provider

MODULE = "brownfield.mesh.join"


class ActionModule(ActionBase):  # type: ignore[misc]
    """The controller's side of ``brownfield.mesh.join``."""

    _requires_connection = True

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Ask, supply, apply, confirm."""
        super().run(tmp, task_vars)
        _, options = self.validate_argument_spec(
            argument_spec={
                **{
                    name: {"type": "dict", "required": True}
                    for name in ("machine", "workload", "cluster")
                },
                "monitoring": {"type": "list", "elements": "dict", "default": []},
            }
        )
        # Plain strings: those of Ansible carry tags that a YAML writer does not know.
        options = json.loads(json.dumps(options))
        machine = from_data(Machine, options["machine"])
        workload = from_data(Workload, options["workload"])
        cluster = from_data(ClusterFacts, options["cluster"])
        try:
            monitoring = [from_data(Prometheus, one) for one in options["monitoring"]]
            subject = self._subject(machine, workload, cluster, monitoring)
        except IdentityError as error:
            raise AnsibleActionFail(str(error)) from None
        arguments: dict[str, Any] = {"mode": machine.mode, "state": to_data(subject.state)}
        calls, needs = 1, []
        result = self._call(arguments, task_vars)
        check = self._task.check_mode
        if result.get("needs") and not result.get("failed") and not check:
            needs, calls = result["needs"], 2
            # A secret travels in the connection's stream: no module file holds it on a disk.
            self._connection.always_pipeline_modules = True
            try:
                arguments.update(self._artifacts(needs, machine))
                if subject.need in needs:
                    arguments.update(subject.supply(result))
                result = self._call(arguments, task_vars)
            except (ClusterError, IdentityError) as error:
                raise AnsibleActionFail(str(error)) from None
            finally:
                self._remove_tmp_path(self._connection._shell.tmpdir)
        if result.get("confirm") and not result.get("failed"):
            calls += 1
            # Not the multiplexed connection: it was made before capture and would outlive it.
            self._connection.reset()
            again = {"mode": machine.mode, "state": arguments["state"], "confirm": True}
            confirmed = self._call(again, task_vars)
            result = {**result, **confirmed}
        result.pop("confirm", None)
        result.pop("csr", None)
        result.pop("invocation", None)  # it would repeat the whole desired state
        if subject.finding:
            result["warnings"] = [*result.get("warnings", []), subject.finding]
        return {**result, "needs": needs, "mesh_calls": calls}

    def _call(self, arguments: dict[str, Any], task_vars: dict[str, Any] | None) -> dict[str, Any]:
        result: dict[str, Any] = self._execute_module(
            module_name=MODULE,
            module_args={**arguments, "clock": time.time()},
            task_vars=task_vars,
        )
        return result

    def _subject(
        self,
        machine: Machine,
        workload: Workload,
        cluster: ClusterFacts,
        monitoring: Sequence[Prometheus],
    ) -> _Sidecar | _Bridge | _Vault:
        if machine.mode != "bridge":
            return _Sidecar(machine, workload, cluster)
        identity, asked = machine.mesh.identity, machine.mesh.bridge.revocation
        lists = [
            Path(self._find(path, "mesh.bridge.revocation.lists"))
            for path in (asked.lists if asked else ())
        ]
        if identity.vault is not None and identity.provider == "vault":
            ca = Path(self._find(identity.vault.ca, "mesh.identity.vault.ca"))
            return _Vault(machine, workload, cluster, monitoring, lists, identity.vault, ca)
        provider = self._provider(machine, workload, cluster.root_certificate)
        return _Bridge(machine, workload, cluster, monitoring, lists, provider)

    def _provider(self, machine: Machine, workload: Workload, roots: str) -> Provider:
        identity = machine.mesh.identity
        if identity.cert_manager is not None and identity.provider == "cert_manager":
            from ansible_collections.brownfield.mesh.plugins.plugin_utils import cert_manager

            return cert_manager.Authority(machine, workload, identity.cert_manager, roots)
        from ansible_collections.brownfield.mesh.plugins.plugin_utils import identity_providers

        paths = [
            Path(self._find(path, "mesh.identity")) for path in (identity.certificate, identity.key)
        ]
        spiffe_id = workload.spiffe_id(machine.mesh.trust_domain)
        return identity_providers.of(identity, spiffe_id, roots, paths)

    def _artifacts(self, needs: list[str], machine: Machine) -> dict[str, Any]:
        pushed: dict[str, str] = {}
        for artifact in machine.mesh.proxy.artifacts:
            if artifacts.need(artifact) not in needs:
                continue
            path = self._find(artifact.path, "artefact %s" % artifact.name)
            if not self._connection._shell.tmpdir:
                self._make_tmp_path()
            shell = self._connection._shell
            remote = shell.join_path(shell.tmpdir, artifact.name)
            self._transfer_file(path, remote)
            pushed[artifact.name] = remote
        return {"pushed": pushed} if pushed else {}

    def _find(self, path: str, what: str) -> str:
        try:
            return str(self._find_needle("files", path))
        except AnsibleError as error:
            raise AnsibleActionFail(
                "%s: there is no file %s on the controller; correct its `path`" % (what, path)
            ) from error


# What follows imports only what its mode uses: the rest takes its time to load.
class _Sidecar:
    """A machine whose identity istiod gives for a token."""

    need, finding = "token", ""

    def __init__(self, machine: Machine, workload: Workload, cluster: ClusterFacts) -> None:
        from ansible_collections.brownfield.mesh.plugins.plugin_utils import sidecar_state

        self._cluster, self._workload = machine.mesh.cluster, workload
        self.state = sidecar_state.render(machine, workload, cluster)

    def supply(self, asked: dict[str, Any]) -> dict[str, str]:
        """A token, minutes long. Raises ClusterError."""
        from ansible_collections.brownfield.mesh.plugins.plugin_utils import token

        workload = self._workload
        return {"token": token.request(self._cluster, workload.namespace, workload.service_account)}


class _Bridge:
    """A machine whose identity a provider gives."""

    need = "identity"

    def __init__(
        self,
        machine: Machine,
        workload: Workload,
        cluster: ClusterFacts,
        monitoring: Sequence[Prometheus],
        lists: Sequence[Path],
        provider: Provider,
    ) -> None:
        """Raises IdentityError when what the user brought is no identity of this machine's, or no
        list."""
        from ansible_collections.brownfield.mesh.plugins.plugin_utils import bridge_state

        self._provider, self.finding = provider, provider.finding()
        self.state = bridge_state.render(
            machine,
            workload,
            cluster,
            self._provider.known(),
            monitoring,
            issuer=self._provider.issuer(),
            revoked=_revoked(lists, cluster),
        )

    def supply(self, asked: dict[str, Any]) -> dict[str, str]:
        """The certificate for what the machine ``asked``, and its key where it made none. Raises
        IdentityError and ClusterError."""
        issued = self._provider.issue(asked.get("csr", ""))
        return {"certificate": issued.certificate, "key": issued.key}


class _Vault:
    """A machine that turns to Vault itself."""

    need, finding = "identity", ""

    def __init__(
        self,
        machine: Machine,
        workload: Workload,
        cluster: ClusterFacts,
        monitoring: Sequence[Prometheus],
        lists: Sequence[Path],
        vault: Vault,
        ca: Path,
    ) -> None:
        """Raises IdentityError when ``ca`` or ``lists`` cannot be read."""
        from ansible_collections.brownfield.mesh.plugins.plugin_utils import bridge_state

        self._vault, self._name = vault, machine.name
        try:
            self._ca = ca.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise IdentityError("%s cannot be read: %s" % (ca, error)) from None
        revoked = _revoked(lists, cluster)
        self.state = bridge_state.render(
            machine, workload, cluster, "", monitoring, self._ca, revoked=revoked
        )

    def supply(self, asked: dict[str, Any]) -> dict[str, str]:
        """A wrapped secret for the machine's first log-in. Raises IdentityError."""
        from ansible_collections.brownfield.mesh.plugins.plugin_utils import vault_login

        return vault_login.wrapped(self._vault, self._ca, self._name, os.environ)


def _revoked(lists: Sequence[Path], cluster: ClusterFacts) -> str:
    """The user's revocation lists (PEM). Raises IdentityError."""
    if not lists:
        return ""
    from ansible_collections.brownfield.mesh.plugins.plugin_utils import revocation

    return revocation.read(lists, cluster.root_certificate)
