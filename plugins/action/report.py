# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Action ``brownfield.mesh.report``: evidence to a page and its data (see the module)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.brownfield.mesh.plugins.plugin_utils.evidence_document import (
    as_json,
    write_text,
)
from ansible_collections.brownfield.mesh.plugins.plugin_utils.report_page import data, page
from ansible_collections.brownfield.mesh.plugins.plugin_utils.report_page.changes import lines


class ActionModule(ActionBase):  # type: ignore[misc]
    """Runs on the controller only; touches no machine."""

    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Writes page and data where they are not what they should be."""
        super().run(tmp, task_vars)
        _dummy, options = self.validate_argument_spec(
            {
                "evidence": {"type": "path", "required": True},
                "path": {"type": "path", "required": True},
            }
        )
        evidence_path, path = Path(options["evidence"]).absolute(), Path(options["path"]).absolute()
        json_path = path.with_suffix(".json")
        if path.suffix != ".html":
            raise AnsibleActionFail("`mesh_report_path` is %s: it must end in .html." % path)
        if json_path == evidence_path:
            raise AnsibleActionFail(
                "The report's data would be written over the evidence, %s: give `mesh_report_path`"
                " another name." % evidence_path
            )
        text = _read(evidence_path, "mesh_evidence_path", "Run brownfield.mesh.verify first.")
        previous = _previous(json_path)
        digest = hashlib.sha256(text.encode("utf-8")).hexdigest()
        try:
            report = data.build(_parse(text), digest, previous)
        except data.ReportError as error:
            raise AnsibleActionFail(
                "%s %s. Correct `mesh_evidence_path`." % (evidence_path, error)
            ) from error
        wanted = {json_path: as_json(report), path: page.render(report)}
        # The page first: data that lies there is of a page that does, too.
        changed = [item for item in (path, json_path) if _present(item) != wanted[item]]
        if not self._task.check_mode:
            _write({item: wanted[item] for item in changed})
        result: dict[str, Any] = {
            "changed": bool(changed),
            "path": str(path),
            "data_path": str(json_path),
            "passed": report["passed"],
        }
        if self._task.diff:
            result["diff"] = {
                "before_header": str(json_path),
                "after_header": str(json_path),
                "before": lines(previous) if previous else "",
                "after": lines(report),
            }
        return result


def _read(path: Path, variable: str, advice: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise AnsibleActionFail(
            "`%s`: %s cannot be read: %s. %s" % (variable, path, why, advice)
        ) from error


def _parse(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise data.ReportError("is not JSON (%s)" % error) from error


def _previous(path: Path) -> Mapping[str, Any] | None:
    """The report of before, or None. Only one that can be compared with is taken."""
    if not path.exists():
        return None
    advice = "Move it away, or give another name."
    try:
        found = _parse(_read(path, "mesh_report_path", advice))
        data.check_report(found)
    except data.ReportError as error:
        raise AnsibleActionFail("`mesh_report_path`: %s %s. %s" % (path, error, advice)) from error
    previous: Mapping[str, Any] = found
    return previous


def _present(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


def _write(files: Mapping[Path, str]) -> None:
    for path, text in files.items():
        try:
            write_text(path, text)
        except OSError as error:
            raise AnsibleActionFail(
                "The report cannot be written to %s: %s. Correct `mesh_report_path`."
                % (path, error.strerror)
            ) from error
