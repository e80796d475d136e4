"""Debian's own packages as files, for machines that take a program out of them.

Run as ``python -m lab.debian NAME...``: prints where each is and its digest, as JSON. NAME is a
package of this host's release, or RELEASE/NAME one of another, as trixie/prometheus.
"""

from __future__ import annotations

import json
import platform
import shutil
import sys
from pathlib import Path

from lab import tools
from lab.config import ARCHITECTURE, LabError, cache_dir
from lab.run import locked, run, step

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
BUSY = "another command downloads packages"


def package(name: str) -> Path:
    """The package NAME or RELEASE/NAME, downloaded when it is not in the cache.

    apt verifies it. Raises LabError.
    """
    folder = cache_dir() / "debian" / name
    found = sorted(folder.glob("*.deb"))
    if found:
        return found[-1]
    partial = folder.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    release, _, plain = name.rpartition("/")
    with step(f"package {name}"):
        options = _other_release(release) if release else []
        command = ["apt-get", "download", "--quiet=2", *options, plain]
        run(command, cwd=str(partial), seconds=300)
    partial.rename(folder)
    return next(folder.glob("*.deb"))


def _other_release(release: str) -> list[str]:
    """apt's options to look at another release, where this host has its own packages from."""
    folder = cache_dir() / "apt" / release
    (folder / "lists").mkdir(parents=True, exist_ok=True)
    fields = ["--format", "$(RELEASE) $(REPO_URI)", "Created-By: Packages"]
    own = dict(line.split() for line in run(["apt-get", "indextargets", *fields]).splitlines())
    site = own.get(platform.freedesktop_os_release()["VERSION_CODENAME"])
    if site is None:
        raise LabError("apt of this host knows no source of its own release")
    (folder / "sources.list").write_text(f"deb [signed-by={KEYRING}] {site} {release} main\n")
    options = [
        f"--option=Dir::Etc::SourceList={folder}/sources.list",
        "--option=Dir::Etc::SourceParts=/dev/null",
        f"--option=Dir::State::Lists={folder}/lists",
        f"--option=Dir::Cache={folder}",
    ]
    run(["apt-get", "update", "--quiet=2", *options], seconds=300)
    return options


def unpacked(name: str) -> Path:
    """The folder with the package's files, for programs that this host need not install.

    Raises LabError.
    """
    with locked(cache_dir() / "debian.lock", BUSY, 600):
        found = package(name)
        folder = found.with_suffix(".unpacked")
        if not folder.exists():
            partial = found.with_suffix(".partial")
            shutil.rmtree(partial, ignore_errors=True)
            run(["dpkg-deb", "--extract", str(found), str(partial)])
            partial.rename(folder)
    return folder


def main() -> int:
    """Print what was asked for."""
    try:
        with locked(cache_dir() / "debian.lock", BUSY, 600):
            files = {name: package(name) for name in sys.argv[1:]}
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1
    described = {
        name: {"path": str(path), "sha256": tools.sha256(path), "architecture": ARCHITECTURE}
        for name, path in files.items()
    }
    print(json.dumps(described))
    return 0


if __name__ == "__main__":
    sys.exit(main())
