# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Terraform's line-based JSON: progress resource by resource, and diagnostics."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.brownfield.mesh.plugins.plugin_utils.terraform.diagnostics import (
    Diagnostic,
)

# Says one line of progress; the number is Ansible's verbosity from which on it is shown.
Say = Callable[[str, int], None]

_DOING = {"create": "creating", "update": "updating", "delete": "deleting", "read": "reading"}
_DONE = {"create": "created", "update": "updated", "delete": "deleted", "read": "read"}


@dataclass
class Events:
    """Takes the lines of one command as they come.

    Nothing but addresses, actions and times is said: ids, values and what a provisioner prints may
    hold a secret.
    """

    say: Say
    diagnostics: list[Diagnostic] = field(default_factory=list)
    done: int = 0
    # Of apply: type and value by name, without the value of what is sensitive.
    outputs: Mapping[str, Any] | None = None

    def line(self, text: str) -> None:
        """One line; what is not an event of Terraform's is passed over (init prints some)."""
        try:
            event = json.loads(text)
        except ValueError:
            return
        if not isinstance(event, dict):
            return
        if isinstance(diagnostic := event.get("diagnostic"), dict):
            self.diagnostics.append(Diagnostic.of(diagnostic))
        elif isinstance(hook := event.get("hook"), dict):
            self._hook(str(event.get("type")), hook)
        elif event.get("type") == "outputs":
            self.outputs = event.get("outputs")
        elif event.get("type") == "resource_drift":
            self._planned("changed outside of Terraform", event)
        elif event.get("type") == "planned_change":
            self._planned("planned", event)

    def _planned(self, what: str, event: Mapping[str, Any]) -> None:
        change = event.get("change") or {}
        address = (change.get("resource") or {}).get("addr", "")
        self.say(f"{address}: {what}: {change.get('action', '')}", 1)

    def _hook(self, kind: str, hook: Mapping[str, Any]) -> None:
        address = (hook.get("resource") or {}).get("addr", "")
        action = str(hook.get("action", ""))
        seconds = hook.get("elapsed_seconds", 0)
        if kind == "apply_start":
            self.say(f"{address}: {_DOING.get(action, action)}", 0)
        elif kind == "apply_progress":
            self.say(f"{address}: still {_DOING.get(action, action)}, {seconds} s", 0)
        elif kind == "apply_complete":
            self.done += 1
            self.say(f"{address}: {_DONE.get(action, action)} after {seconds} s", 0)
        elif kind == "apply_errored":
            self.say(f"{address}: failed after {seconds} s", 0)
        elif kind in ("refresh_start", "refresh_complete"):
            self.say(f"{address}: {kind.replace('_', ' ')}", 2)
