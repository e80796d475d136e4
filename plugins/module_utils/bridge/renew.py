# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""The program behind mesh-identity.timer: renew the machine's certificate when it is time.

``python3 -m ...bridge.renew``. Nothing to do: silence. A failure is one line and exit code 1, so
that systemd calls the unit failed; what serves goes on serving, and the timer tries again.
"""

from __future__ import annotations

import sys
import time

from ansible_collections.brownfield.mesh.plugins.module_utils import identity
from ansible_collections.brownfield.mesh.plugins.module_utils.bridge import authority, credentials
from ansible_collections.brownfield.mesh.plugins.module_utils.bridge.state import CERTIFICATE, UNIT
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
    try:
        said = renew(host or Host(), time.time())
    except (MachineError, OSError, ValueError) as error:
        print(" ".join(str(error).split()), file=sys.stderr)
        return 1
    if said:
        print(said)
    return 0


if __name__ == "__main__":
    sys.exit(main())
