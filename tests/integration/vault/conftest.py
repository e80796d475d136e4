# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""One real Vault for these tests, and a machine that is a folder beside it."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.brownfield.mesh.plugins.module_utils.bridge.state import (
    IDENTITIES,
    IDENTITY_FILE,
    Authority,
    WantedIdentity,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.desired import (
    Directory,
    File,
    compare_directory,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.spec import to_data

from tests.support.bridge import SPIFFE_ID, Box, issue, pem
from tests.support.vault import Server

ROOT = issue(authority=True)
Want = Callable[..., WantedIdentity]


@pytest.fixture(scope="module")
def vault(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A running Vault. A missing program is built."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    with ExitStack() as stack:
        server = Server(tmp_path_factory.mktemp("vault"), port, stack)
        stack.callback(server.stop)
        server.start()
        server.unseal()
        server.prepare(ROOT, SPIFFE_ID)
        yield server


@pytest.fixture
def want(vault: Server) -> Want:
    """What the controller wants of the machine; what is given replaces Vault's own values."""

    def made(ca: str = "", lives: int = 3600, check: int = 300, **more: Any) -> WantedIdentity:
        authority = Authority(vault.vault(**more), ca or vault.ca, lives, check)
        return WantedIdentity(SPIFFE_ID, pem(ROOT.certificate), "", authority)

    return made


@pytest.fixture
def box(tmp_path: Path) -> Box:
    """A machine with its folders, before its first certificate."""
    os.umask(0o022)
    made = Box(tmp_path)
    for change in compare_directory(made.host, Directory(IDENTITIES, 0o750)):
        change.act()
    return made


def joined(box: Box, wanted: WantedIdentity) -> WantedIdentity:
    """The machine knows what it is to be."""
    made = File(IDENTITY_FILE, json.dumps(to_data(wanted)), 0o644)
    box.path(IDENTITY_FILE).parent.mkdir(exist_ok=True)
    box.host.write(made)
    return wanted
