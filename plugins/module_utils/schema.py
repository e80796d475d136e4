# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""The table of fields in two other languages: JSON Schema, and a role's argument specification."""

from __future__ import annotations

from typing import Any

from ansible_collections.brownfield.mesh.plugins.module_utils.fields import VARIABLES


def json_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of a file of variables (group_vars, host_vars), for editors.

    Wherever a value may stand, so may a template. What it cannot say (rules between fields and
    between hosts) only validation finds.
    """
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "brownfield.mesh variables",
        "type": "object",
        "properties": {
            field.name: {"description": field.about, **field.type.schema()} for field in VARIABLES
        },
        "$defs": {
            "template": {
                "description": "A Jinja template.",
                "type": "string",
                "pattern": r"\{\{.*\}\}|\{%.*%\}",
            }
        },
    }


def role_options() -> dict[str, Any]:
    """The options of the role ``plan``, as meta/argument_specs.yml has them."""
    return {
        field.name: {"description": [field.about], **field.type.argument()} for field in VARIABLES
    }
