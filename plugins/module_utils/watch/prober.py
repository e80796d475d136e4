# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""A round of the prober: tries some of this machine's cases and writes what came of all of them.

Run on the machine by a timer: ``python3 -m ...watch.prober``. Cases and attempts are those of
``verify``; what is judged here is what the caller saw, since a machine does not see its peers'
counters.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional

from ansible_collections.brownfield.mesh.plugins.module_utils.desired import File, Host
from ansible_collections.brownfield.mesh.plugins.module_utils.evidence import Probed, fits
from ansible_collections.brownfield.mesh.plugins.module_utils.probe import probe
from ansible_collections.brownfield.mesh.plugins.module_utils.reachability import Case
from ansible_collections.brownfield.mesh.plugins.module_utils.spec import from_data, to_data
from ansible_collections.brownfield.mesh.plugins.module_utils.watch import textfile
from ansible_collections.brownfield.mesh.plugins.module_utils.watch.state import (
    PROBES_FILE,
    TEXTFILES,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.watch.textfile import Sample

PATH = TEXTFILES + "/probe.prom"
# What is remembered from round to round. node_exporter reads files that end in .prom only.
RECORD = TEXTFILES + "/probe.json"
TIMEOUT = 3.0  # seconds of one attempt

HELP = {
    "mesh_probe_as_expected": "Whether the last attempt of a case ended as the allow-list says.",
    "mesh_probe_failed_rounds": "In how many of a case's last rounds in a row it did not.",
    "mesh_probe_duration_seconds": "How long the last attempt of a case took.",
    "mesh_probe_cases": "How many cases this machine has.",
    "mesh_probe_rounds": "After how many rounds each of them has been tried.",
    "mesh_probe_interval_seconds": "Seconds between two rounds, before jitter.",
    "mesh_probe_timestamp_seconds": "When the last round ended.",
}


@dataclass(frozen=True)
class Probes:
    """What a machine is to try: ``per_round`` cases at most, every ``seconds`` seconds."""

    seconds: int
    per_round: int
    cases: tuple[Case, ...]


@dataclass(frozen=True)
class Result:
    """What came of a case when it was last tried, and how many rounds in a row went wrong."""

    case: Case
    seen: Probed
    failed_rounds: int


def rounds(number: int, per_round: int) -> int:
    """After how many rounds each of ``number`` cases has been tried; at least one."""
    return max(1, -(-number // per_round))


def sample(cases: Sequence[Case], per_round: int, turn: int) -> list[Case]:
    """The cases of round ``turn``: at most ``per_round``, and each one once in ``rounds`` rounds.

    Their order is a hash's, so that what one round tries is spread over the peers, and the same
    cases always fall into the same rounds.
    """
    among = rounds(len(cases), per_round)
    ordered = sorted(cases, key=lambda case: (_digest(case.id), case.id))
    return ordered[turn % among :: among]


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def remember(
    cases: Sequence[Case], before: Mapping[str, Result], seen: Sequence[Probed]
) -> dict[str, Result]:
    """The results after a round, by case id, of ``cases`` only.

    A case that expects something else than when it was tried has no result yet.
    """
    fresh = {probed.id: probed for probed in seen}
    after = {}
    for case in cases:
        old = before.get(case.id)
        if old is not None and old.case != case:
            old = None
        probed = fresh.get(case.id)
        if probed is not None:
            failed = 0 if fits(case, probed) else (old.failed_rounds if old else 0) + 1
            after[case.id] = Result(case, probed, failed)
        elif old is not None:
            after[case.id] = old
    return after


def render(probes: Probes, results: Mapping[str, Result], now: float) -> str:
    """The metrics' text."""
    samples = []
    for result in results.values():
        case, seen = result.case, result.seen
        named = [("case", case.id), ("peer", case.target), ("expected", case.expected)]
        if case.reason:
            named.append(("reason", case.reason))
        answer = [*named, ("seen", seen.outcome), ("how", seen.how)]
        samples.append(Sample("mesh_probe_as_expected", result.failed_rounds == 0, answer))
        samples.append(Sample("mesh_probe_failed_rounds", result.failed_rounds, named))
        samples.append(Sample("mesh_probe_duration_seconds", seen.seconds, named))
    number = len(probes.cases)
    samples.append(Sample("mesh_probe_cases", number))
    samples.append(Sample("mesh_probe_rounds", rounds(number, probes.per_round)))
    samples.append(Sample("mesh_probe_interval_seconds", probes.seconds))
    samples.append(Sample("mesh_probe_timestamp_seconds", now))
    return textfile.render(samples, HELP)


def read_record(text: Optional[str]) -> tuple[int, dict[str, Result]]:
    """The last round's number and results; of what cannot be read, nothing."""
    try:
        data: dict[str, Any] = json.loads(text or "{}")
        found = [from_data(Result, item) for item in data.get("results", [])]
        return int(data.get("turn", -1)), {result.case.id: result for result in found}
    except (ValueError, TypeError, KeyError, AttributeError):
        return -1, {}


def main(
    host: Optional[Host] = None,
    attempt: Callable[..., list[Probed]] = probe,
    now: Callable[[], float] = time.time,
) -> None:
    """Try a round's cases and write the files, each whole or not at all."""
    host = host or Host()
    probes = from_data(Probes, json.loads(host.read(PROBES_FILE) or ""))
    turn, before = read_record(host.read(RECORD))
    turn = (turn + 1) % rounds(len(probes.cases), probes.per_round)
    # Nothing is tried twice in a round: what comes and goes is seen by the next rounds.
    tried = attempt(sample(probes.cases, probes.per_round, turn), timeout=TIMEOUT, settle=0.0)
    results = remember(probes.cases, before, tried)
    record = json.dumps({"turn": turn, "results": [to_data(one) for one in results.values()]})
    os.makedirs(host.path(TEXTFILES), mode=0o755, exist_ok=True)
    host.write(File(RECORD, record, 0o600))
    host.write(File(PATH, render(probes, results, now()), 0o644))


if __name__ == "__main__":
    main()
