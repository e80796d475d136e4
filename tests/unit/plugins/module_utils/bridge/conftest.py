# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""A machine that is a folder, an authority, and the state that a controller would render."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.brownfield.mesh.plugins.module_utils import artifacts
from ansible_collections.brownfield.mesh.plugins.module_utils.bridge import join, proxy
from ansible_collections.brownfield.mesh.plugins.module_utils.bridge.state import BridgeState
from ansible_collections.brownfield.mesh.plugins.module_utils.spec import Artifact, Proxy
from ansible_collections.brownfield.mesh.plugins.plugin_utils import bridge_state

from tests.support.bridge import BILLING, BRIDGE_FACTS, MACHINE, SPIFFE_ID, Box, Pair, issue, pem

ROOT = issue(authority=True)
Render = Callable[..., BridgeState]


@pytest.fixture
def pushed(tmp_path: Path) -> dict[str, str]:
    """Envoy as the controller brought it."""
    file = tmp_path / "pushed-envoy"
    file.write_text("this is envoy")
    return {"envoy": str(file)}


@pytest.fixture
def render(pushed: dict[str, str]) -> Render:
    """The state of billing-1; a pair is its certificate, without one it makes a key."""

    def made(pair: Pair | None = None, workload: Any = BILLING) -> BridgeState:
        digest = hashlib.sha256(Path(pushed["envoy"]).read_bytes()).hexdigest()
        mesh = replace(
            MACHINE.mesh, proxy=Proxy(artifacts=(Artifact("envoy", digest, path="files/envoy"),))
        )
        machine = replace(MACHINE, address="127.0.0.1", mesh=mesh)
        facts = replace(BRIDGE_FACTS, root_certificate=pem(ROOT.certificate))
        certificate = pem(pair.certificate) if pair else ""
        return bridge_state.render(machine, workload, facts, certificate)

    return made


@pytest.fixture
def pair() -> Pair:
    """A certificate of billing-1 and its key."""
    return issue(ROOT, SPIFFE_ID)


@pytest.fixture
def box(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Box:
    """A fresh machine."""
    made = Box(tmp_path)
    monkeypatch.setattr(proxy, "ask", made.asks)
    monkeypatch.setattr(join, "READY_SECONDS", 0.2)
    monkeypatch.setattr(join, "READY_INTERVAL_SECONDS", 0.001)
    monkeypatch.setattr(artifacts, "architecture", lambda: "amd64")
    os.umask(0o022)
    return made
