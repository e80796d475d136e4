# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Asks a kubeconfig's exec plugin (kubelogin, aws ...) for a credential.

The protocol: https://kubernetes.io/docs/reference/config-api/client-authentication.v1/
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.brownfield.mesh.plugins.plugin_utils.errors import ClusterError

TIMEOUT_SECONDS = 60


@dataclass(frozen=True)
class Credential:
    """What a plugin gave: a bearer token, or a certificate with its key (PEM), or both."""

    token: str = field(default="", repr=False)
    certificate: str = field(default="", repr=False)
    key: str = field(default="", repr=False)


def exec_credential(
    plugin: Mapping[str, Any], cluster: Mapping[str, Any], folder: Path
) -> Credential:
    """Runs ``plugin`` (the kubeconfig's block ``exec``), never interactively.

    ``cluster`` is the kubeconfig's cluster block, handed on if the plugin wants it; a relative
    command starts from ``folder``. Raises ClusterError.
    """
    command = str(plugin.get("command") or "")
    if os.sep in command:
        command = str(folder / command)
    version = plugin.get("apiVersion") or "client.authentication.k8s.io/v1"
    info: dict[str, Any] = {
        "apiVersion": version,
        "kind": "ExecCredential",
        "spec": {"interactive": False},
    }
    if plugin.get("provideClusterInfo"):
        info["spec"]["cluster"] = cluster
    environment = {str(item["name"]): str(item["value"]) for item in plugin.get("env") or ()}
    try:
        done = subprocess.run(
            [command, *(str(argument) for argument in plugin.get("args") or ())],
            env={**os.environ, **environment, "KUBERNETES_EXEC_INFO": json.dumps(info)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
    except OSError as error:
        hint = str(plugin.get("installHint") or "install it or correct the kubeconfig").strip()
        raise ClusterError(
            f"the kubeconfig's credential plugin {command} cannot be run: {error.strerror}; {hint}"
        ) from None
    except subprocess.TimeoutExpired:
        raise ClusterError(
            f"the kubeconfig's credential plugin {command} gave no answer in"
            f" {TIMEOUT_SECONDS} seconds; log in by hand first"
        ) from None
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1][:300]
        raise ClusterError(
            f"the kubeconfig's credential plugin {command} failed"
            f" (exit code {done.returncode}): {last}; log in by hand first"
        )
    return _parse(done.stdout, command)


def _parse(output: str, command: str) -> Credential:
    try:
        status = json.loads(output)["status"]
        given = Credential(
            token=str(status.get("token") or ""),
            certificate=str(status.get("clientCertificateData") or ""),
            key=str(status.get("clientKeyData") or ""),
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        given = Credential()
    if not given.token and not given.certificate:
        raise ClusterError(
            f"the kubeconfig's credential plugin {command} printed no ExecCredential with a"
            " token or certificate"
        )
    return given
