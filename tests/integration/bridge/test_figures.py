# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""What alarms ask for is what a real Envoy says, by the names that it gives in Prometheus' form."""

from __future__ import annotations

import re
from contextlib import ExitStack

from ansible_collections.brownfield.mesh.plugins.plugin_utils.monitoring.server import PROXY_SERIES

from tests.support.bridge import issue, pem
from tests.support.envoys import CALLED, CALLER, Two

ROOT = issue(authority=True)


def _connections(pair: Two) -> tuple[int, int]:
    """The caller's connections outward that came about, and those that failed."""
    text = pair.client.ask("/stats/prometheus")
    found = {}
    for name in ("ssl_handshake", "upstream_cx_connect_fail"):
        series = f"envoy_cluster_{name}"
        assert re.fullmatch(PROXY_SERIES, series)
        (value,) = re.findall(
            rf'^{series}\{{envoy_cluster_name="outward_[^".]+"\}} (\d+)$', text, re.MULTILINE
        )
        found[name] = int(value)
    return found["ssl_handshake"], found["upstream_cx_connect_fail"]


def test_a_gateway_that_is_away_and_one_that_answers(pair: Two, stack: ExitStack) -> None:
    for proxy, name in ((pair.client, CALLER), (pair.server, CALLED)):
        proxy.give(issue(ROOT, name), roots=pem(ROOT.certificate))
    pair.client.start("127.0.0.1", stack)
    assert not pair.call()
    assert _connections(pair) == (0, 1)
    pair.server.start("", stack)
    assert pair.call()
    assert _connections(pair) == (1, 1)
    # Somebody answers who is not the callee.
    pair.server.give(issue(issue(authority=True), CALLED), roots=pem(ROOT.certificate))
    pair.server.stop()
    pair.server.start("", stack)
    assert not pair.call()
    assert _connections(pair) == (1, 2)
