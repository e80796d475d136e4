"""What there is of a Prometheus of the user's on this machine, and what of ours it has, as JSON."""

import hashlib
import json
import pathlib
import subprocess
import urllib.request
from typing import Any

URL = "http://127.0.0.1:9090"
FIGURES = (
    "process_start_time_seconds",
    "prometheus_config_last_reload_success_timestamp_seconds",
    "prometheus_config_last_reload_successful",
)
OWN = ("/etc/prometheus", "/etc/default/prometheus", "/lib/systemd/system/prometheus.service")
OURS = ("/etc/mesh-monitoring", "/opt/mesh-monitoring", "/var/lib/mesh-monitoring")


def get(path: str) -> str:
    """An answer of Prometheus."""
    with urllib.request.urlopen(URL + path, timeout=10) as answer:
        text: str = answer.read().decode()
    return text


def data(path: str) -> Any:
    """The data of an answer of its API."""
    return json.loads(get("/api/v1" + path))["data"]


def files(tops: tuple[str, ...]) -> list[str]:
    """Each file and folder with its rights and digest."""
    found = []
    for top in map(pathlib.Path, tops):
        for path in sorted([*top.rglob("*"), *([top] if top.exists() else [])]):
            status = path.stat()
            digest = hashlib.sha256(path.read_bytes()).hexdigest()[:8] if path.is_file() else ""
            found.append(f"{path} {status.st_mode:o} {status.st_uid}:{status.st_gid} {digest}")
    return found


figures = dict(line.rsplit(" ", 1) for line in get("/metrics").splitlines() if line[:1] != "#")
of_mesh = [group["name"] for group in data("/rules")["groups"] if group["name"] != "own"]
jobs = {one["discoveredLabels"]["job"] for one in data("/targets?state=active")["activeTargets"]}
unit = ["systemctl", "show", "--property=ActiveState,MainPID,NRestarts,UnitFileState"]
print(
    json.dumps(
        {
            "own": {
                "unit": subprocess.check_output([*unit, "prometheus.service"], text=True),
                "started": figures[FIGURES[0]],
                "healthy": figures[FIGURES[2]],
                "files": files(OWN),
            },
            "ours": {"files": files(OURS), "rules": of_mesh, "jobs": sorted(jobs)},
            "reloaded": figures[FIGURES[1]],
        }
    )
)
