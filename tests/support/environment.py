# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Environment files, read by their rules, by a shell, and by systemd's own parser."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

# Double quotes of POSIX: a backslash before one of four characters makes it plain.
_LINE = r'([A-Za-z_][A-Za-z0-9_]*)="((?:[^"\\$`]|\\["\\$`])*)"\n'
# What a shell exports by itself.
_OF_THE_SHELL = {"PWD", "OLDPWD", "SHLVL", "_"}


def by_rules(text: str) -> dict[str, str]:
    """As POSIX and systemd.exec(5) say. Raises ValueError for a line that is none of ours."""
    if not re.fullmatch("(?:%s)*" % _LINE, text):
        raise ValueError(text)
    return {name: re.sub(r'\\(["\\$`])', r"\1", value) for name, value in re.findall(_LINE, text)}


def by_shell(text: str) -> dict[str, str]:
    """As ``sh`` exports it."""
    done = subprocess.run(
        ["/bin/sh", "-c", "set -a; . /dev/stdin; exec /usr/bin/env -0"],
        input=text.encode(),
        env={},
        check=True,
        capture_output=True,
        timeout=30,
    )
    entries = [entry.split("=", 1) for entry in done.stdout.decode().split("\0") if entry]
    return {name: value for name, value in entries if name not in _OF_THE_SHELL}


def by_systemd(text: str, folder: Path) -> dict[str, str]:
    """As systemd reads an EnvironmentFile, without systemd running.

    os-release goes through the same parser (systemd: src/basic/env-file.c), and systemd-tmpfiles
    writes its BUILD_ID where it is told to: each variable in turn takes that name.
    """
    (folder / "etc").mkdir(parents=True, exist_ok=True)
    rule = folder / "rule.conf"
    rule.write_text("f+ /value - - - - [%B]\n")
    found = {}
    for name in re.findall(r"(?m)^([A-Za-z_][A-Za-z0-9_]*)=", text):
        renamed = re.sub(r"(?m)^%s=" % name, "BUILD_ID=", text, count=1)
        (folder / "etc/os-release").write_bytes(renamed.encode())
        subprocess.run(
            ["systemd-tmpfiles", "--root=%s" % folder, "--create", str(rule)],
            check=True,
            capture_output=True,
            timeout=30,
        )
        found[name] = (folder / "value").read_bytes().decode()[1:-1]
    return found
