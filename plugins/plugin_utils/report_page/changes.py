# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""What changed between two reports: their facts, one a line, compared."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any


def facts(report: Mapping[str, Any]) -> dict[tuple[str, str], str]:
    """What ``report`` says by (kind, subject); nothing that moves by itself, like a time."""
    found = {}
    for machine in report["machines"]:
        found["machine", machine["name"]] = "%s, %s" % (machine["workload"], machine["mode"])
        certificate = machine["certificate"]
        found["identity", machine["name"]] = certificate["spiffe_id"] if certificate else "none"
    for edge in report["allow_list"]:
        ports = ", ".join(map(str, edge["ports"])) or "no port"
        found["allow-list", "%s → %s" % (edge["caller"], edge["callee"])] = ports
    for path in report["paths"]:
        why = path["expected"] + (" (%s)" % path["reason"] if path["reason"] else "")
        subject = "%s → %s, %s" % (path["source"], path["target"], why)
        found["path", subject] = path["state"]
    for component in report["versions"]:
        for item in component["versions"]:
            subject = "%s %s" % (component["component"], item["version"])
            count = len(item["machines"])
            found["version", subject] = "%d machine%s" % (count, "" if count == 1 else "s")
    for finding in report["findings"]:
        found.update({("finding", item["id"]): "open" for item in finding["checks"]})
    return found


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[dict[str, str]]:
    """Each fact that is not what it was; ``before`` or ``after`` is empty where there was none.

    What a run with ``--limit`` did not look at has neither come nor gone.
    """
    old, new = facts(before), facts(after)
    limited = {name for report in (before, after) for name in report.get("left_out", [])}
    return [
        {"kind": kind, "subject": subject, "before": was, "after": now}
        for kind, subject in sorted(old.keys() | new.keys())
        if (was := old.get((kind, subject), "")) != (now := new.get((kind, subject), ""))
        and not (limited and _unseen(kind, subject, limited, bool(was and now)))
    ]


def _unseen(kind: str, subject: str, limited: Collection[str], in_both: bool) -> bool:
    """Whether a difference may come from machines that one of the two runs left out."""
    if kind in ("machine", "identity"):
        return subject in limited
    # Counts of machines are of those that were looked at; the allow-list is always all of it.
    return kind == "version" or (kind in ("path", "finding") and not in_both)


def lines(report: Mapping[str, Any]) -> str:
    """The facts as text, for a diff."""
    return "".join("%s %s: %s\n" % (*key, value) for key, value in sorted(facts(report).items()))
