# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""What the action accepts is what the module documents."""

from __future__ import annotations

import yaml
from ansible_collections.brownfield.mesh.plugins.action.drain import ARGUMENTS
from ansible_collections.brownfield.mesh.plugins.modules.drain import DOCUMENTATION


def test_arguments_are_as_documented() -> None:
    options = yaml.safe_load(DOCUMENTATION)["options"]
    documented = {
        name: {key: value for key, value in option.items() if key != "description"}
        for name, option in options.items()
    }
    assert documented == ARGUMENTS
