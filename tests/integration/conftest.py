# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""One real API server for all integration tests; each test has namespaces of its own."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.integration import api_server
from tests.integration.api_server import ApiServer

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """A running API server with Istio's CRDs. A missing program is an error, not a skip."""
    with ExitStack() as stack:
        server = api_server.start(tmp_path_factory.mktemp("api"), stack)
        api_server.install_definitions(server)
        yield server


@pytest.fixture
def bare_api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """A running API server without Istio."""
    with ExitStack() as stack:
        yield api_server.start(tmp_path_factory.mktemp("bare"), stack)


@pytest.fixture
def namespace() -> str:
    """A namespace's name that no other test uses; it does not exist yet."""
    return f"tenant-{next(_numbers)}"
