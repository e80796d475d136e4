# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Ansible callback that writes into the file BENCHMARK_RECORD what a run did, and when."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: record
type: aggregate
short_description: Records tasks with their start, and what each host did
description:
  - Epoch seconds. Measuring only; nothing is printed.
"""


class CallbackModule(CallbackBase):  # type: ignore[misc]
    """One record per playbook run (see measure.summary for what is read from it)."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "record"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self._tasks: list[dict[str, Any]] = []
        self._calls: dict[str, int] = {}
        self._started = time.time()

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:
        """A task begins; the one before has ended."""
        self._tasks.append({"task": task.get_name(), "started": time.time(), "results": 0})

    def v2_runner_on_ok(self, result: Any) -> None:
        """A host has done a task; `join` says how many module calls it took."""
        self._tasks[-1]["results"] += 1
        calls = result._result.get("mesh_calls")
        if calls:
            self._calls[result._host.get_name()] = calls

    def v2_playbook_on_stats(self, stats: Any) -> None:
        """The end."""
        hosts = {host: stats.summarize(host) for host in stats.processed}
        record = {
            "started": self._started,
            "ended": time.time(),
            "tasks": self._tasks,
            "mesh_calls": self._calls,
            "hosts": hosts,
        }
        Path(os.environ["BENCHMARK_RECORD"]).write_text(json.dumps(record))
