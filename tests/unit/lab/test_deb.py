"""istio-sidecar.deb against Istio's own packaging."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from lab import deb, tools


def test_versions_start_with_a_digit_and_have_no_dash() -> None:
    assert deb.version("1.31-alpha.eed52ebb66ad") == "1.31alpha.eed52ebb66ad"
    assert deb.version("release-1.30.2") == "1.30.2"


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package built from a module folder of a few small files."""
    module = tmp_path / "istio@v0.0.0-20260827124520-eed52ebb66ad"
    common = module / "tools/packaging/common"
    common.mkdir(parents=True)
    for name in ("istio-start.sh", "istio.service", "sidecar.env", "envoy_bootstrap.json"):
        (common / name).write_text(name)
    (module / "VERSION").write_text("1.31\n")
    (module / "tools/packaging/postinst.sh").write_text("#!/bin/bash\necho done\n")
    artifacts = {}
    for name in ("envoy", "pilot-agent"):
        artifacts[name] = tmp_path / name
        artifacts[name].write_text(name)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(tools, "istio_module", lambda: module)
    monkeypatch.setattr(tools, "versions", lambda: ["1"])
    monkeypatch.setattr(tools, "artifacts", lambda: artifacts)
    return deb.package()


def test_it_holds_what_istio_packages(package: Path) -> None:
    listing = subprocess.run(
        ["dpkg-deb", "--contents", package], capture_output=True, text=True, check=True
    ).stdout
    assert set(re.findall(r" (\d{4}-\d\d-\d\d) ", listing)) == {"2023-11-14"}  # not today
    found = re.findall(r"^-(\S+) root/root .* \./(\S+)$", listing, re.MULTILINE)
    assert {path: mode for mode, path in found} == {
        "usr/local/bin/envoy": "rwxr-xr-x",
        "usr/local/bin/pilot-agent": "rwxr-xr-x",
        "usr/local/bin/istio-start.sh": "rwxr-xr-x",
        "lib/systemd/system/istio.service": "rw-r--r--",
        "var/lib/istio/envoy/sidecar.env": "rw-r--r--",
        "var/lib/istio/envoy/envoy_bootstrap_tmpl.json": "rw-r--r--",
    }


def test_its_fields_conffiles_and_script_are_istios(package: Path) -> None:
    def ask(*argv: str) -> str:
        return subprocess.run(
            ["dpkg-deb", *argv], capture_output=True, text=True, check=True
        ).stdout.strip()

    assert ask("--field", str(package), "Package") == "istio-sidecar"
    assert ask("--field", str(package), "Version") == "1.31alpha.eed52ebb66ad"
    assert ask("--field", str(package), "Depends") == "iproute2, iptables, sudo, hostname"
    assert ask("--info", str(package), "conffiles").split() == list(deb.CONFFILES)
    assert "echo done" in ask("--info", str(package), "postinst")


def test_the_same_input_makes_the_same_package(package: Path) -> None:
    first = package.read_bytes()
    assert deb.package() == package
    package.unlink()
    assert deb.package() == package
    assert package.read_bytes() == first
