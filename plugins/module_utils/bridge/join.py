# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Join a machine in mode ``bridge``: ask, supply, apply.

Order: preflight, files, identity, artefacts, Envoy's configuration (validated first), start, hot
restart or nothing, ready, firewall. Each step reads, decides, acts. What does not come to serve is
replaced by what served before.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Callable

from ansible_collections.brownfield.mesh.plugins.module_utils import artifacts, desired, identity
from ansible_collections.brownfield.mesh.plugins.module_utils.bridge import (
    authority,
    credentials,
    firewall,
    kept,
    proxy,
    timer,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.bridge.authority import Login
from ansible_collections.brownfield.mesh.plugins.module_utils.bridge.preflight import preflight
from ansible_collections.brownfield.mesh.plugins.module_utils.bridge.state import (
    CERTIFICATE,
    CONFIG,
    CURRENT,
    ENVOY_CONFIG,
    SUPERVISOR,
    UNIT,
    UNITS,
    USER,
    BridgeState,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.desired import (
    Change,
    File,
    Host,
    MachineError,
)

READY_SECONDS = 45
READY_INTERVAL_SECONDS = 0.05
# Envoy tells a file's format by its name.
CANDIDATE = CONFIG + "/candidate.json"
# What the supervisor is started with.
UNIT_FILES = (SUPERVISOR, "%s/%s" % (UNITS, UNIT))
IDENTITY = "identity"  # what a machine asks for that has none


@dataclass(frozen=True)
class Supply:
    """What only the controller has: a certificate (and its key where the machine did not make it),
    or what the machine logs in with to the authority; artefacts it pushed (name -> path here), its
    clock (seconds since the epoch, 0: not known)."""

    certificate: str = ""
    key: str = ""
    pushed: Mapping[str, str] = field(default_factory=dict)
    clock: float = 0.0
    login: Login = field(default_factory=Login)


def join(host: Host, state: BridgeState, supply: Supply, check: bool) -> dict[str, Any]:
    """Compare and, unless something is needed from the controller or ``check``, apply.

    Returns what Ansible reports: changed, diff, needs, csr, and the machine's facts. Raises
    MachineError.
    """
    arch = artifacts.architecture()
    problems = preflight(host, state, arch, supply.clock)
    if problems:
        raise MachineError("; ".join(problems))
    files = timer.compare(host, state.identity) + desired.compare(host, state.files)
    lacking = artifacts.missing(host, "binaries", artifacts.chosen(state.artifacts, arch))
    installs = [
        artifacts.change(host, "binaries", item, supply.pushed, state.https_proxy)
        for item in lacking
    ]
    renewed = _renewed(host, state)
    current = renewed and credentials.current(host, state.identity)
    identities = [] if current else [_identity(host, state, supply)]
    configures = [_validated(host, change) for change in desired.compare_file(host, state.envoy)]
    # Digests say what was to be started; somebody may have changed the files since.
    running = proxy.unit_digest(host) == state.unit_digest
    edited = running and any(change.what in UNIT_FILES for change in files)
    restart = edited or not running
    serving = proxy.running()
    renew = not restart and (bool(configures) or serving.digest != state.envoy_digest)
    closes = [] if firewall.is_on(host, state.firewall_mark) else [_firewall(host, state)]
    last = [*timer.timer(host, state.identity, files), *closes, *kept.compare(host)]
    shown = files + identities + installs + configures + _shown(restart, renew) + last
    supplied = bool(supply.certificate or supply.login.wrapping_token)
    needs = [IDENTITY] if not supplied and _lacks(host, state, check) else []
    needs += [artifacts.need(a) for a in lacking if a.path and a.name not in supply.pushed]
    result: dict[str, Any] = {
        "changed": bool(shown) and (check or not needs),
        "diff": desired.diff_of(shown),
        "needs": needs,
    }
    if check or needs or not shown:
        asks = not state.identity.certificate and state.identity.authority is None
        if IDENTITY in needs and not check and asks:
            result["csr"] = credentials.request(host, state.identity)
        return {**result, **facts(host, state)}
    if edited:
        # First: a run that is killed after it has mended the file finds the bridge down.
        host.run(["systemctl", "stop", UNIT])
    kept.keep(host)
    told = edited  # whether Envoy knows of what is new, or is down
    try:
        # What the machine logs in with lives for minutes: a slow download must not come before.
        for change in [*files, *identities, *installs, *configures]:
            change.act()
        # A run that was killed may have written units that systemd has not read.
        if restart or any(change.what.startswith("/etc/systemd/") for change in files):
            host.run(["systemctl", "daemon-reload"])
        told = True
        if restart:
            host.run(["systemctl", "restart", UNIT])
        elif renew or installs:
            host.run(["systemctl", "reload", UNIT])
        _wait_ready(host, state)
    except (MachineError, OSError) as error:
        raise MachineError("%s%s" % (error, _go_back(host, told))) from error
    kept.forget(host)
    for change in last:
        change.act()
    _tidy(host)
    return {**result, **facts(host, state)}


def facts(host: Host, state: BridgeState) -> dict[str, Any]:
    """What the machine is now: identity, versions, firewall. No secret among it."""
    found = identity.read(host.path(CERTIFICATE))
    serving = proxy.running()
    return {
        "mode": "bridge",
        "spiffe_id": found.spiffe_id if found else "",
        "not_before": found.not_before if found else 0,
        "not_after": found.not_after if found else 0,
        "capture": {"on": False, "method": ""},
        "versions": {"agent": "", "envoy": serving.version},
        "checks": {
            "identity_valid": credentials.usable(host, state.identity),
            "proxy_ready": bool(serving.digest),
            "application_closed": firewall.is_on(host, state.firewall_mark),
        },
    }


def _renewed(host: Host, state: BridgeState) -> bool:
    """Whether the identity is usable and, with an authority, the machine can renew it."""
    asked = state.identity.authority
    able = asked is None or authority.can_log_in(host, asked)
    return able and credentials.usable(host, state.identity)


def _lacks(host: Host, state: BridgeState, check: bool) -> bool:
    """Whether only the controller can bring what the identity lacks. Raises MachineError."""
    asked = state.identity.authority
    if _renewed(host, state):
        return False
    if asked is None or not authority.can_log_in(host, asked):
        return True
    return not check and authority.logged_out(host, asked)


def _identity(host: Host, state: BridgeState, supply: Supply) -> Change:
    found = identity.read(host.path(CERTIFICATE))

    def act() -> None:
        authority.fetch_lists(host, state.identity)
        if state.identity.authority is None or _renewed(host, state):
            with credentials.alone(host):
                credentials.install(host, state.identity, supply.certificate, supply.key)
        else:
            authority.issue(host, state.identity, supply.login)

    return Change(
        "identity",
        "%s\n" % found.spiffe_id if found else "",
        "%s (certificate, key, roots and revocation lists)\n" % state.identity.spiffe_id,
        act,
    )


def _firewall(host: Host, state: BridgeState) -> Change:
    after = (
        "closed to the network: %s\n" % state.firewall_mark if state.firewall_mark else "empty\n"
    )
    return Change("firewall", firewall.rules(host), after, lambda: firewall.switch_on(host))


def _validated(host: Host, change: Change) -> Change:
    """The change, which Envoy itself must accept before it is made."""

    def act() -> None:
        host.write(File(CANDIDATE, change.after, 0o644))
        as_proxy = ["setpriv", "--reuid", USER, "--regid", USER, "--clear-groups"]
        envoy = [artifacts.place("envoy"), "--mode", "validate", "--log-level", "error"]
        try:
            host.run([*as_proxy, *envoy, "--config-path", host.path(CANDIDATE)])
        finally:
            host.remove(CANDIDATE)
        change.act()

    return replace(change, act=act)


def _wait_ready(host: Host, state: BridgeState) -> None:
    """Until what serves is what was wanted, certificate and all."""

    def holds() -> bool:
        serving = proxy.running()
        ready = serving.digest == state.envoy_digest
        # A bridge without calls and callers uses no certificate.
        return ready and (not state.listens or credentials.serial(host) in serving.serials)

    if not _within(READY_SECONDS, holds):
        raise MachineError(
            "the bridge does not serve what it was given after %d s. Its last words:\n%s"
            % (READY_SECONDS, proxy.last_words(host))
        )


def _go_back(host: Host, told: bool) -> str:
    """Put back what served before, if anything did, and have it serve when Envoy was ``told`` of
    what failed. Says how that went."""
    if not kept.put_back(host):
        return ""
    _tidy(host)
    if told:
        active = host.succeeds(["systemctl", "is-active", "--quiet", UNIT])
        host.run(["systemctl", "reload" if active else "restart", UNIT], check=False)
        wanted = proxy.digest_of(host.read(ENVOY_CONFIG) or "")
        if not _within(READY_SECONDS, lambda: proxy.running().digest == wanted):
            return "\nWhat was there before was put back, but does not serve either."
    return "\nWhat served before goes on serving, and is what lies on disk."


def _tidy(host: Host) -> None:
    if os.path.islink(host.path(CURRENT)):
        credentials.tidy(host)


def _within(seconds: float, holds: Callable[[], bool]) -> bool:
    """Whether it ``holds`` before so many seconds are over."""
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(READY_INTERVAL_SECONDS)
    return True


def _shown(restart: bool, renew: bool) -> list[Change]:
    if restart:
        return [Change(UNIT, "", "started with these files\n", _nothing)]
    return [Change(UNIT, "", "hot restart with these files\n", _nothing)] if renew else []


def _nothing() -> None:
    """Shown changes are made by the steps around them."""
