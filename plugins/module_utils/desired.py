# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""A machine's desired state as data, and the code that compares and applies it.

The controller renders a ``DesiredState``; the machine compares it with what is there (``compare``)
and makes it so (``Change.act``). Writes are atomic (temporary file, mode and owner, rename), and
secret content never appears in a difference. Killed anywhere, the next run converges.
"""

from __future__ import annotations

import grp
import os
import pwd
import shutil
import stat
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Callable, Optional

OURS = "brownfield.mesh"
MARK = "# " + OURS


# Files are taken and given byte for byte, whatever their line ends and encoding.
_TEXT: Any = {"encoding": "utf-8", "errors": "surrogateescape", "newline": ""}


class MachineError(Exception):
    """Something on the machine that stops the run, in words for its operator."""


@dataclass(frozen=True)
class File:
    """A file. ``secret`` keeps its content out of differences."""

    path: str
    content: str
    mode: int = 0o600
    owner: str = "root"
    group: str = "root"
    secret: bool = False


@dataclass(frozen=True)
class Directory:
    """A directory with its rights."""

    path: str
    mode: int = 0o755
    owner: str = "root"
    group: str = "root"


@dataclass(frozen=True)
class Link:
    """A symbolic link."""

    path: str
    target: str


@dataclass(frozen=True)
class HostsLine:
    """A line of /etc/hosts, marked as ours."""

    address: str
    name: str

    def render(self) -> str:
        """The line as it stands in the file."""
        return "%s %s %s" % (self.address, self.name, MARK)


@dataclass(frozen=True)
class User:
    """A system user with a group of the same name, marked as ours when we make it."""

    name: str
    home: str


@dataclass(frozen=True)
class DesiredState:
    """What a machine looks like below its proxy: names, users, folders and files."""

    user: User
    directories: tuple[Directory, ...]
    files: tuple[File, ...]
    links: tuple[Link, ...]
    hosts: tuple[HostsLine, ...]


@dataclass(frozen=True)
class Change:
    """One difference between desired and real: what it is, how it looks, and how to mend it."""

    what: str
    before: str
    after: str
    act: Callable[[], None]


def diff_of(changes: Sequence[Change]) -> list[dict[str, str]]:
    """The changes as Ansible's ``--diff`` shows them."""
    return [
        {
            "before_header": change.what,
            "after_header": change.what,
            "before": change.before,
            "after": change.after,
        }
        for change in changes
    ]


class Host:
    """The machine as files below ``root`` and commands. Tests give another root and runner."""

    def __init__(
        self,
        root: str = "/",
        runner: Optional[Callable[[Sequence[str]], tuple[int, str, str]]] = None,
    ) -> None:
        """``runner`` returns exit code, standard output and standard error."""
        self.root = root
        self._runner = runner or _subprocess

    def path(self, path: str) -> str:
        """``path`` below this machine's root."""
        return os.path.join(self.root, path.lstrip("/"))

    def run(self, argv: Sequence[str], check: bool = True) -> str:
        """Standard output. Raises MachineError with the command's last words when it fails."""
        code, out, err = self._runner(argv)
        if check and code != 0:
            words = (err or out).strip().splitlines()[-5:]
            raise MachineError("%s failed (%d): %s" % (" ".join(argv), code, " ".join(words)))
        return out

    def succeeds(self, argv: Sequence[str]) -> bool:
        """Whether the command exits with 0."""
        return self._runner(argv)[0] == 0

    def words(self, argv: Sequence[str]) -> str:
        """What the command prints on either stream, whatever its exit code."""
        _, out, err = self._runner(argv)
        return out + err

    def read(self, path: str) -> Optional[str]:
        """The file's text, or None when there is none."""
        try:
            with open(self.path(path), **_TEXT) as file:
                return str(file.read())
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None

    def write(self, file: File) -> None:
        """Write atomically: nobody ever sees half a file, or one with too many rights."""
        target = self.path(file.path)
        temporary, handle = temporary_beside(target)
        try:
            with open(handle, "w", **_TEXT) as stream:
                os.fchown(stream.fileno(), self.uid(file.owner), self.gid(file.group))
                os.fchmod(stream.fileno(), file.mode)
                stream.write(file.content)
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(temporary, target)
        except BaseException:
            os.unlink(temporary)
            raise

    def require_root(self) -> None:
        """Raises MachineError when we are somebody else."""
        if self.root == "/" and os.geteuid() != 0:
            raise MachineError("this needs root; set become: true for the play or the machine")

    def remove(self, path: str) -> None:
        """Remove a file, link or tree if it is there."""
        target = self.path(path)
        if os.path.islink(target) or os.path.isfile(target):
            os.unlink(target)
        elif os.path.isdir(target):
            shutil.rmtree(target)

    def uid(self, name: str) -> int:
        """The user's number. Below another root than / there are only our own."""
        return pwd.getpwnam(name).pw_uid if self.root == "/" else os.getuid()

    def gid(self, name: str) -> int:
        """The group's number."""
        return grp.getgrnam(name).gr_gid if self.root == "/" else os.getgid()

    def has_user(self, name: str) -> bool:
        """Whether the user exists."""
        return self._passwd(name) is not None

    def made_user(self, name: str) -> bool:
        """Whether the user exists and bears our mark."""
        entry = self._passwd(name)
        return entry is not None and entry[4] == OURS

    def _passwd(self, name: str) -> Optional[list[str]]:
        for line in (self.read("/etc/passwd") or "").splitlines():
            entry = line.split(":")
            if entry[0] == name and len(entry) == 7:
                return entry
        return None

    def rights(self, path: str) -> Optional[tuple[int, int, int]]:
        """Mode, user and group numbers of a path that is no link, or None."""
        try:
            status = os.lstat(self.path(path))
        except (FileNotFoundError, NotADirectoryError):
            return None
        if stat.S_ISLNK(status.st_mode):
            return None
        return stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid


