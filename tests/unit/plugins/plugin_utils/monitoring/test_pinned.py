# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""What a machine shows is believed for itself alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.brownfield.mesh.plugins.module_utils.desired import Host
from ansible_collections.brownfield.mesh.plugins.module_utils.watch import pair
from ansible_collections.brownfield.mesh.plugins.module_utils.watch.state import Pair
from ansible_collections.brownfield.mesh.plugins.plugin_utils.monitoring import pinned


def shown(folder: Path, address: str) -> str:
    """What a machine with that address shows."""
    (folder / "etc").mkdir(parents=True)
    host, wanted = Host(str(folder)), Pair("/etc/k.key", "/etc/k.crt", address)
    for change in pair.compare(host, wanted, "root"):
        change.act()
    return host.read("/etc/k.crt") or ""


def test_its_own_certificate(tmp_path: Path) -> None:
    pem = shown(tmp_path, "192.0.2.15")
    assert pinned.certificate("words before\n" + pem, "192.0.2.15") == pem
    with pytest.raises(ValueError, match=r"is for 192[.]0[.]2[.]15, not for 192[.]0[.]2[.]16"):
        pinned.certificate(pem, "192.0.2.16")
    with pytest.raises(ValueError, match=r"is for 192[.]0[.]2[.]15, not for a client"):
        pinned.certificate(pem)


def test_a_clients_certificate_names_nobody(tmp_path: Path) -> None:
    pem = shown(tmp_path, "")
    assert pinned.certificate(pem) == pem
    with pytest.raises(ValueError, match=r"is for nobody, not for 192[.]0[.]2[.]15"):
        pinned.certificate(pem, "192.0.2.15")


def test_no_authority_and_no_second_certificate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pem = shown(tmp_path / "one", "192.0.2.15")
    for wrong in (pem + pem, "", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"):
        with pytest.raises(ValueError, match="no certificate of a machine's own"):
            pinned.certificate(wrong, "192.0.2.15")
    monkeypatch.setattr(pair, "CONFIGURATION", pair.CONFIGURATION.replace("CA:FALSE", "CA:TRUE"))
    with pytest.raises(ValueError, match="authority"):
        pinned.certificate(shown(tmp_path / "two", "192.0.2.15"), "192.0.2.15")


def test_who_asks_vantages_is_judged_likewise_and_named(tmp_path: Path) -> None:
    client, server = shown(tmp_path / "c", ""), shown(tmp_path / "s", "192.0.2.15")
    assert pinned.clients([client]) == [client]
    with pytest.raises(ValueError, match=r"client[.]crt of a machine of the group mesh_monitoring"):
        pinned.clients([client, server])
