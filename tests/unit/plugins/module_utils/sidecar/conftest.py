# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""A machine that is a folder, and the state that a controller would render for it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.brownfield.mesh.plugins.module_utils import artifacts
from ansible_collections.brownfield.mesh.plugins.module_utils.sidecar import (
    agent,
    join,
    preflight,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.sidecar.state import SidecarState
from ansible_collections.brownfield.mesh.plugins.module_utils.spec import (
    Artifact,
    Capture,
    Machine,
    Mesh,
    Proxy,
)
from ansible_collections.brownfield.mesh.plugins.plugin_utils import sidecar_state

from tests.support import machine
from tests.support.fleet import FACTS, PAYMENTS_DB

SPIFFE_ID = "spiffe://cluster.local/ns/payments/sa/payments-db"


@pytest.fixture
def pushed(tmp_path: Path) -> dict[str, str]:
    """The three artefacts as the controller brought them."""
    found = {}
    for name in ("pilot-agent", "envoy", "envoy_bootstrap_tmpl.json"):
        file = tmp_path / ("pushed-" + name)
        file.write_text("this is " + name)
        found[name] = str(file)
    return found


@pytest.fixture
def render(pushed: dict[str, str]) -> Callable[..., SidecarState]:
    """The state of payments-db-1; what is given replaces values of its workload or its mesh."""

    def made(workload: Any = PAYMENTS_DB, dns: str = "names", **capture: Any) -> SidecarState:
        files = tuple(
            Artifact(
                name, hashlib.sha256(Path(path).read_bytes()).hexdigest(), path="files/" + name
            )
            for name, path in pushed.items()
        )
        mesh = Mesh(proxy=Proxy(artifacts=files), dns=dns, capture=Capture(**capture))
        one = Machine("payments-db-1", workload.key, address="127.0.0.1", mesh=mesh)
        return sidecar_state.render(one, workload, FACTS)

    return made


@pytest.fixture
def state(render: Callable[..., SidecarState]) -> SidecarState:
    """The state of payments-db-1."""
    return render()


@pytest.fixture
def box(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> machine.Machine:
    """A fresh machine, which SSH reaches on port 22."""
    made = machine.Machine(tmp_path, issues=SPIFFE_ID)
    monkeypatch.setattr(agent, "get", made.reads)
    monkeypatch.setattr(preflight, "_ssh_port", lambda: 22)
    monkeypatch.setattr(join, "READY_SECONDS", 0.2)
    monkeypatch.setattr(join, "READY_INTERVAL_SECONDS", 0.001)
    monkeypatch.setattr(artifacts, "architecture", lambda: "amd64")
    os.umask(0o022)
    return made