def compare(host: Host, state: DesiredState) -> list[Change]:
    """What differs, in the order in which it must be made so."""
    changes = _user(host, state.user)
    for directory in state.directories:
        changes += compare_directory(host, directory)
    for file in state.files:
        changes += compare_file(host, file)
    for link in state.links:
        changes += compare_link(host, link)
    return changes + hosts(host, state.hosts)


def _user(host: Host, user: User) -> list[Change]:
    if host.has_user(user.name):
        return []

    def act() -> None:
        host.run(
            [
                "useradd",
                "--system",
                "--user-group",
                "--no-create-home",
                "--home-dir",
                user.home,
                "--shell",
                "/usr/sbin/nologin",
                "--comment",
                OURS,
                user.name,
            ]
        )

    return [Change("user " + user.name, "", user.name + "\n", act)]


def compare_directory(host: Host, directory: Directory) -> list[Change]:
    """Bring a folder in place with its rights."""
    rights = host.rights(directory.path)
    if rights is not None and _same_rights(host, rights, directory):
        return []

    def act() -> None:
        path = host.path(directory.path)
        if os.path.islink(path):
            os.unlink(path)
        os.makedirs(path, exist_ok=True)
        # Never through a link: it would give what it points to away.
        handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            os.fchown(handle, host.uid(directory.owner), host.gid(directory.group))
            os.fchmod(handle, directory.mode)
        finally:
            os.close(handle)

    return [
        Change(directory.path, _show(rights), "directory %s\n" % _wanted(directory), act),
    ]


def compare_file(host: Host, file: File) -> list[Change]:
    """Bring a file in place."""
    rights = host.rights(file.path)
    content = host.read(file.path) if rights is not None else None
    same = content == file.content
    if same and rights is not None and _same_rights(host, rights, file):
        return []
    before, after = content or "", file.content
    if file.secret:
        before, after = ("(secret)\n" if content else ""), "(secret, changed)\n"
    elif same:
        before, after = _show(rights), "file %s\n" % _wanted(file)
    return [Change(file.path, before, after, lambda: host.write(file))]


def compare_drop_in(host: Host, file: File) -> list[Change]:
    """Bring a file in place together with its folder, which only such files are in."""

    def act() -> None:
        os.makedirs(os.path.dirname(host.path(file.path)), mode=0o755, exist_ok=True)
        host.write(file)

    return [replace(change, act=act) for change in compare_file(host, file)]


def drop_in_removal(host: Host, file: File) -> list[Change]:
    """Take such a file away, and its folder when it would be empty then."""

    def act() -> None:
        host.remove(file.path)
        folder = os.path.dirname(host.path(file.path))
        if not os.listdir(folder):
            os.rmdir(folder)

    if not os.path.lexists(host.path(file.path)):
        return []
    return [Change(file.path, file.content, "", act)]


def compare_link(host: Host, link: Link) -> list[Change]:
    """Bring a symbolic link in place."""
    path = host.path(link.path)
    before = os.readlink(path) if os.path.islink(path) else ""
    if before == link.target:
        return []

    def act() -> None:
        os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
        temporary = path + ".new"
        if os.path.lexists(temporary):
            os.unlink(temporary)
        os.symlink(link.target, temporary)
        os.replace(temporary, path)

    return [Change(link.path, before and before + "\n", link.target + "\n", act)]


def hosts(host: Host, lines: Sequence[HostsLine]) -> list[Change]:
    """Bring our lines into /etc/hosts, and none of ours beyond them."""
    before = host.read("/etc/hosts") or ""
    after = "\n".join(line for line in before.split("\n") if not line.endswith(MARK))
    if lines and after and not after.endswith("\n"):
        after += "\n"
    after += "".join(line.render() + "\n" for line in lines)
    if before == after:
        return []
    rights = host.rights("/etc/hosts") or (0o644, 0, 0)
    new = File("/etc/hosts", after, rights[0])
    return [Change("/etc/hosts", before, after, lambda: host.write(new))]


def temporary_beside(target: str) -> tuple[str, int]:
    """A new, private file in the folder of ``target``, to be renamed to it: path and descriptor.

    Its name is always the same, so that what a killed run left is gone with the next.
    """
    folder, name = os.path.split(target)
    path = os.path.join(folder, ".%s.%s" % (name, OURS))
    if os.path.lexists(path):
        os.unlink(path)
    return path, os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)


def _same_rights(host: Host, rights: tuple[int, int, int], wanted: File | Directory) -> bool:
    try:
        return rights == (wanted.mode, host.uid(wanted.owner), host.gid(wanted.group))
    except KeyError:  # the user is yet to be made
        return False


def _show(rights: Optional[tuple[int, int, int]]) -> str:
    return "mode %04o, owner %d:%d\n" % rights if rights else ""


def _wanted(wanted: File | Directory) -> str:
    return "mode %04o, owner %s:%s" % (wanted.mode, wanted.owner, wanted.group)


def _subprocess(argv: Sequence[str]) -> tuple[int, str, str]:
    try:
        done = subprocess.run(list(argv), capture_output=True, text=True, check=False, timeout=120)
    except FileNotFoundError:
        return 127, "", "%s is not installed" % argv[0]
    except subprocess.TimeoutExpired:
        return 124, "", "took longer than two minutes"
    return done.returncode, done.stdout, done.stderr
