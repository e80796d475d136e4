# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Receivers carry no secret in plain. What the Operator makes of the objects, a real one says."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.brownfield.mesh.plugins.plugin_utils.monitoring import operator

REFERENCE = {"urlSecret": {"name": "alarms", "key": "platform"}}


@pytest.mark.parametrize(
    ("receiver", "wrong"),
    [
        ({"name": "a", "webhookConfigs": [REFERENCE]}, False),
        ({"name": "a"}, False),
        ({"name": "a", "webhookConfigs": None}, False),
        ({"name": "a", "webhookConfigs": ["x"]}, False),  # the API server's to refuse
        ({"name": "a", "webhookConfigs": [REFERENCE, {"url": "https://x.example/t0ken"}]}, True),
    ],
)
def test_a_secret_in_plain_is_refused_and_not_repeated(
    receiver: dict[str, Any], wrong: bool
) -> None:
    found = operator.problems([receiver], "the_variable")
    assert bool(found) is wrong
    assert "t0ken" not in str(found)
    assert all(text.startswith("the_variable: receiver 'a'") for text in found)
