# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""cert-manager as an authority: a CertificateRequest for a key that the machine made.

cert-manager signs the names that a request asks for, so these are judged before it is asked, and
what it signed is judged as every certificate is. The request lives for the seconds that this
takes (cert-manager: pkg/apis/certmanager/v1/types_certificaterequest.go).
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ansible_collections.brownfield.mesh.plugins.module_utils.spec import (
    CertManager,
    Machine,
    Workload,
)
from ansible_collections.brownfield.mesh.plugins.plugin_utils import identity_providers
from ansible_collections.brownfield.mesh.plugins.plugin_utils.client import Client
from ansible_collections.brownfield.mesh.plugins.plugin_utils.errors import (
    ApiError,
    ClusterError,
    IdentityError,
    explain,
)
from ansible_collections.brownfield.mesh.plugins.plugin_utils.kinds import (
    KINDS,
    Ref,
    collection_path,
)
from ansible_collections.brownfield.mesh.plugins.plugin_utils.objects import (
    MANAGED_BY_LABEL,
    MANAGER,
    Object,
)

if TYPE_CHECKING:
    from cryptography import x509

# Signing takes a second; an approver that asks somewhere takes longer.
SIGNED_SECONDS = 60
INTERVAL_SECONDS = 0.25
# Tells who approves requests by hand which machine asks.
MACHINE_ANNOTATION = MANAGER + "/machine"


class Authority:
    """The issuer in the cluster, for one machine: a Provider of identity_providers."""

    def __init__(
        self, machine: Machine, workload: Workload, issuer: CertManager, roots: str
    ) -> None:
        """``roots`` is what the mesh trusts (PEM). Raises IdentityError."""
        self._cluster = machine.mesh.cluster
        self._issuer = issuer
        self._lifetime = machine.mesh.identity.lifetime_seconds
        self._spiffe_id = workload.spiffe_id(machine.mesh.trust_domain)
        self._roots: list[x509.Certificate] = identity_providers.certificates(
            roots, "the mesh's root"
        )
        self._account = Ref("ServiceAccount", workload.namespace, workload.service_account)
        self._machine = machine.name
        # One name for each machine: what a killed run left is replaced by the next. Inventories
        # name machines as they like, Kubernetes does not.
        name = "%s-%s" % (MANAGER, hashlib.sha256(machine.name.encode()).hexdigest()[:16])
        self._ref = Ref("CertificateRequest", workload.namespace, name)

    def known(self) -> str:
        """Nothing: each machine makes its key."""
        return ""

    def issuer(self) -> str:
        """The issuer's name: with another one, each machine gets a new certificate."""
        return "%s %s of %s\n" % (self._issuer.kind, self._issuer.issuer, self._issuer.group)

    def finding(self) -> str:
        """Nothing: the authority is the cluster's."""
        return ""

    def issue(self, request: str) -> identity_providers.Issued:
        """Have the request signed. Raises IdentityError and ClusterError."""
        self._judge_request(request)
        client = Client.of(self._cluster)
        try:
            self._remove(client)
            self._ask(client, request)
            try:
                signed = self._signed(client)
            finally:
                # What went wrong is told already; the next run takes away what is left.
                with contextlib.suppress(ClusterError):
                    self._remove(client)
        except ApiError as error:
            raise self._refused(error) from None
        where = "the certificate of %s" % self.issuer().strip()
        identity_providers.judge(signed, request, self._spiffe_id, self._roots, where)
        return identity_providers.Issued(signed)

    def _judge_request(self, request: str) -> None:
        names = identity_providers.asked_names(request)
        if names != ["URI:" + self._spiffe_id]:
            raise IdentityError(
                "the machine asks for a certificate for %s, but it is %s; nobody was asked to sign"
                " it. See who changed the machine" % (", ".join(names) or "none", self._spiffe_id)
            )

    def _ask(self, client: Client, request: str) -> None:
        # Who offboards takes the service account away, and the cluster then what it owns.
        account = client.get(self._account.path)
        client.request(
            "POST",
            collection_path(self._ref.kind, self._ref.namespace),
            self._object(request, str(account["metadata"]["uid"])),
        )

    def _object(self, request: str, owner: str) -> Object:
        return {
            "apiVersion": KINDS[self._ref.kind].api_version,
            "kind": self._ref.kind,
            "metadata": {
                "name": self._ref.name,
                "namespace": self._ref.namespace,
                "labels": {MANAGED_BY_LABEL: MANAGER},
                "annotations": {MACHINE_ANNOTATION: self._machine},
                "ownerReferences": [
                    {
                        "apiVersion": KINDS[self._account.kind].api_version,
                        "kind": self._account.kind,
                        "name": self._account.name,
                        "uid": owner,
                    }
                ],
            },
            "spec": {
                "request": base64.b64encode(request.encode()).decode(),
                "duration": "%ds" % self._lifetime,
                "usages": ["digital signature", "key encipherment", "server auth", "client auth"],
                "issuerRef": {
                    "name": self._issuer.issuer,
                    "kind": self._issuer.kind,
                    "group": self._issuer.group,
                },
            },
        }

    def _signed(self, client: Client) -> str:
        """The chain (PEM), as soon as it is there."""
        end = time.monotonic() + SIGNED_SECONDS
        while True:
            status: Mapping[str, Any] = client.get(self._ref.path).get("status") or {}
            conditions = list(status.get("conditions") or ())
            problem = _refusal(conditions)
            if problem:
                raise IdentityError("%s does not sign: %s" % (self.issuer().strip(), problem))
            if status.get("certificate"):
                return base64.b64decode(status["certificate"]).decode("utf-8", "replace")
            if time.monotonic() > end:
                raise IdentityError(
                    "%s has not signed within %d s: %s"
                    % (self.issuer().strip(), SIGNED_SECONDS, _waits_for(conditions))
                )
            time.sleep(INTERVAL_SECONDS)

    def _remove(self, client: Client) -> None:
        try:
            client.request("DELETE", self._ref.path)
        except ApiError as error:
            if error.status != 404 or error.unknown_kind:
                raise

    def _refused(self, error: ApiError) -> ClusterError:
        if error.unknown_kind:
            return ClusterError(
                "%s: the API server does not know this kind. Install cert-manager (1.0 or newer),"
                " or choose another mesh.identity.provider" % self._ref
            )
        if error.status == 404 and error.details.get("kind") in ("serviceaccounts", "namespaces"):
            return ClusterError(
                "%s is not in the cluster: run the tag cluster_objects first" % self._account
            )
        return ClusterError(explain(error, str(self._ref)))


def _refusal(conditions: Sequence[Mapping[str, str]]) -> str:
    """Why the request was refused for good, or ''."""
    for one in conditions:
        refused = one["type"] in ("Denied", "InvalidRequest") and one["status"] == "True"
        if refused or (one["type"] == "Ready" and one.get("reason") in ("Failed", "Denied")):
            return "%s: %s" % (one.get("reason") or one["type"], one.get("message", ""))
    return ""


def _waits_for(conditions: Sequence[Mapping[str, str]]) -> str:
    states = {one["type"]: one for one in conditions}
    if "Ready" in states:
        ready = states["Ready"]
        return "%s: %s" % (ready.get("reason", ""), ready.get("message", ""))
    if "Approved" in states:
        return "approved, but no controller takes issuers of this group and kind"
    return "nobody has approved the request; see whether cert-manager runs, and its approver"
