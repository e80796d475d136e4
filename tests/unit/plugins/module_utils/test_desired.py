# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Comparing a machine with its desired state, and making it so."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.brownfield.mesh.plugins.module_utils import desired
from ansible_collections.brownfield.mesh.plugins.module_utils.desired import (
    MARK,
    DesiredState,
    Directory,
    File,
    Host,
    HostsLine,
    Link,
    MachineError,
    User,
)
from hypothesis import given
from hypothesis import strategies as st

LINES = (HostsLine("192.0.2.1", "istiod.istio-system.svc"),)
STATE = DesiredState(
    user=User("istio-proxy", "/var/lib/mesh-proxy"),
    directories=(Directory("/etc/mesh", 0o750), Directory("/var/lib/mesh/etc", 0o700)),
    files=(File("/etc/mesh/a.env", "A=1\n", 0o644), File("/etc/mesh/key", "k\n", secret=True)),
    links=(Link("/etc/mesh/link", "/dev/null"),),
    hosts=LINES,
)


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """A machine whose useradd works."""
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/bash\n")
    (tmp_path / "etc/hosts").write_text("127.0.0.1 localhost\n")

    def run(argv: Sequence[str]) -> tuple[int, str, str]:
        if argv[0] == "useradd":
            with (tmp_path / "etc/passwd").open("a") as file:
                file.write("%s:x:9:9:brownfield.mesh:/:/bin/false\n" % argv[-1])
        return 0, "", ""

    return Host(str(tmp_path) + "/", run)


def apply(host: Host, state: DesiredState) -> list[str]:
    """Make it so; what was changed."""
    changes = desired.compare(host, state)
    for change in changes:
        change.act()
    return [change.what for change in changes]


def names(folder: Path) -> list[str]:
    """What is in a folder."""
    return sorted(path.name for path in folder.iterdir())


def test_what_is_missing_comes_and_stays(host: Host) -> None:
    assert apply(host, STATE) == [
        "user istio-proxy",
        "/etc/mesh",
        "/var/lib/mesh/etc",
        "/etc/mesh/a.env",
        "/etc/mesh/key",
        "/etc/mesh/link",
        "/etc/hosts",
    ]
    assert apply(host, STATE) == []


@pytest.mark.parametrize(
    ("spoil", "what"),
    [
        (lambda root: (root / "etc/mesh/a.env").write_text("A=2\n"), "/etc/mesh/a.env"),
        (lambda root: (root / "etc/mesh/a.env").unlink(), "/etc/mesh/a.env"),
        (lambda root: (root / "etc/mesh/a.env").chmod(0o666), "/etc/mesh/a.env"),
        (lambda root: (root / "etc/mesh/key").chmod(0o640), "/etc/mesh/key"),
        (lambda root: (root / "etc/mesh").chmod(0o777), "/etc/mesh"),
        (lambda root: (root / "etc/mesh/link").unlink(), "/etc/mesh/link"),
        (lambda root: (root / "etc/hosts").write_text(""), "/etc/hosts"),
        (lambda root: (root / "etc/passwd").write_text(""), "user istio-proxy"),
    ],
)
def test_what_was_changed_is_set_right(
    host: Host, tmp_path: Path, spoil: Callable[[Path], Any], what: str
) -> None:
    apply(host, STATE)
    spoil(tmp_path)
    assert apply(host, STATE) == [what]
    assert apply(host, STATE) == []


def test_a_change_of_rights_alone_is_shown(host: Host, tmp_path: Path) -> None:
    apply(host, STATE)
    (tmp_path / "etc/mesh/a.env").chmod(0o666)
    (change,) = desired.compare(host, STATE)
    assert "0666" in change.before
    assert "0644" in change.after


def test_secrets_are_in_no_difference(host: Host, tmp_path: Path) -> None:
    apply(host, STATE)
    (tmp_path / "etc/mesh/key").write_text("other")
    shown = repr(desired.diff_of(desired.compare(host, STATE)))
    assert "/etc/mesh/key" in shown
    assert "k\\n" not in shown.replace("mesh/key\\n", "")
    assert "other" not in shown


