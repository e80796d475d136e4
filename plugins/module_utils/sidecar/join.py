# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Join a machine: ask, supply, apply.

Order: preflight, files, artefacts, proxy start, proxy ready, guard, capture; confirm comes in a
call of its own over a fresh connection. Each step reads, decides, acts.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.brownfield.mesh.plugins.module_utils import artifacts, desired, identity
from ansible_collections.brownfield.mesh.plugins.module_utils.desired import (
    Change,
    File,
    Host,
    MachineError,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.sidecar import (
    agent,
    backoff,
    capture,
    resolver,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.sidecar.preflight import preflight
from ansible_collections.brownfield.mesh.plugins.module_utils.sidecar.state import (
    CERTIFICATE,
    CERTIFICATES,
    CONFIG,
    PROXY_UNIT,
    RUNTIME,
    TOKEN,
    UNITS,
    USER,
    SidecarState,
)

READY_SECONDS = 60
READY_INTERVAL_SECONDS = 0.1
# A certificate nearer to its end than this is not relied on: the agent may be unable to renew it.
IDENTITY_MARGIN_SECONDS = 300


@dataclass(frozen=True)
class Supply:
    """What only the controller has: a token, artefacts it pushed (name -> path here), its clock.

    ``clock`` is in seconds since the epoch; 0 when it is not known.
    """

    token: str = ""
    pushed: Mapping[str, str] = field(default_factory=dict)
    clock: float = 0.0


def join(host: Host, state: SidecarState, supply: Supply, check: bool) -> dict[str, Any]:
    """Compare and, unless something is needed from the controller or ``check``, apply.

    Returns what Ansible reports: changed, diff, needs, confirm, and the machine's facts. Raises
    MachineError.
    """
    arch = artifacts.architecture()
    problems = preflight(host, state, arch, supply.clock)
    if problems:
        raise MachineError("; ".join(problems))
    lacking = artifacts.missing(host, state.package, artifacts.chosen(state.artifacts, arch))
    captured = capture.environment(host, state)
    settings = capture.settings(host, captured)
    resolving = resolver.changes(host, state.dns)
    has_identity = _has_identity(host, state)
    files = desired.compare(host, state.files)
    changes = files + backoff.changes(host) + resolving
    changes += [
        artifacts.change(host, state.package, a, supply.pushed, state.https_proxy) for a in lacking
    ]
    if has_identity and os.path.lexists(host.path(TOKEN)):  # a killed run left it
        changes.append(Change(TOKEN, "(secret)\n", "", lambda: host.remove(TOKEN)))
    running = _running_digest(host) == state.digest
    # The digest says what a proxy was to be started with; somebody may have changed that since.
    edited = running and any(_is_read_at_start(change) for change in files)
    restart = bool(lacking or resolving) or not running or edited or not has_identity
    captures = bool(settings) or not capture.is_on(host, captured)
    shown = changes + settings + _shown(restart, captures)
    needs = [] if has_identity or supply.token else ["token"]
    needs += [artifacts.need(a) for a in lacking if a.path and a.name not in supply.pushed]
    result: dict[str, Any] = {
        "changed": bool(shown),
        "diff": desired.diff_of(shown),
        "needs": needs,
        "confirm": False,
    }
    if check or needs or not shown:
        result["changed"] = bool(shown) and (check or not needs)
        return {**result, **facts(host, state)}
    if edited:
        # First: a run that is killed after it has mended the file finds the proxy down.
        host.run(["systemctl", "stop", PROXY_UNIT])
    try:
        for change in changes:
            change.act()
    except (MachineError, OSError):
        if edited:  # better the proxy with what lies there, each file whole, than none
            host.run(["systemctl", "start", PROXY_UNIT], check=False)
        raise
    # A run that was killed may have written units that systemd has not read.
    if restart or any(change.what.startswith("/etc/systemd/") for change in changes):
        host.run(["systemctl", "daemon-reload"])
    if resolving:
        resolver.reload(host)
    if restart:
        _start(host, state, supply.token)
    if settings or not capture.is_on(host, captured):
        capture.switch_on(host, settings)
        result["confirm"] = True
    return {**result, **facts(host, state)}


def confirm(host: Host, state: SidecarState) -> dict[str, Any]:
    """Keep capture: the connection that brought this call works with it."""
    capture.confirm(host)
    return {"changed": True, "needs": [], "confirm": False, **facts(host, state)}


def facts(host: Host, state: SidecarState) -> dict[str, Any]:
    """What the machine is now: identity, versions, capture. No secret among it."""
    found = identity.read(host.path(CERTIFICATE))
    kind = capture.rules(host)
    ready = agent.is_ready()
    return {
        "mode": "sidecar",
        "spiffe_id": found.spiffe_id if found else "",
        "not_before": found.not_before if found else 0,
        "not_after": found.not_after if found else 0,
        "capture": {"on": bool(kind), "method": kind},
        "versions": agent.versions() if ready else {"agent": "", "envoy": ""},
        "checks": {
            "identity_valid": _has_identity(host, state),
            "proxy_ready": ready,
            "capture_on": bool(kind),
        },
    }


def _has_identity(host: Host, state: SidecarState) -> bool:
    found = identity.read(host.path(CERTIFICATE))
    return (
        found is not None
        and found.spiffe_id == state.spiffe_id
        and found.valid_for(time.time()) > IDENTITY_MARGIN_SECONDS
    )


def _running_digest(host: Host) -> str:
    """The digest that the running proxy was started with, or '' when none runs."""
    shown = host.run(
        ["systemctl", "show", "--property=MainPID", "--value", PROXY_UNIT], check=False
    )
    pid = shown.strip() or "0"
    environment = host.read("/proc/%s/environ" % pid) if pid != "0" else None
    for entry in (environment or "").split("\0"):
        if entry.startswith("MESH_PROXY_DIGEST="):
            return entry.split("=", 1)[1]
    return ""


def _is_read_at_start(change: Change) -> bool:
    """Whether the proxy must start anew for what the file says."""
    ours = change.what.startswith(CONFIG + "/") or change.what == "%s/%s" % (UNITS, PROXY_UNIT)
    return ours and change.before != change.after


def _shown(restart: bool, captures: bool) -> list[Change]:
    shown = []
    if restart:
        shown.append(Change(PROXY_UNIT, "", "started with these files\n", _nothing))
    if captures:
        shown.append(Change("capture", "", "on\n", _nothing))
    return shown


def _nothing() -> None:
    """Shown changes are made by the steps around them."""


def _start(host: Host, state: SidecarState, token: str) -> None:
    # Stopped first: systemd empties the runtime directory, where the token lies.
    host.run(["systemctl", "stop", PROXY_UNIT])
    if token:
        # istiod believes the old certificate before the token, and refuses one that has expired.
        for name in os.listdir(host.path(CERTIFICATES)):
            host.remove("%s/%s" % (CERTIFICATES, name))
        os.makedirs(host.path(RUNTIME), mode=0o700, exist_ok=True)
        os.chown(host.path(RUNTIME), host.uid(USER), host.gid(USER))
        host.write(File(TOKEN, token, 0o600, USER, USER, secret=True))
    try:
        host.run(["systemctl", "start", PROXY_UNIT])
        _wait_ready(host, state)
    finally:
        host.remove(TOKEN)


def _wait_ready(host: Host, state: SidecarState) -> None:
    end = time.monotonic() + READY_SECONDS
    while time.monotonic() < end:
        if agent.is_ready() and _has_identity(host, state):
            return
        time.sleep(READY_INTERVAL_SECONDS)
    found = identity.read(host.path(CERTIFICATE))
    if found and found.spiffe_id != state.spiffe_id:
        raise MachineError(
            "istiod gave the identity %s, not %s; set mesh.trust_domain to the mesh's own"
            % (found.spiffe_id, state.spiffe_id)
        )
    words = agent.last_words(host)
    raise MachineError(
        "the proxy is not ready after %d s: %s. Its last words:\n%s"
        % (READY_SECONDS, agent.advice(words), words)
    )
