# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Prometheus's and Alertmanager's own tools take what is rendered, and route as it says."""

from __future__ import annotations

import contextlib
import http.server
import json
import re
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.brownfield.mesh.plugins.module_utils.desired import Host
from ansible_collections.brownfield.mesh.plugins.module_utils.watch import pair
from ansible_collections.brownfield.mesh.plugins.module_utils.watch.state import CLIENT_KEY, Pair
from ansible_collections.brownfield.mesh.plugins.plugin_utils.monitoring import rules, server
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lab import debian
from tests.integration.monitoring.test_loki import ports
from tests.integration.monitoring.test_rules import RULES
from tests.support.units import argv_of

RECEIVERS = [
    {"name": "platform", "webhook_configs": [{"url": "http://192.0.2.1/secret"}]},
    {"name": "payments", "webhook_configs": [{"url": "http://192.0.2.2/secret"}]},
    {"name": "dead-man", "webhook_configs": [{"url": "http://192.0.2.3/secret"}]},
]
ALERTING = server.Alerting(
    receivers=RECEIVERS,
    routes=[
        {"receiver": "payments", "owner": 'team "payments" \\ {1}'},
        {"receiver": "payments", "severity": "ticket"},
    ],
    watchdog="dead-man",
)


def run(*argv: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(word) for word in argv], capture_output=True, text=True, timeout=60, check=False
    )


def with_keys(folder: Path, jobs: list[dict[str, Any]]) -> None:
    """The key and the certificates that a job names, which promtool looks for, in the folder."""
    own = Pair("/own.key", "/own.crt")
    for change in pair.compare(Host(str(folder)), own, "root"):
        change.act()
    for job in jobs:
        if "tls_config" in job:
            job["tls_config"] = {
                name: str(folder / ("own.key" if name == "key_file" else "own.crt"))
                for name in job["tls_config"]
            }


def test_promtool_takes_the_configuration(tools: Path, tmp_path: Path) -> None:
    config = server.prometheus_config(30, CLIENT_KEY)
    with_keys(tmp_path, config["scrape_configs"])
    config["rule_files"] = [str(tmp_path / "rules.yml")]
    (tmp_path / "rules.yml").write_text(yaml.safe_dump(rules.render(list(RULES.values()), "x")))
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(config))
    done = run(tools / "promtool", "check", "config", tmp_path / "prometheus.yml")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(RULES)} rules found" in done.stdout


def test_a_prometheus_of_the_users_takes_the_files(tools: Path, tmp_path: Path) -> None:
    """Beside a job and rules of its own. Debian 12's has no scrape_config_files yet, so they are
    put in."""
    wanted = server.render_files("prometheus.service", list(RULES.values()), "x", 30, {})
    files = {Path(file.path).name: file.content for file in wanted.files}
    (tmp_path / "rules.yml").write_text(files["rules.yml"])
    (tmp_path / "own.yml").write_text("groups: [{name: own, rules: []}]")
    jobs = yaml.safe_load(files["scrape.yml"])["scrape_configs"]
    with_keys(tmp_path, jobs)
    config = {
        "rule_files": [str(tmp_path / "*.yml")],
        "scrape_configs": [{"job_name": "own", "static_configs": [{"targets": ["a:1"]}]}, *jobs],
    }
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    done = run(tools / "promtool", "check", "config", tmp_path / "config.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(RULES)} rules found" in done.stdout


CHAT = Path(__file__).resolve().parents[3] / "docs" / "how-to" / "receivers.md"


def test_amtool_takes_the_receivers_that_the_documents_show(tools: Path, tmp_path: Path) -> None:
    """All of them but those that need a newer Alertmanager than Debian 12's, which say so."""
    blocks = re.findall(r"```yaml\n(.*?)```", CHAT.read_text(), re.DOTALL)
    shown = [yaml.safe_load(re.sub(r"\{\{.*?\}\}", "https://a.example/x", one)) for one in blocks]
    given: dict[str, Any] = {}
    for one in shown:
        for name, value in one.items():
            given.setdefault(name, []).extend(value if isinstance(value, list) else [value])
    receivers = [
        one for one in given["mesh_monitoring_receivers"] if "msteamsv2_configs" not in one
    ]
    routes = [
        one
        for one in given["mesh_monitoring_routes"]
        if one["receiver"] in {receiver["name"] for receiver in receivers}
    ]
    assert len(receivers) >= 5
    alerting = server.Alerting(receivers, routes, given["mesh_monitoring_watchdog_receiver"][0])
    assert server.problems(alerting) == []
    done = run(tools / "amtool", "check-config", written(tmp_path, alerting))
    assert done.returncode == 0, done.stdout + done.stderr


def written(folder: Path, alerting: server.Alerting) -> Path:
    file = folder / "alertmanager.yml"
    file.write_text(yaml.safe_dump(server.alertmanager_config(alerting)))
    return file


@pytest.mark.parametrize("alerting", [ALERTING, server.Alerting()], ids=["routes", "nobody"])
def test_amtool_takes_it(tools: Path, tmp_path: Path, alerting: server.Alerting) -> None:
    done = run(tools / "amtool", "check-config", written(tmp_path, alerting))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("labels", "receiver"),
    [
        ({"alertname": "MeshClockOff", "severity": "page", "owner": "x"}, "platform"),
        ({"alertname": "MeshClockOff", "severity": "ticket", "owner": "x"}, "payments"),
        ({"alertname": "X", "severity": "page", "owner": 'team "payments" \\ {1}'}, "payments"),
        ({"alertname": rules.WATCHDOG, "severity": "none"}, "dead-man"),
    ],
)
def test_it_goes_to(tools: Path, tmp_path: Path, labels: dict[str, str], receiver: str) -> None:
    words = [f"{key}={json.dumps(value)}" for key, value in labels.items()]
    file = written(tmp_path, ALERTING)
    done = run(tools / "amtool", "config", "routes", "test", f"--config.file={file}", *words)
    assert done.stdout.split() == [receiver], done.stderr


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.text(min_size=1, max_size=12))
def test_any_owner_is_a_matcher(tools: Path, tmp_path: Path, owner: str) -> None:
    routes = [{"receiver": "payments", "owner": owner}]
    alerting = server.Alerting(receivers=RECEIVERS, routes=routes)
    done = run(tools / "amtool", "check-config", written(tmp_path, alerting))
    assert done.returncode == 0, done.stdout + done.stderr


