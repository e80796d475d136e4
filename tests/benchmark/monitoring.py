# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Watching: what a machine pays, what is rendered for 1,000, and what Prometheus takes to judge.

``python -m tests.benchmark.monitoring [MACHINES]`` is the part without a lab; prints JSON. A real
Prometheus watches; one server on loopback answers for all machines, with what the collection's own
code writes.
"""

from __future__ import annotations

import http.server
import json
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.brownfield.mesh.plugins.module_utils import validate
from ansible_collections.brownfield.mesh.plugins.module_utils.evidence import Probed
from ansible_collections.brownfield.mesh.plugins.module_utils.reachability import Case
from ansible_collections.brownfield.mesh.plugins.module_utils.watch import logs, prober, textfile
from ansible_collections.brownfield.mesh.plugins.module_utils.watch.state import (
    EXPORTER_UNIT,
    LIBRARY,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.watch.textfile import Sample
from ansible_collections.brownfield.mesh.plugins.plugin_utils import write
from ansible_collections.brownfield.mesh.plugins.plugin_utils.monitoring import (
    exporter,
    operator,
    rules,
    server,
    targets,
)

from lab import debian, machine, tools
from lab.config import Lab, Machine
from tests.benchmark.measure import BenchmarkError, playbook
from tests.benchmark.planning import inventory
from tests.support.alarms import THRESHOLDS

MACHINES = 1000
SCRAPE_SECONDS = 15
# Alarms look back ten minutes at most: this many samples of each series are there by then.
ROUNDS = 20
CASES = 32
OTHER_SERIES = 120  # of node_exporter's other collectors
PROXY_FIGURES = "".join(f'envoy_http_rbac{{n="{number}"}} 1\n' for number in range(40))
RUNS = 10
# Defaults of the role: seconds between two runs, with the prober's jitter of up to a quarter.
EACH = {"textfile": 30, "logs": 60, "prober": 60 * 1.125}
SCRAPE_DEFAULT = 30


def figures(now: float) -> str:
    """What node_exporter of a healthy machine shows at ``now``, with room for its collectors."""
    cases = [
        Case(
            f"machine -> w{number}.ns.svc.cluster.local:8080 by name", "machine",
            f"w{number}.ns.svc.cluster.local", "", "", 8080, "http", "name",
            "refused" if number % 4 else "allowed", "rbac" if number % 4 else "",
        )
        for number in range(CASES)
    ]  # fmt: skip
    tried = [
        Probed(case.id, case.expected, "http_403_rbac" if case.reason else "http_200", seconds=0.01)
        for case in cases
    ]
    probes = prober.Probes(60, CASES, tuple(cases))
    ones = ("mesh_proxy_ready", "mesh_control_plane_connected", "mesh_capture_on")
    state = [
        Sample("mesh_machine_info", 1, [("agent", "1.31"), ("envoy", "1.40.0")]),
        *(Sample(name, 1) for name in (*ones, "mesh_run_finished")),
        Sample("mesh_certificate_not_before_seconds", now - 3600),
        Sample("mesh_certificate_not_after_seconds", now + 82800),
        Sample("mesh_state_timestamp_seconds", now),
    ]
    lines = [f"node_time_seconds {now}"]
    for number in range(3):
        disk = f'{{mountpoint="/{number}"}}'
        lines += [
            f"node_filesystem_avail_bytes{disk} 9e9",
            f"node_filesystem_size_bytes{disk} 1e10",
        ]
    lines += [f'node_other{{n="{number}"}} 1' for number in range(OTHER_SERIES)]
    return (
        textfile.render(state)
        + prober.render(probes, prober.remember(cases, {}, tried), now)
        + logs.render(logs.Record(), now)
        + "\n".join(lines)
        + "\n"
    )


class _Machines(http.server.BaseHTTPRequestHandler):
    """All machines' node_exporter and proxy, at one port."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        text = figures(time.time()) if self.path == "/metrics" else PROXY_FIGURES
        body = text.encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Two thousand questions in each interval need no log."""


@contextmanager
def _served() -> Iterator[int]:
    found = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Machines)
    found.daemon_threads = True
    threading.Thread(target=found.serve_forever, daemon=True).start()
    try:
        yield found.server_port
    finally:
        found.shutdown()
        found.server_close()


def render(machines: int) -> tuple[dict[str, Any], str, dict[str, Any]]:
    """Seconds to render targets, rules and the Operator's objects for them; targets and rules."""
    fleet = validate.parse(inventory(machines))
    pairs = [(one, fleet.workload_of(one)) for one in fleet.machines]
    start = time.perf_counter()
    found = targets.render(pairs, "monitor", {})
    listed = time.perf_counter()
    every = rules.rules(THRESHOLDS)
    judged = rules.render(every, "docs/runbooks")
    alerting = server.Alerting()
    objects = operator.render(
        "monitoring", pairs, {}, (), every, "docs/runbooks", alerting, 30, {}, {}, {}
    )
    made = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        write.write(Path(folder), objects, check=False)
    end = time.perf_counter()
    document = {
        "machines": machines,
        "targets_seconds": round(listed - start, 3),
        "rules_and_objects_seconds": round(made - listed, 3),
        "written_seconds": round(end - made, 3),
        "seconds": round(end - start, 3),
    }
    return document, found, judged


