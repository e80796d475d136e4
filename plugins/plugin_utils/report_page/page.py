# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""A report's data as one HTML page that needs nothing else: no file, no network, no inline style.

Its policy (CSP) allows just the one style sheet and the one script that are in it, by their hash.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.brownfield.mesh.plugins.plugin_utils.report import duration
from ansible_collections.brownfield.mesh.plugins.plugin_utils.report_page import view
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

_HERE = Path(__file__).parent
_POLICY = "default-src 'none'; style-src %s; script-src %s; base-uri 'none'; form-action 'none'"


def render(report: Mapping[str, Any]) -> str:
    """The page. Whatever texts ``report`` holds, they stay text."""
    environment = Environment(
        autoescape=True,
        loader=FileSystemLoader(_HERE),
        lstrip_blocks=True,
        trim_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters.update(duration=duration, moment=moment, life=view.life)
    style, script = (_file(name) for name in ("page.css", "page.js"))
    groups = view.Groups(report)
    matrix = view.matrix(report, groups)
    return environment.get_template("page.html.j2").render(
        report=report,
        policy=_POLICY % (_hash(style), _hash(script)),
        style=Markup(style),
        script=Markup(script),
        view=view,
        groups=groups,
        matrix=matrix,
        drawing=view.drawing(report, groups),
        workloads=view.workloads(report),
        lives=view.lives(report["machines"]),
        details=embedded(view.details(report, groups, matrix["names"])),
    )


def embedded(data: Any) -> Markup:
    """``data`` as JSON that can stand in a script element: nothing in it ends the element."""
    text = json.dumps(data, separators=(",", ":"))
    for character in "<>&":
        text = text.replace(character, "\\u%04x" % ord(character))
    return Markup(text)


def moment(text: str) -> str:
    """An ISO time in UTC as people read it, to the minute."""
    return text.replace("T", " ")[:16] + " UTC"


def _file(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return "'sha256-%s'" % base64.b64encode(digest).decode("ascii")
