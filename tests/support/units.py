# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""What systemd makes of a unit's command."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping


def argv_of(unit: str, environment: Mapping[str, str]) -> list[str]:
    """The words of the unit's one ExecStart, as systemd takes them (systemd.service(5)): quotes,
    then backslashes, then ``${NAME}`` and ``$$``."""
    (line,) = re.findall(r"^ExecStart=(.*)$", unit, re.MULTILINE)
    return [
        re.sub(
            r"\$\$|\$\{(\w+)\}",
            lambda found: environment[found[1]] if found[1] else "$",
            word.replace("\\\\", "\\"),
        )
        for word in shlex.split(line)
    ]