def evaluate(machines: int, found: str, judged: dict[str, Any]) -> dict[str, Any]:
    """The slowest group's seconds on a real Prometheus that watches them. Raises BenchmarkError."""
    address = f"127.0.0.1:{_free_port()}"
    config = server.prometheus_config(SCRAPE_SECONDS, key="")
    del config["alerting"]
    config["rule_files"] = ["rules.yml"]
    config["scrape_configs"] = [
        job
        for job in config["scrape_configs"]
        if job["job_name"] in (rules.MACHINE_JOB, rules.PROXY_JOB)
    ]
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name, _served() as port:
        folder = Path(name)
        for job in config["scrape_configs"]:
            job["file_sd_configs"] = [{"files": [str(folder / "targets.json")]}]
            here = {"target_label": "__address__", "replacement": f"127.0.0.1:{port}"}
            job["relabel_configs"].append(here)
        (folder / "targets.json").write_text(found)
        (folder / "rules.yml").write_text(yaml.safe_dump(judged))
        (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
        program = debian.unpacked("prometheus") / "usr/bin/prometheus"
        command = [
            str(program), "--config.file=prometheus.yml",
            "--storage.tsdb.path=data", f"--web.listen-address={address}",
        ]  # fmt: skip
        with (folder / "log").open("w") as log:
            process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
        try:
            time.sleep(SCRAPE_SECONDS * ROUNDS)
            groups = _ask(address, "rules")["groups"]
            up = _ask(address, "query?query=count(up==1)")["result"]
            series = _ask(address, "status/tsdb")["headStats"]["numSeries"]
        except (OSError, KeyError) as error:
            words = (folder / "log").read_text()[-2000:]
            raise BenchmarkError(f"Prometheus does not answer: {error}\n{words}") from None
        finally:
            process.terminate()
            process.wait(timeout=60)
    every = [rule for group in groups for rule in group["rules"]]
    firing = [rule["name"] for rule in every if rule["alerts"] and rule["name"] != rules.WATCHDOG]
    if firing:
        raise BenchmarkError(f"all machines are well, and yet there are alarms: {firing}")
    slowest = sorted(every, key=lambda rule: -float(rule["evaluationTime"]))[:3]
    return {
        "machines": machines,
        "targets_up": int(up[0]["value"][1]),
        "series": series,
        "samples_of_a_series": ROUNDS,
        "seconds_of_a_group": max(round(group["evaluationTime"], 3) for group in groups),
        "slowest_rules": {rule["name"]: round(rule["evaluationTime"], 3) for rule in slowest},
    }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _ask(address: str, path: str) -> Any:
    with urllib.request.urlopen(f"http://{address}/api/v1/{path}", timeout=30) as answer:
        return json.load(answer)["data"]


# Runs on a machine: a script once, its processor seconds and those of what it calls, its memory.
_ONCE = """
import json, resource, runpy, sys
runpy.run_module(sys.argv[1], run_name="__main__", alter_sys=True)
own, called = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
print(json.dumps({
    "cpu": own.ru_utime + own.ru_stime + called.ru_utime + called.ru_stime,
    "mb": max(own.ru_maxrss, called.ru_maxrss) / 1024,
}))
"""
# Asks node_exporter so often; processor seconds of one answer, and its memory.
_EXPORTER = """
import json, os, re, sys, urllib.request
pid, runs = sys.argv[1], int(sys.argv[2])
def used():
    fields = open("/proc/%s/stat" % pid).read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
before = used()
for _ in range(runs):
    urllib.request.urlopen("http://127.0.0.1:19100/metrics", timeout=10).read()
cpu = (used() - before) / runs
memory = re.search(r"VmHWM:\\s+(\\d+)", open("/proc/%s/status" % pid).read())
print(json.dumps({"cpu": cpu, "mb": int(memory.group(1)) / 1024}))
"""


def cost(lab: Lab, item: Machine, inventory: Path) -> dict[str, Any]:
    """What a joined machine pays for being watched: medians of processor seconds, peaks of memory.
    Raises BenchmarkError."""
    files = {"path": str(debian.package("prometheus-node-exporter"))}
    files["sha256"] = tools.sha256(Path(files["path"]))
    given = json.dumps({"mesh_node_exporter_artifacts": [files]})
    playbook("brownfield.mesh.monitor", inventory, "--limit", item.name, "-e", given)
    found: dict[str, Any] = {}
    share = 0.0
    for name, seconds in EACH.items():
        program = f"{exporter.RUN.split(' -m ')[1]}{name}"
        command = ["env", f"PYTHONPATH={LIBRARY}", "/usr/bin/python3", "-c", _ONCE, program]
        runs = [json.loads(machine.execute(lab, item, *command)) for _ in range(RUNS)]
        cpu = statistics.median(run["cpu"] for run in runs)
        found[name] = {"cpu": round(cpu, 4), "mb": round(max(run["mb"] for run in runs), 1)}
        share += cpu / seconds
    pid = machine.execute(
        lab, item, "systemctl", "show", "--property=MainPID", "--value", EXPORTER_UNIT
    ).strip()
    asked = machine.execute(lab, item, "/usr/bin/python3", "-c", _EXPORTER, pid, "100")
    found["node_exporter"] = {key: round(value, 4) for key, value in json.loads(asked).items()}
    share += found["node_exporter"]["cpu"] / SCRAPE_DEFAULT
    # Scripts of different timers may run at the same time.
    memory = sum(one["mb"] for one in found.values())
    return {**found, "percent_of_a_core": round(100 * share, 2), "mb_at_most": round(memory, 1)}


def benchmark(machines: int = MACHINES) -> dict[str, Any]:
    """The part that needs no lab. Raises BenchmarkError."""
    rendered, found, judged = render(machines)
    return {"render": rendered, "evaluate": evaluate(machines, found, judged)}


if __name__ == "__main__":
    print(json.dumps(benchmark(*map(int, sys.argv[1:])), indent=2))
