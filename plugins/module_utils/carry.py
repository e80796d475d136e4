# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""The collection's own code as files, so that what runs now runs there, later, without Ansible."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

from ansible_collections.brownfield.mesh.plugins.module_utils.desired import File

ROOM = "ansible_collections.brownfield.mesh.plugins.module_utils"


def files(names: Iterable[str], folder: str) -> list[File]:
    """The modules ``names``, which are loaded here, and their packages, below ``folder``, sorted.

    Ansible runs a module out of an archive, so sources are asked of the loaders. Raises KeyError
    for what is not loaded.
    """
    wanted = set()
    for name in names:
        parts = name.split(".")
        wanted |= {".".join(parts[:end]) for end in range(1, len(parts) + 1)}
    found = {}
    for name in wanted:
        module = sys.modules[name]
        loader: Any = getattr(module.__spec__, "loader", None)
        source = loader.get_source(name) if hasattr(loader, "get_source") else None
        end = "/__init__.py" if hasattr(module, "__path__") else ".py"
        found["%s/%s%s" % (folder, name.replace(".", "/"), end)] = source or ""
    return [File(path, source, 0o644) for path, source in sorted(found.items())]
