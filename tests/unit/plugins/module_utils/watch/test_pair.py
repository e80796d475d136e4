# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""A key of the machine's own: made once, by OpenSSL itself, and again when something is amiss."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from ansible_collections.brownfield.mesh.plugins.module_utils import identity
from ansible_collections.brownfield.mesh.plugins.module_utils.desired import (
    File,
    Host,
    MachineError,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.watch import pair
from ansible_collections.brownfield.mesh.plugins.module_utils.watch.state import (
    CLIENT_CERTIFICATE,
    VANTAGE_CERTIFICATES,
    Pair,
)

SERVER = Pair("/etc/mesh-watch/v.key", "/etc/mesh-watch/v.crt", "192.0.2.15")


@pytest.fixture
def host(tmp_path: Path) -> Host:
    for name in ("mesh-watch", "mesh-monitoring"):
        (tmp_path / "etc" / name).mkdir(parents=True)
    return Host(str(tmp_path))


def make(host: Host, wanted: Pair = SERVER) -> bool:
    """Whether there was anything to do."""
    changes = pair.compare(host, wanted, "root")
    for change in changes:
        change.act()
    return bool(changes)


def test_it_is_made_once(host: Host) -> None:
    assert make(host)
    assert not make(host)
    assert identity.addresses(host.path(SERVER.certificate)) == ["192.0.2.15"]
    assert stat.S_IMODE(Path(host.path(SERVER.key)).stat().st_mode) == 0o600
    assert sorted(path.name for path in Path(host.path("/etc/mesh-watch")).iterdir()) == [
        "v.crt",
        "v.key",
    ]


def test_the_key_is_its_readers_and_stays_as_it_was_made(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[File] = []
    write = Host.write
    monkeypatch.setattr(Host, "write", lambda self, file: (written.append(file), write(self, file)))
    for change in pair.compare(host, SERVER, "prometheus"):
        change.act()
    (key,) = [file for file in written if file.path == SERVER.key]
    # As compared: another group would make a new key in each run.
    assert (key.owner, key.group, key.mode, key.secret) == ("prometheus", "root", 0o600, True)


def test_the_key_is_in_no_difference(host: Host) -> None:
    (change,) = pair.compare(host, SERVER, "root")
    change.act()
    assert "PRIVATE" not in change.before + change.after
    assert "PRIVATE" not in (host.read(SERVER.certificate) or "")


def test_it_is_made_again_when_something_is_amiss(host: Host) -> None:
    make(host)
    before = host.read(SERVER.certificate)
    for amiss in (
        lambda: Path(host.path(SERVER.key)).chmod(0o640),
        lambda: host.remove(SERVER.key),
        lambda: host.remove(SERVER.certificate),
        lambda: Path(host.path(SERVER.key)).write_text("half"),
    ):
        amiss()
        assert make(host)
        assert host.read(SERVER.certificate) != before
        assert not make(host)
    assert make(host, Pair(SERVER.key, SERVER.certificate, "192.0.2.16"))
    assert make(host, Pair(SERVER.key, SERVER.certificate))


def test_killed_between_key_and_certificate_the_next_run_makes_both(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(host)
    monkeypatch.setattr(pair, "CONFIGURATION", "no configuration")
    host.remove(SERVER.certificate)
    with pytest.raises(MachineError):
        make(host)
    monkeypatch.undo()
    assert make(host)
    assert not make(host)


def test_vantages_are_known_by_name_and_not_forgotten_when_one_is_away(host: Host) -> None:
    Path(host.path(CLIENT_CERTIFICATE)).write_text("mine\n")
    first = pair.known(host, {"o-2": "two\n", "o-1": "one\n", "o-3": ""})
    assert first == {"o-1": "one\n", "o-2": "two\n"}
    text = pair.bundle(host, first)
    assert text == "# itself\nmine\n# o-1\none\n# o-2\ntwo\n"
    Path(host.path(VANTAGE_CERTIFICATES)).write_text(text)
    assert pair.known(host, {"o-2": "new\n", "o-1": ""}) == {"o-1": "one\n", "o-2": "new\n"}
    # One that is in the inventory no more is known no more.
    assert pair.known(host, {"o-1": ""}) == {"o-1": "one\n"}