def test_nobody_sees_half_a_file_or_too_many_rights(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = {}
    target = tmp_path / "etc/secret"
    target.write_text("old")
    replace = os.replace

    def watched(source: str, to: str) -> None:
        seen["mode"] = stat.S_IMODE(Path(source).stat().st_mode)
        seen["content"] = Path(source).read_text()
        seen["meanwhile"] = target.read_text()
        replace(source, to)

    monkeypatch.setattr(os, "replace", watched)
    host.write(File("/etc/secret", "new", 0o600))
    assert seen == {"mode": 0o600, "content": "new", "meanwhile": "old"}
    assert names(tmp_path / "etc") == ["hosts", "passwd", "secret"]


def test_a_failed_write_leaves_the_old_file(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        host.write(File("/etc/hosts", "new"))
    assert names(tmp_path / "etc") == ["hosts", "passwd"]
    assert (tmp_path / "etc/hosts").read_text() == "127.0.0.1 localhost\n"


def test_what_a_killed_write_left_is_used_up(host: Host, tmp_path: Path) -> None:
    path, handle = desired.temporary_beside(str(tmp_path / "etc/hosts"))
    os.close(handle)
    assert Path(path).exists()
    host.write(File("/etc/hosts", "new"))
    assert names(tmp_path / "etc") == ["hosts", "passwd"]


def test_a_link_is_replaced_and_not_followed(host: Host, tmp_path: Path) -> None:
    treasure = tmp_path / "treasure"
    treasure.write_text("keep")
    (tmp_path / "etc/mesh").mkdir()
    (tmp_path / "etc/mesh/a.env").symlink_to(treasure)
    (tmp_path / "etc/mesh/.a.env.brownfield.mesh").symlink_to(treasure)
    apply(host, STATE)
    assert treasure.read_text() == "keep"
    assert (tmp_path / "etc/mesh/a.env").read_text() == "A=1\n"
    assert not (tmp_path / "etc/mesh/a.env").is_symlink()


def test_a_drop_in_comes_and_goes_with_its_folder(host: Host, tmp_path: Path) -> None:
    file = File("/etc/unit.d/ours.conf", "[Service]\n", 0o644)
    for change in desired.compare_drop_in(host, file):
        change.act()
    assert desired.compare_drop_in(host, file) == []
    (removal,) = desired.drop_in_removal(host, file)
    removal.act()
    assert not (tmp_path / "etc/unit.d").exists()
    assert desired.drop_in_removal(host, file) == []


def test_a_command_that_fails_is_named_with_its_last_words(tmp_path: Path) -> None:
    host = Host(str(tmp_path), lambda argv: (2, "", "one\ntwo\n"))
    with pytest.raises(MachineError, match=r"^useradd -r x failed \(2\): one two$"):
        host.run(["useradd", "-r", "x"])
    assert host.run(["useradd"], check=False) == ""


def test_a_command_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(MachineError, match="no-such-command is not installed"):
        Host(str(tmp_path)).run(["no-such-command"])


def test_whose_user_it_is(host: Host, tmp_path: Path) -> None:
    assert not host.has_user("istio-proxy")
    apply(host, STATE)
    assert host.made_user("istio-proxy")
    assert host.has_user("root")
    assert not host.made_user("root")
    (tmp_path / "etc/passwd").write_text("# comment\nbroken\nistio-proxy-2:x:1:1:a:b:c\n")
    assert not host.has_user("istio-proxy")


hosts_files = st.lists(
    st.one_of(
        st.text(st.characters(codec="utf-8", exclude_characters="\n"), max_size=20),
        st.sampled_from(["10.0.0.1 old " + MARK, "", "# a comment", "10.0.0.2 a\r"]),
    ),
    max_size=6,
).map("\n".join)


@given(hosts_files, st.booleans())
def test_only_our_lines_of_the_hosts_file_change(
    tmp_path_factory: pytest.TempPathFactory, text: str, ends: bool
) -> None:
    root = tmp_path_factory.mktemp("root")
    (root / "etc").mkdir()
    path = root / "etc/hosts"
    before = (text + "\n" * ends).encode()
    path.write_bytes(before)
    host = Host(str(root) + "/", lambda argv: (0, "", ""))
    foreign = [line for line in before.split(b"\n") if not line.endswith(MARK.encode())]

    for change in desired.hosts(host, LINES):
        change.act()
    assert desired.hosts(host, LINES) == []
    lines = path.read_bytes().split(b"\n")
    assert lines.count(LINES[0].render().encode()) == 1
    ours = [line for line in lines if line.endswith(MARK.encode())]
    assert len(ours) == 1

    for change in desired.hosts(host, ()):
        change.act()
    after = path.read_bytes()
    kept = b"\n".join(foreign)
    assert after in (kept, kept + b"\n")
    assert desired.hosts(host, ()) == []


def test_a_hosts_file_without_ours_is_not_touched(host: Host, tmp_path: Path) -> None:
    (tmp_path / "etc/hosts").write_bytes(b"127.0.0.1 localhost\r\n\xff no end")
    assert desired.hosts(host, ()) == []
