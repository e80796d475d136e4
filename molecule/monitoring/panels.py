"""Ask Prometheus what Grafana would ask it: panels.py FOLDER-WITH-DASHBOARDS PROMETHEUS-URL.

Names every panel that shows nothing for some choice of its dashboard's variables, and every query
that has no answer for any, and fails. Variables get their values as in Grafana, from Prometheus.
"""

from __future__ import annotations

import json
import math
import re
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

LABEL_VALUES = re.compile(r"label_values\((.*), (\w+)\)")
ALL = ".*"


def ask(url: str, expression: str) -> list[dict[str, Any]]:
    """The series of an instant query, without those that are no number."""
    data = urllib.parse.urlencode({"query": expression}).encode()
    try:
        with urllib.request.urlopen(f"{url}/api/v1/query", data, timeout=30) as answer:
            found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
    except urllib.error.HTTPError as error:
        sys.exit(f"{expression}: {json.load(error)['error']}")
    return [one for one in found if not math.isnan(float(one["value"][1]))]


def filled(expression: str, choice: dict[str, str]) -> str:
    """The query with its variables' values."""
    values = {**choice, "__rate_interval": "1m"}
    return re.sub(r"\$(\w+)", lambda found: values[found[1]], expression)


def choices(url: str, dashboard: dict[str, Any]) -> Iterator[dict[str, str]]:
    """What somebody may choose: of a variable of one value each, of the others all."""
    asked = [one for one in dashboard["templating"]["list"] if one["type"] == "query"]
    everything = dict.fromkeys((one["name"] for one in asked), ALL)
    for variable in asked:
        among, label = LABEL_VALUES.fullmatch(variable["query"]).groups()
        found = ask(url, f"group by ({label}) ({filled(among, everything)})")
        values = sorted(one["metric"][label] for one in found)
        if not values:
            sys.exit(f"{dashboard['title']}: the variable {variable['name']} has no values")
        if not variable.get("includeAll"):
            yield from ({**everything, variable["name"]: value} for value in values)
            return
    yield everything


def empty(url: str, dashboard: dict[str, Any]) -> Iterator[str]:
    """What shows nothing."""
    every = list(choices(url, dashboard))
    for panel in (one for one in dashboard["panels"] if one["type"] != "row"):
        name = f"{dashboard['title']}, panel {panel['title']!r}"
        answered = {}
        for choice in every:
            shown = [bool(ask(url, filled(target["expr"], choice))) for target in panel["targets"]]
            if not any(shown):
                yield f"{name} is empty for {choice}"
            for target, has_data in zip(panel["targets"], shown):
                answered[target["refId"]] = answered.get(target["refId"], False) or has_data
        for target in panel["targets"]:
            if not answered[target["refId"]]:
                yield f"{name}, query {target['refId']} has no data at all: {target['expr']}"


def main() -> None:
    """One line for each panel or query that is empty."""
    folder, url = sys.argv[1:]
    files = sorted(Path(folder).glob("*.json"))
    found = [line for file in files for line in empty(url, json.loads(file.read_text()))]
    if found or not files:
        sys.exit("\n".join(found) or f"there is no dashboard in {folder}")
    print(f"{len(files)} dashboards, every panel shows something")


if __name__ == "__main__":
    main()
