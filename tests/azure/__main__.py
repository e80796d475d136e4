"""Run the stand-in by hand: `python -m tests.azure [--port N] [--machines N]`."""

from __future__ import annotations

import argparse
import tempfile
import threading
from pathlib import Path

from tests.azure import StandIn, add_fleet


def main() -> None:
    """Print the environment of its clients, then serve until interrupted."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--port", type=int, default=0)
    options.add_argument("--machines", type=int, default=0, help="machines that are there already")
    arguments = options.parse_args()
    with tempfile.TemporaryDirectory() as folder, StandIn(Path(folder), arguments.port) as azure:
        add_fleet(azure.store, arguments.machines) if arguments.machines else None
        for name, value in azure.environment().items():
            print(f"export {name}={value}", flush=True)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            return


if __name__ == "__main__":
    main()
