"""A real istio-sidecar.deb, laid out as Istio's own packaging does it.

Source: istio tools/packaging/packaging.mk (files, dependencies, conffiles) and postinst.sh, which
is taken as it is. Istio builds its packages with fpm, we with dpkg-deb.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

from lab import tools
from lab.config import ARCHITECTURE, cache_dir
from lab.run import run, step

CONFFILES = (
    "/var/lib/istio/envoy/envoy_bootstrap_tmpl.json",
    "/var/lib/istio/envoy/sidecar.env",
)
EPOCH = "1700000000"  # the same files make the same package


def layout(module: Path, artifacts: Mapping[str, Path]) -> dict[str, tuple[Path, int]]:
    """What the package installs: path on the machine -> source and file mode."""
    common = module / "tools/packaging/common"
    return {
        "/usr/local/bin/envoy": (artifacts["envoy"], 0o755),
        "/usr/local/bin/pilot-agent": (artifacts["pilot-agent"], 0o755),
        "/usr/local/bin/istio-start.sh": (common / "istio-start.sh", 0o755),
        "/lib/systemd/system/istio.service": (common / "istio.service", 0o644),
        "/var/lib/istio/envoy/sidecar.env": (common / "sidecar.env", 0o644),
        "/var/lib/istio/envoy/envoy_bootstrap_tmpl.json": (common / "envoy_bootstrap.json", 0o644),
    }


def control(version: str, architecture: str) -> str:
    """The package's control file, with the values of Istio's packaging."""
    return f"""\
Package: istio-sidecar
Version: {version}
Architecture: {architecture}
Maintainer: istio@istio.io
Vendor: istio.io
License: Apache
Homepage: http://istio.io
Depends: iproute2, iptables, sudo, hostname
Section: default
Priority: extra
Description: Istio Sidecar
"""


def version(istio: str) -> str:
    """The package's version from Istio's, by the rule of packaging.mk: no leading word, no dash."""
    return re.sub(r"^[a-z]*-", "", istio).replace("-", "", 1)


def package() -> Path:
    """The package, built when it is missing from the cache. Raises LabError."""
    module = tools.istio_module()
    files = layout(module, tools.artifacts())
    scripts = {"postinst": (module / "tools/packaging/postinst.sh").read_text()}
    scripts["control"] = control(version(tools.istio_version()), ARCHITECTURE)
    scripts["conffiles"] = "".join(f"{name}\n" for name in CONFFILES)
    modes = [f"{name} {mode:o}" for name, (_, mode) in files.items()]
    parts = [*modes, *scripts.values(), *tools.versions()]
    key = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
    target = cache_dir() / "deb" / f"istio-sidecar-{key}.deb"
    if target.exists():
        return target
    tree = target.with_suffix(".tree")
    shutil.rmtree(tree, ignore_errors=True)
    for name, (source, mode) in files.items():
        place = tree / name.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, place)
        place.chmod(mode)
    (tree / "DEBIAN").mkdir()
    for name, text in scripts.items():
        (tree / "DEBIAN" / name).write_text(text)
    (tree / "DEBIAN" / "postinst").chmod(0o755)
    partial = target.with_suffix(".partial")
    with step("istio-sidecar.deb (once)"):
        run(
            ["dpkg-deb", "--root-owner-group", "-Zgzip", "-z1", "--build", str(tree), str(partial)],
            env={**os.environ, "SOURCE_DATE_EPOCH": EPOCH},
        )
    partial.rename(target)
    shutil.rmtree(tree)
    return target
