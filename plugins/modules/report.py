#!/usr/bin/python
# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
# GNU General Public License v3.0+ compatible (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of the action ``brownfield.mesh.report``; see ``plugins/action/report.py``."""

from __future__ import annotations

DOCUMENTATION = r"""
module: report
short_description: Make a page for people of what verify saw
version_added: 0.1.0
description:
  - Makes one HTML file of the evidence that M(brownfield.mesh.evidence) wrote. The page needs
    nothing else, neither network nor files, and shows what runs where, who reaches whom, how long
    the certificates live, versions, findings with advice, and what changed since the last report.
  - Writes the same as JSON beside it (C(docs/report.schema.json)), under the same name with
    C(.json). When a report is already there, the new one says what changed since then.
  - Runs on the controller and looks at no machine. The same evidence gives the same files.
author:
  - brownfield.mesh authors (!UNKNOWN)
options:
  evidence:
    description: The evidence of a run of C(brownfield.mesh.verify), on the controller.
    type: path
    required: true
  path:
    description: Where the page is written on the controller. Ends in C(.html).
    type: path
    required: true
attributes:
  action:
    description: Has an action plugin that does all of the work.
    support: full
  check_mode:
    description: Says whether a file would change, and writes none.
    support: full
  diff_mode:
    description: Shows the facts that differ between the last report and this one, one a line.
    support: full
"""

EXAMPLES = r"""
- name: Make the report
  brownfield.mesh.report:
    evidence: evidence.json
    path: mesh-report.html
"""

RETURN = r"""
path:
  description: The page.
  returned: always
  type: str
data_path:
  description: The page's data, as JSON.
  returned: always
  type: str
passed:
  description: Whether every check of the evidence passed.
  returned: always
  type: bool
"""
