# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""What a bridge serves with is kept until what is to replace it serves: Envoy's program and its
configuration, and the identity. A crash or a reboot starts with what lies on disk.

Each has a second name beside it (a hard link: the link to the identity is kept, not its folder).
All that writes them renames a new file over the old one, which lives on by its second name.
"""

from __future__ import annotations

import os

from ansible_collections.brownfield.mesh.plugins.module_utils import artifacts
from ansible_collections.brownfield.mesh.plugins.module_utils.bridge.state import (
    CURRENT,
    ENVOY_CONFIG,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.desired import Change, Host

PATHS = (ENVOY_CONFIG, artifacts.place("envoy"), artifacts.RECORD, CURRENT)
SECOND_NAME = ".kept"


def keep(host: Host) -> None:
    """Keep what is there. What a killed run has kept stays: what it left was not seen to serve."""
    for path in PATHS:
        kept = host.path(path + SECOND_NAME)
        if os.path.lexists(host.path(path)) and not os.path.lexists(kept):
            os.link(host.path(path), kept, follow_symlinks=False)


def put_back(host: Host) -> bool:
    """Put what was kept in its place again. Whether there was a configuration among it."""
    found = os.path.exists(host.path(ENVOY_CONFIG + SECOND_NAME))
    for path in PATHS:
        kept = host.path(path + SECOND_NAME)
        if os.path.exists(kept):  # a link's folder may have been tidied away since
            os.replace(kept, host.path(path))
    forget(host)  # a file is not renamed to itself
    return found


def forget(host: Host) -> None:
    """What is in place serves: what was kept is no longer needed."""
    for path in PATHS:
        host.remove(path + SECOND_NAME)


def compare(host: Host) -> list[Change]:
    """What a killed run has kept, to be forgotten."""
    left = [p for p in PATHS if os.path.lexists(host.path(p + SECOND_NAME))]
    return [Change("kept files", "\n".join(left) + "\n", "", lambda: forget(host))] if left else []
