# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""The program behind mesh-identity.timer: bring newer revocation lists into use, and renew the
machine's certificate when it is time.

``python3 -m ...bridge.renew``. Nothing to do: silence. A failure is one line and exit code 1, so
that systemd calls the unit failed; what serves goes on serving, and the timer tries again.
"""

from __future__ import annotations

import sys
import time
from typing import Callable

from ansible_collections.brownfield.mesh.plugins.module_utils import identity
from ansible_collections.brownfield.mesh.plugins.module_utils.bridge import (
    authority,
    credentials,
    revocation,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.bridge.state import (
    CERTIFICATE,
    REVOKED,
    UNIT,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.desired import Host, MachineError

# Certificates of one minute are renewed spread over this part of their lives.
SPREAD = 0.1


def due(found: identity.Identity, serial: str) -> float:
    """When a certificate is to be renewed, in seconds since the epoch: at half of its life, and a
    little later by its serial number (hexadecimal), so that a fleet does not come all at once."""
    life = found.not_after - found.not_before
    jitter = int(serial[-4:] or "0", 16) / 0x10000
    return found.not_before + life * (0.5 + SPREAD * jitter)


def renew(host: Host, now: float) -> str:
    """Renew if it is time; a line that says what was done, or ''. Raises MachineError."""
    wanted = authority.read(host)
    if wanted is None:
        raise MachineError("this machine has not joined; run onboard")
    if wanted.authority is None:
        return ""
    found = identity.read(host.path(CERTIFICATE))
    same = found is not None and found.spiffe_id == wanted.spiffe_id
    if found and same and now < due(found, identity.serial(host.path(CERTIFICATE))):
        return ""
    if found:
        credentials.tidy(host)  # what an earlier renewal replaced
    try:
        authority.issue(host, wanted, authority.Login())
    except MachineError as error:
        raise MachineError("certificate not renewed; %s: %s" % (_left(found, now), error)) from None
    if not found:
        # Envoy does not look again for files that were missing when it started.
        host.run(["systemctl", "--no-block", "restart", UNIT])
    new = identity.read(host.path(CERTIFICATE))
    return "certificate renewed; it ends %s" % _utc(new.not_after if new else 0)


def update(host: Host, now: float) -> str:
    """Fetch revocation lists, and bring those that there are now into use; a line that says what
    was done, or ''. Raises MachineError, also for lists that are over or soon will be."""
    wanted = authority.read(host)
    if wanted is None or wanted.revocation is None:
        return ""
    failed, said = [], ""
    try:
        authority.fetch_lists(host, wanted)
    except MachineError as error:
        failed.append("revocation lists not fetched: %s" % error)
    with credentials.alone(host):
        wanted = authority.read(host) or wanted
        lists = revocation.for_envoy(host, wanted, now)
        # Without a certificate they come into use with the first.
        if identity.read(host.path(CERTIFICATE)) and host.read(REVOKED) != lists:
            credentials.tidy(host)
            credentials.install(host, wanted, "", "")
            said = "other revocation lists are in use now"
    failed += revocation.problems(host, wanted, now)
    if failed:
        raise MachineError("; ".join([said, *failed] if said else failed))
    return said


def _left(found: identity.Identity | None, now: float) -> str:
    if found is None:
        return "the machine has none, its bridge refuses everything"
    left = found.not_after - now
    if left <= 0:
        return "the one in use ended %s, the mesh refuses it" % _utc(found.not_after)
    return "the one in use serves until %s (%d s)" % (_utc(found.not_after), left)


def _utc(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def main(host: Host | None = None) -> int:
    """Run it; the exit code."""
    host = host or Host()
    steps: tuple[Callable[[Host, float], str], ...] = (update, renew)
    failed = False
    for step in steps:
        try:
            said = step(host, time.time())
        except (MachineError, OSError, ValueError) as error:
            print(" ".join(str(error).split()), file=sys.stderr)
            failed = True
        else:
            if said:
                print(said)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
