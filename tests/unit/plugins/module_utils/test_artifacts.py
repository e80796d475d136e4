# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Artefacts: pinned, verified, installed once."""

from __future__ import annotations

import hashlib
import http.server
import json
import os
import shutil
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.brownfield.mesh.plugins.module_utils import artifacts
from ansible_collections.brownfield.mesh.plugins.module_utils.desired import Host, MachineError
from ansible_collections.brownfield.mesh.plugins.module_utils.spec import Artifact

from tests.support.machine import Machine

ENVOY = b"this is Envoy"
NAMES = ("pilot-agent", "envoy", "envoy_bootstrap_tmpl.json")


def pinned(name: str, content: bytes, **where: str) -> Artifact:
    return Artifact(name, hashlib.sha256(content).hexdigest(), **where)


class Mirror(http.server.BaseHTTPRequestHandler):
    """Serves Envoy, and bad answers."""

    asked: list[str] = []  # noqa: RUF012 - one for all requests, on purpose

    def do_GET(self) -> None:
        self.asked.append(self.path)
        if "missing" in self.path:
            self.send_error(404)
            return
        self.send_response(200)
        if "chunked" in self.path:  # broken off in the middle
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"ff\r\nabc")
            return
        self.end_headers()
        self.wfile.write(ENVOY)

    def log_message(self, format: str, *arguments: object) -> None:
        """In silence."""


@pytest.fixture
def mirror() -> Iterator[str]:
    """The address of a mirror."""
    Mirror.asked.clear()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Mirror) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield "http://127.0.0.1:%d" % server.server_port
        server.shutdown()


@pytest.fixture
def box(tmp_path: Path) -> Machine:
    """A fresh machine with the folder of our records."""
    made = Machine(tmp_path)
    made.path("/etc/mesh-proxy").mkdir()
    return made


def test_a_download_is_installed_once(box: Machine, mirror: str) -> None:
    envoy = pinned("envoy", ENVOY, url=mirror + "/envoy")
    assert artifacts.missing(box.host, "binaries", [envoy]) == [envoy]
    artifacts.install(box.host, "binaries", envoy, {}, "")
    installed = box.path("/opt/mesh-proxy/bin/envoy")
    assert installed.read_bytes() == ENVOY
    assert stat.S_IMODE(installed.stat().st_mode) == 0o755
    assert artifacts.missing(box.host, "binaries", [envoy]) == []
    assert Mirror.asked == ["/envoy"]


def test_another_digest_touched_or_lost_counts_as_missing(box: Machine, mirror: str) -> None:
    envoy = pinned("envoy", ENVOY, url=mirror + "/envoy")
    artifacts.install(box.host, "binaries", envoy, {}, "")
    newer = pinned("envoy", b"another")
    assert artifacts.missing(box.host, "binaries", [newer]) == [newer]
    path = box.path("/opt/mesh-proxy/bin/envoy")
    os.utime(path, (1, 1))
    assert artifacts.missing(box.host, "binaries", [envoy]) == [envoy]
    path.unlink()
    assert artifacts.missing(box.host, "binaries", [envoy]) == [envoy]
    box.path(artifacts.RECORD).write_text("[")
    assert artifacts.missing(box.host, "binaries", [envoy]) == [envoy]


def test_nothing_unverified_is_installed(box: Machine, mirror: str) -> None:
    envoy = Artifact("envoy", "0" * 64, url=mirror + "/envoy")
    with pytest.raises(MachineError, match="nothing was installed"):
        artifacts.install(box.host, "binaries", envoy, {}, "")
    assert list(box.path("/opt/mesh-proxy/bin").iterdir()) == []


@pytest.mark.parametrize("package", ["deb", "rpm"])
def test_a_package_that_is_not_the_pinned_one_never_meets_its_installer(
    box: Machine, mirror: str, package: str
) -> None:
    sidecar = Artifact("istio-sidecar", "0" * 64, url=mirror + "/istio-sidecar")
    with pytest.raises(MachineError, match=r"sha256 is .* nothing was installed"):
        artifacts.install(box.host, package, sidecar, {}, "")
    assert box.commands == []
    assert list(box.path("/etc/mesh-proxy").iterdir()) == []


