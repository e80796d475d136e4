"""For all tests: this checkout is importable as ansible_collections.brownfield.mesh."""

from __future__ import annotations

import os
from pathlib import Path

from hypothesis import settings

CHECKOUT = Path(__file__).resolve().parent.parent
LINK = CHECKOUT / ".cache" / "ansible_collections" / "brownfield" / "mesh"

# The same link that scripts/bootstrap makes; pyproject.toml puts .cache on the path.
if not LINK.exists():
    LINK.parent.mkdir(parents=True, exist_ok=True)
    LINK.unlink(missing_ok=True)
    LINK.symlink_to("../../..")

# A busy machine is no failure: nothing here is judged by how long it took.
settings.register_profile("patient", deadline=None)
# A gate gives the same answer for the same commit; new examples are looked for at the desk.
settings.register_profile("ci", deadline=None, derandomize=True, database=None, max_examples=40)
settings.load_profile("ci" if os.environ.get("CI") else "patient")
