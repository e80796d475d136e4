# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Pinned artefacts: fetched or pushed, verified, installed. Nothing is installed unverified."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import platform
import shutil
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.brownfield.mesh.plugins.module_utils.desired import (
    Change,
    File,
    Host,
    MachineError,
    temporary_beside,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.spec import Artifact

RECORD_FOLDER = "/etc/mesh-proxy"
RECORD = RECORD_FOLDER + "/artifacts.json"
PACKAGE = "istio-sidecar"
MAX_BYTES = 1 << 30
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
# Where `binaries` lie; packages bring their own places.
BINARY_FOLDER = "/opt/mesh-proxy"
BINARIES = {"pilot-agent": 0o755, "envoy": 0o755, "envoy_bootstrap_tmpl.json": 0o644}
PACKAGE_COMMANDS = {
    "deb": (["dpkg", "--install"], ["dpkg", "--purge"]),
    "rpm": (["rpm", "--upgrade", "--oldpackage", "--replacepkgs"], ["rpm", "--erase"]),
}


def architecture() -> str:
    """This machine's architecture as Debian and Go name it."""
    return ARCHITECTURES.get(platform.machine(), platform.machine())


def chosen(artifacts: Sequence[Artifact], arch: str) -> list[Artifact]:
    """The artefacts for this architecture. Raises MachineError naming what is missing."""
    fitting = [a for a in artifacts if a.architecture in (arch, "any")]
    missing = {a.name for a in artifacts} - {a.name for a in fitting}
    if missing:
        raise MachineError(
            "no artefact for architecture %s: %s; add one to mesh.proxy.artifacts"
            % (arch, ", ".join(sorted(missing)))
        )
    return fitting


def place(name: str) -> str:
    """Where a binary artefact is installed."""
    return os.path.join(BINARY_FOLDER, "bin" if not name.endswith(".json") else "", name)


def need(artifact: Artifact) -> str:
    """How a machine asks for an artefact that the controller has."""
    return "artifact %s %s" % (artifact.name, artifact.architecture)


def missing(host: Host, package: str, artifacts: Sequence[Artifact]) -> list[Artifact]:
    """Those that are not installed as their digest says.

    What was installed is recorded with size and modification time, so that nothing-to-do does not
    read hundreds of megabytes; a file touched since then counts as missing and is verified anew.
    """
    record = _record(host)
    return [a for a in artifacts if record.get(a.name) != _entry(host, package, a)]


def install(
    host: Host,
    package: str,
    artifact: Artifact,
    pushed: Mapping[str, str],
    https_proxy: str,
) -> None:
    """Fetch (or take what the controller pushed), verify, install, record. Raises MachineError."""
    # A package lies beside our record while it is installed: a folder that only root writes to.
    target = host.path(place(artifact.name) if package == "binaries" else RECORD)
    os.makedirs(os.path.dirname(target), mode=0o755, exist_ok=True)
    temporary, handle = temporary_beside(target)
    os.close(handle)
    try:
        if artifact.name in pushed:
            shutil.copyfile(pushed[artifact.name], temporary)
        else:
            _download(artifact, temporary, https_proxy)
        digest = _sha256(temporary)
        if digest != artifact.sha256:
            raise MachineError(
                "artefact %s: sha256 is %s but mesh.proxy.artifacts says %s; nothing was installed"
                % (artifact.name, digest, artifact.sha256)
            )
        if package == "binaries":
            os.chmod(temporary, BINARIES[artifact.name])
            os.replace(temporary, target)
        else:
            host.run([*PACKAGE_COMMANDS[package][0], temporary])
    finally:
        if os.path.exists(temporary):
            os.unlink(temporary)
    record = _record(host)
    record[artifact.name] = _entry(host, package, artifact)
    host.write(File(RECORD, json.dumps(record, indent=2, sort_keys=True) + "\n", 0o644))


def change(
    host: Host,
    package: str,
    artifact: Artifact,
    pushed: Mapping[str, str],
    https_proxy: str,
) -> Change:
    """The installation as a change to show and to make."""
    after = "%s sha256:%s\n" % (artifact.name, artifact.sha256)
    before = _record(host).get(artifact.name)
    return Change(
        "artefact " + artifact.name,
        "%s sha256:%s\n" % (artifact.name, before["sha256"]) if before else "",
        after,
        lambda: install(host, package, artifact, pushed, https_proxy),
    )


def uninstall(host: Host) -> list[Change]:
    """Take away what ``install`` brought."""
    changes = []
    record = _record(host)
    packages = {e["package"] for e in record.values()} & set(PACKAGE_COMMANDS)
    for package in sorted(packages):
        command = [*PACKAGE_COMMANDS[package][1], PACKAGE]
        changes.append(
            Change("package " + PACKAGE, PACKAGE + "\n", "", lambda c=command: _run(host, c))  # type: ignore[misc]
        )
    if os.path.exists(host.path(BINARY_FOLDER)):
        changes.append(
            Change(BINARY_FOLDER, "folder\n", "", lambda: host.remove(BINARY_FOLDER)),
        )
    return changes


def _run(host: Host, command: Sequence[str]) -> None:
    host.run(command)
    # dpkg takes a folder that became empty along, even one that was there before.
    os.makedirs(host.path("/usr/local/bin"), mode=0o755, exist_ok=True)


def _record(host: Host) -> dict[str, Any]:
    try:
        record = json.loads(host.read(RECORD) or "{}")
    except ValueError:  # half a file cannot be; anything else is verified anew
        return {}
    return record if isinstance(record, dict) else {}


def _entry(host: Host, package: str, artifact: Artifact) -> dict[str, Any]:
    """What the record says when the artefact is in place; empty when it is not."""
    path = place(artifact.name) if package == "binaries" else "/usr/local/bin/pilot-agent"
    try:
        status = os.stat(host.path(path))
    except FileNotFoundError:
        return {}
    return {
        "package": package,
        "sha256": artifact.sha256,
        "size": status.st_size,
        "modified_ns": status.st_mtime_ns,
    }


def _download(artifact: Artifact, target: str, https_proxy: str) -> None:
    proxies = {"https": https_proxy, "http": https_proxy} if https_proxy else {}
    opener = urllib.request.build_opener(urllib.request.ProxyHandler(proxies))
    try:
        with opener.open(artifact.url, timeout=30) as answer, open(target, "wb") as file:
            read = 0
            while True:
                block = answer.read(1 << 20)
                if not block:
                    break
                read += len(block)
                if read > MAX_BYTES:
                    raise MachineError("artefact %s is larger than 1 GiB" % artifact.name)
                file.write(block)
    except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
        # A query may hold a signature (Azure's shared access): it is not shown.
        raise MachineError(
            "artefact %s cannot be fetched from %s (%s); give a mirror, mesh.proxy.https_proxy,"
            " or `path` to have the controller push it"
            % (artifact.name, artifact.url.split("?", 1)[0], error)
        ) from None


def _sha256(path: str) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()