def test_only_capture_silences_and_only_its_own_machine() -> None:
    config: dict[str, Any] = server.alertmanager_config(ALERTING)
    assert [rule["equal"] for rule in config["inhibit_rules"]] == [["machine"]]


def test_secrets_stand_in_the_secret_file_only() -> None:
    state = server.render([], [], list(RULES.values()), "docs", ALERTING, 30, 15, {})
    with_secret = [file for file in state.files if "/secret" in file.content]
    assert [(file.path, file.mode, file.secret) for file in with_secret] == [
        ("/etc/mesh-monitoring/alertmanager.yml", 0o600, True)
    ]
    assert "/secret" not in str(state.units) + repr(ALERTING)


class Refusing(http.server.BaseHTTPRequestHandler):
    """A receiver that is there and takes nothing."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(503)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """In silence."""


def test_alertmanager_says_what_failed_without_the_secret(tmp_path: Path) -> None:
    """Debian 12's, 0.25, with the unit's own command: one receiver is away, one refuses."""
    refusing = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Refusing)
    threading.Thread(target=refusing.serve_forever, daemon=True).start()
    away, web = ports(2)
    urls = [f"http://127.0.0.1:{port}/hush" for port in (away, refusing.server_address[1])]
    receivers = [{"name": "both", "webhook_configs": [{"url": url} for url in urls]}]
    alerting = server.Alerting(receivers=receivers, group_wait_seconds=0)
    state = server.render([], [], list(RULES.values()), "docs", alerting, 30, 15, {})
    (unit,) = [one for one in state.units if one.name == "mesh-alertmanager.service"]
    written(tmp_path, alerting).rename(tmp_path / "config")
    *wrapper, program, _, _, _, cluster = argv_of(
        unit.content, {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    )
    package = debian.unpacked("prometheus-alertmanager")
    # It wants its templates in /usr/share: for this process alone, they are.
    layers = f"lowerdir={package}/usr/share:/usr/share"
    command = [
        "unshare", "--mount", "sh", "-c",
        f'mount -t overlay -o {layers} share /usr/share && exec "$@"', "sh",
        *wrapper, f"{package}/usr/bin/prometheus-{Path(program).name}",
        f"--config.file={tmp_path}/config", f"--storage.path={tmp_path}",
        f"--web.listen-address=127.0.0.1:{web}", cluster,
    ]  # fmt: skip
    alert = json.dumps([{"labels": {"alertname": "Any"}}]).encode()
    journal = tmp_path / "journal"
    failures = (r"Post \"<redacted>\": dial tcp", "unexpected status code 503: <redacted>")
    with journal.open("wb") as log, subprocess.Popen(command, stderr=log) as running:
        try:
            wait(lambda: get(f"http://127.0.0.1:{web}/-/ready") is not None)
            get(f"http://127.0.0.1:{web}/api/v2/alerts", alert)
            wait(lambda: all(words in journal.read_text() for words in failures))
        finally:
            running.terminate()
    assert (running.returncode, "hush" in journal.read_text()) == (0, False)


def get(url: str, data: bytes | None = None) -> str:
    headers = {"Content-Type": "application/json"}
    with urllib.request.urlopen(urllib.request.Request(url, data, headers), timeout=10) as answer:
        text: str = answer.read().decode()
    return text


def wait(done: Callable[[], object]) -> None:
    end = time.monotonic() + 60
    while True:
        with contextlib.suppress(OSError):
            if done():
                return
        assert time.monotonic() < end
        time.sleep(0.1)


def test_what_is_wrong_with_receivers_is_said_at_once() -> None:
    alerting = server.Alerting(
        receivers=[{"name": "a"}, {"name": "a"}, {"name": ""}, {"name": "nobody"}],
        routes=[{"receiver": "b"}],
        watchdog="c",
    )
    assert [problem.split(":")[0] for problem in server.problems(alerting)] == [
        "mesh_monitoring_receivers",
        "mesh_monitoring_receivers",
        "mesh_monitoring_receivers",
        "mesh_monitoring_routes",
        "mesh_monitoring_watchdog_receiver",
    ]
