"""The collection's files are what the code renders, and ask for figures that machines show."""

from __future__ import annotations

import json
import re
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.brownfield.mesh.plugins.module_utils.watch import logs, prober, textfile
from ansible_collections.brownfield.mesh.plugins.plugin_utils.monitoring import server
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as model

from dashboards.__main__ import FOLDER, rendered

CHECKOUT = Path(__file__).resolve().parents[3]
PAGES: dict[str, dict[str, Any]] = {name: json.loads(text) for name, text in rendered().items()}
PANELS = [
    pytest.param(panel, id=f"{page['title']}: {panel['title']}")
    for page in PAGES.values()
    for panel in page["panels"]
    if panel["type"] != "row"
]
OURS = {*textfile.HELP, *prober.HELP, *logs.HELP, "up", "ALERTS"}
COLLECTORS = {
    "node_cpu_": "cpu",
    "node_filesystem_": "filesystem",
    "node_memory_": "meminfo",
    "node_network_": "netdev",
    "node_pressure_": "pressure",
}


def metrics(expression: str) -> set[str]:
    """The names of series in a query."""
    bare = re.sub(r'"[^"]*"', '""', expression)
    bare = re.sub(r"\{[^}]*\}", "", bare)
    return set(re.findall(r"\b(?:(?:mesh|node|envoy|istio)_\w+|up\b|ALERTS\b)", bare))


def test_the_files_are_what_the_code_renders() -> None:
    """`make dashboards` makes it so."""
    assert {file.name: file.read_text() for file in FOLDER.glob("*.json")} == rendered()


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_the_schema_loses_nothing_of_it(page: dict[str, Any]) -> None:
    """Grafana is not here to be asked: its schema is, as the SDK's types."""
    read = model.Dashboard.from_json(page)
    assert json.loads(JSONEncoder().encode(read)) == page


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_panels_lie_beside_each_other(page: dict[str, Any]) -> None:
    places = [panel["gridPos"] for panel in page["panels"]]
    assert all(p["x"] >= 0 and p["x"] + p["w"] <= 24 for p in places)
    for a, b in combinations(places, 2):
        beside = a["x"] + a["w"] <= b["x"] or b["x"] + b["w"] <= a["x"]
        assert beside or a["y"] + a["h"] <= b["y"] or b["y"] + b["h"] <= a["y"], (a, b)
    ids = [panel["id"] for panel in page["panels"]]
    assert len(set(ids)) == len(ids)
    titles = [panel["title"] for panel in page["panels"] if panel["type"] != "row"]
    assert len(set(titles)) == len(titles)


@pytest.mark.parametrize("panel", PANELS)
def test_it_says_what_it_shows_and_asks_the_chosen_prometheus(panel: dict[str, Any]) -> None:
    assert panel["description"].endswith(".")
    assert panel["datasource"]["uid"] == "${datasource}"
    assert panel["targets"]
    assert [t for t in panel["targets"] if t["datasource"]["uid"] != "${datasource}"] == []


@pytest.mark.parametrize("panel", PANELS)
def test_it_asks_for_what_machines_show(panel: dict[str, Any]) -> None:
    defaults = CHECKOUT / "roles" / "node_exporter" / "defaults" / "main.yml"
    collectors = yaml.safe_load(defaults.read_text())["mesh_node_exporter_collectors"]
    known = [prefix for prefix, collector in COLLECTORS.items() if collector in collectors]
    known.append("node_time_")
    for target in panel["targets"]:
        names = metrics(target["expr"])
        assert names, target["expr"]
        assert [
            name
            for name in names
            if name not in OURS
            and not re.fullmatch(server.PROXY_SERIES, name)
            and not name.startswith(tuple(known))
        ] == []


def test_an_unknown_metric_is_found() -> None:
    assert metrics('rate(mesh_x_total{a="up"}[1m]) / up') == {"mesh_x_total", "up"}


@pytest.mark.parametrize("panel", PANELS)
def test_thresholds_rise(panel: dict[str, Any]) -> None:
    """Grafana wants them sorted, the first one without a value."""
    steps = panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
    assert steps[0]["value"] is None
    numbers = [s["value"] for s in steps[1:] if not isinstance(s["value"], str)]
    assert all(a < b for a, b in pairwise(numbers))


def test_links_lead_to_dashboards_that_are_there() -> None:
    uids = {page["uid"] for page in PAGES.values()}
    text = "".join(rendered().values())
    assert set(re.findall(r"/d/([a-z-]+)", text)) <= uids
    assert {page["links"][0]["tags"][0] for page in PAGES.values()} == {"brownfield-mesh"}
    assert all("brownfield-mesh" in page["tags"] for page in PAGES.values())


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_every_variable_in_use_is_the_pages_own(page: dict[str, Any]) -> None:
    known = {one["name"] for one in page["templating"]["list"]}
    expressions = [t["expr"] for p in page["panels"] for t in p.get("targets", [])]
    used = set(re.findall(r"\$(\w+)", " ".join(expressions))) - {"__rate_interval"}
    assert used == known - {"datasource"}
