"""A real istio-sidecar.deb, laid out as Istio's own packaging does it.

Source: istio tools/packaging/packaging.mk (files, dependencies, conffiles) and postinst.sh, which
is taken as it is. Istio builds its packages with fpm, we with dpkg-deb.
"""

from __future__ import annotations

import hashlib
import os
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


def version(module_version: str) -> str:
    """A Debian version from a Go module's: it starts with a digit and has no dash.

    >>> version("v0.0.0-20260827124520-eed52ebb66ad")
    '0.0.0+20260827124520.eed52ebb66ad'
    """
    number, _, rest = module_version.removeprefix("v").partition("-")
    return f"{number}+{rest.replace('-', '.')}" if rest else number


def package() -> Path:
    """The package, built when it is missing from the cache. Raises LabError."""
    module = tools.istio_module()
    files = layout(module, tools.artifacts())
    scripts = {"postinst": (module / "tools/packaging/postinst.sh").read_text()}
    scripts["control"] = control(version(module.name.partition("@")[2]), ARCHITECTURE)
    scripts["conffiles"] = "".join(f"{name}\n" for name in CONFFILES)
    digests = [f"{name} {tools.sha256(path)} {mode:o}" for name, (path, mode) in files.items()]
    key = hashlib.sha256("\n".join([*digests, *scripts.values()]).encode()).hexdigest()[:16]
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
