"""Write the dashboards into the collection: ``make dashboards``."""

from __future__ import annotations

from pathlib import Path

from dashboards import fleet, identities, machine, reachability, workload
from dashboards.parts import encode

PAGES = (fleet.PAGE, machine.PAGE, workload.PAGE, identities.PAGE, reachability.PAGE)
FOLDER = Path(__file__).parent.parent / "plugins/plugin_utils/monitoring/dashboards"


def rendered() -> dict[str, str]:
    """The files by name."""
    return {f"{page.uid}.json": encode(page) for page in PAGES}


if __name__ == "__main__":
    for name, text in rendered().items():
        (FOLDER / name).write_text(text)