@pytest.mark.parametrize("path", ["/missing?sig=canary", "/chunked?sig=canary"])
def test_a_bad_answer_is_one_clear_error_without_the_signature(
    box: Machine, mirror: str, path: str
) -> None:
    envoy = pinned("envoy", ENVOY, url=mirror + path)
    with pytest.raises(MachineError, match="`path`") as caught:
        artifacts.install(box.host, "binaries", envoy, {}, "")
    assert "canary" not in str(caught.value)
    assert list(box.path("/opt/mesh-proxy/bin").iterdir()) == []


def test_an_unreachable_mirror_suggests_path(box: Machine) -> None:
    envoy = pinned("envoy", ENVOY, url="http://127.0.0.1:9/envoy")
    with pytest.raises(MachineError, match=r"`path` to have the controller push it"):
        artifacts.install(box.host, "binaries", envoy, {}, "")


def test_a_download_without_end_is_broken_off(
    box: Machine, mirror: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(artifacts, "MAX_BYTES", 4)
    with pytest.raises(MachineError, match="larger"):
        artifacts.install(box.host, "binaries", pinned("envoy", ENVOY, url=mirror + "/e"), {}, "")


def test_the_proxy_is_used_and_the_environment_is_not(
    box: Machine, mirror: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    artifacts.install(box.host, "binaries", pinned("envoy", ENVOY, url=mirror + "/direct"), {}, "")
    elsewhere = pinned("envoy", ENVOY, url="http://mirror.invalid/envoy")
    artifacts.install(box.host, "binaries", elsewhere, {}, mirror)
    assert Mirror.asked == ["/direct", "http://mirror.invalid/envoy"]


def test_what_the_controller_pushed_is_not_fetched(box: Machine, tmp_path: Path) -> None:
    (tmp_path / "pushed").write_bytes(ENVOY)
    envoy = pinned("envoy", ENVOY, url="http://127.0.0.1:9/envoy")
    artifacts.install(box.host, "binaries", envoy, {"envoy": str(tmp_path / "pushed")}, "")
    assert artifacts.missing(box.host, "binaries", [envoy]) == []


class PackageMachine(Machine):
    """dpkg and rpm bring the agent, and take it away."""

    def _dpkg(self, arguments: list[str]) -> tuple[int, str]:
        agent = self.path("/usr/local/bin/pilot-agent")
        if arguments[0] in ("--install", "--upgrade"):
            # What is installed is whole, and lies where only root writes.
            package = Path(arguments[-1])
            assert package.parent == self.path("/etc/mesh-proxy")
            agent.parent.mkdir(parents=True, exist_ok=True)
            agent.write_bytes(b"agent of " + package.read_bytes())
        else:
            shutil.rmtree(agent.parent)
        return 0, ""

    _rpm = _dpkg


@pytest.mark.parametrize(
    ("package", "install", "remove"),
    [
        ("deb", "dpkg --install ", "dpkg --purge istio-sidecar"),
        ("rpm", "rpm --upgrade --oldpackage --replacepkgs ", "rpm --erase istio-sidecar"),
    ],
)
def test_a_package_is_installed_once_and_removed_by_its_installer(
    tmp_path: Path, package: str, install: str, remove: str
) -> None:
    box = PackageMachine(tmp_path)
    box.path("/etc/mesh-proxy").mkdir()
    agent = box.path("/usr/local/bin/pilot-agent")
    versions = {}
    for version in (b"old", b"new"):
        file = tmp_path / version.decode()
        file.write_bytes(version)
        sidecar = pinned("istio-sidecar", version, path="files/istio-sidecar")
        versions[version] = sidecar, {sidecar.name: str(file)}
    for version in (b"old", b"new", b"old"):  # older ones too: the digest decides
        sidecar, pushed = versions[version]
        assert artifacts.missing(box.host, package, [sidecar]) == [sidecar]
        artifacts.change(box.host, package, sidecar, pushed, "").act()
        assert agent.read_bytes() == b"agent of " + version
        assert artifacts.missing(box.host, package, [sidecar]) == []
    assert len(box.commands) == len(box.ran(install)) == 3
    assert [path.name for path in box.path("/etc/mesh-proxy").iterdir()] == ["artifacts.json"]
    agent.write_text("upgraded by somebody")
    assert artifacts.missing(box.host, package, [sidecar]) == [sidecar]
    (removal,) = artifacts.uninstall(box.host)
    assert (removal.what, box.ran(remove)) == ("package istio-sidecar", [])
    removal.act()
    assert len(box.ran(remove)) == 1
    assert agent.parent.is_dir()
    assert not agent.exists()


@pytest.mark.parametrize(("package", "installer"), [("deb", "dpkg"), ("rpm", "rpm")])
def test_a_missing_installer_is_named_and_nothing_recorded(
    box: Machine, mirror: str, monkeypatch: pytest.MonkeyPatch, package: str, installer: str
) -> None:
    monkeypatch.setenv("PATH", str(box.root))
    host = Host(str(box.root) + "/")  # real commands
    sidecar = pinned("istio-sidecar", ENVOY, url=mirror + "/istio-sidecar")
    with pytest.raises(MachineError, match=r"\(127\): %s is not installed" % installer):
        artifacts.install(host, package, sidecar, {}, "")
    assert list(box.path("/etc/mesh-proxy").iterdir()) == []


@pytest.mark.parametrize("package", ["deb", "rpm"])
def test_a_failed_package_is_not_recorded(box: Machine, mirror: str, package: str) -> None:
    sidecar = pinned("istio-sidecar", ENVOY, url=mirror + "/istio-sidecar")
    box.host._runner = lambda argv: (1, "", "dependency problems")
    with pytest.raises(MachineError, match="dependency problems"):
        artifacts.install(box.host, package, sidecar, {}, "")
    assert not box.path(artifacts.RECORD).exists()


def test_each_architecture_gets_its_own() -> None:
    both = [
        Artifact("envoy", "a", "amd64"),
        Artifact("envoy", "b", "arm64"),
        Artifact("envoy_bootstrap_tmpl.json", "c"),
    ]
    assert [a.sha256 for a in artifacts.chosen(both, "arm64")] == ["b", "c"]
    with pytest.raises(MachineError, match=r"s390x: envoy; add one to mesh\.proxy\.artifacts"):
        artifacts.chosen(both, "s390x")
    assert artifacts.need(both[1]) == "artifact envoy arm64"


@pytest.mark.parametrize(("machine", "name"), [("x86_64", "amd64"), ("aarch64", "arm64")])
def test_architectures_are_named_as_debian_does(
    monkeypatch: pytest.MonkeyPatch, machine: str, name: str
) -> None:
    monkeypatch.setattr("platform.machine", lambda: machine)
    assert artifacts.architecture() == name


def test_the_difference_shows_digests(box: Machine, mirror: str) -> None:
    envoy = pinned("envoy", ENVOY, url=mirror + "/envoy")
    change = artifacts.change(box.host, "binaries", envoy, {}, "")
    assert (change.before, change.after) == ("", "envoy sha256:%s\n" % envoy.sha256)
    change.act()
    newer = pinned("envoy", b"newer", url=mirror + "/envoy")
    assert envoy.sha256 in artifacts.change(box.host, "binaries", newer, {}, "").before


def test_the_record_is_plain_data(box: Machine, mirror: str) -> None:
    envoy = pinned("envoy", ENVOY, url=mirror + "/envoy")
    artifacts.install(box.host, "binaries", envoy, {}, "")
    record = json.loads(box.path(artifacts.RECORD).read_text())
    assert record["envoy"]["sha256"] == envoy.sha256
    assert set(NAMES) == set(artifacts.BINARIES)
