# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Programs out of pinned archives: fetched or pushed, verified, unpacked, installed.

An archive may be a Debian package, of which only the programs are taken: so no unit of the package
is ever there to be started, and the same way serves Debian's packages and upstream's archives.
"""

from __future__ import annotations

import hashlib
import http.client
import io
import json
import os
import shutil
import tarfile
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import IO, Any, Optional

from ansible_collections.brownfield.mesh.plugins.module_utils.artifacts import architecture
from ansible_collections.brownfield.mesh.plugins.module_utils.desired import (
    Change,
    File,
    Host,
    MachineError,
    temporary_beside,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.spec import Artifact
from ansible_collections.brownfield.mesh.plugins.module_utils.watch.state import (
    Archive,
    Installation,
    place,
)

MAX_BYTES = 1 << 30
_ELF = b"\x7fELF"
_AR = b"!<arch>\n"
_AR_HEADER = 60


def record_path(home: str) -> str:
    """Where it is written what was installed."""
    return "/etc/%s/programs.json" % home


def chosen(archive: Archive) -> Artifact:
    """The artefact for this architecture. Raises MachineError naming the variable."""
    arch = architecture()
    for artifact in archive.artifacts:
        if artifact.architecture in (arch, "any"):
            return artifact
    raise MachineError(
        "%s: there is no artefact for architecture %s; add one to %s"
        % (archive.name, arch, archive.variable)
    )


def need(archive: Archive, artifact: Artifact) -> str:
    """How a machine asks for a file that the controller has."""
    return "artifact %s %s" % (archive.name, artifact.architecture)


def missing(host: Host, wanted: Installation) -> list[Archive]:
    """Archives of which a program is not installed as the digest says.

    Size and modification time stand for the content, so that nothing-to-do reads no programs.
    """
    record = _record(host, wanted.home)
    return [
        archive
        for archive in wanted.archives
        if any(
            record.get(program.name) != _entry(host, wanted.home, program.name, chosen(archive))
            for program in archive.programs
        )
    ]


def change(host: Host, wanted: Installation, archive: Archive, pushed: Mapping[str, str]) -> Change:
    """The installation of one archive's programs as a change."""
    artifact = chosen(archive)
    before = _record(host, wanted.home).get(archive.programs[0].name)
    return Change(
        "programs of " + archive.name,
        "sha256:%s\n" % before["sha256"] if before else "",
        "sha256:%s\n" % artifact.sha256,
        lambda: _install(host, wanted, archive, pushed),
    )


def _install(host: Host, wanted: Installation, archive: Archive, pushed: Mapping[str, str]) -> None:
    artifact = chosen(archive)
    record = _record(host, wanted.home)
    with tempfile.TemporaryFile() as file:
        if archive.name in pushed:
            with open(pushed[archive.name], "rb") as source:
                shutil.copyfileobj(source, file)
        else:
            _download(archive, artifact, file, wanted.https_proxy)
        digest = _sha256(file)
        if digest != artifact.sha256:
            raise MachineError(
                "%s: sha256 is %s but %s says %s; nothing was installed"
                % (archive.name, digest, archive.variable, artifact.sha256)
            )
        with _opened(archive, file) as tar:
            for program in archive.programs:
                content = _program(archive, tar, file, program.members)
                _write(host.path(place(wanted.home, program.name)), content, 0o755)
                record[program.name] = _entry(host, wanted.home, program.name, artifact)
            for path in archive.data:
                if tar and _in(tar, path):
                    _write(host.path(path), _in(tar, path), 0o644)
                    record[path] = {"sha256": artifact.sha256}
    text = json.dumps(record, indent=2, sort_keys=True) + "\n"
    host.write(File(record_path(wanted.home), text, 0o644))


def data_files(host: Host, home: str) -> list[str]:
    """What was installed outside of our own folders."""
    return sorted(path for path in _record(host, home) if path.startswith("/"))


@contextmanager
def _opened(archive: Archive, file: IO[bytes]) -> Iterator[Optional[tarfile.TarFile]]:
    """The archive, or None when the file is the program itself. Raises MachineError."""
    file.seek(0)
    start = file.read(len(_AR))
    file.seek(0)
    if start.startswith(_ELF) and len(archive.programs) == 1:
        yield None
        return
    try:
        data = _data_of_package(file) if start == _AR else file
        with tarfile.open(fileobj=data, mode="r:*") as tar:
            yield tar
    except (tarfile.TarError, ValueError) as error:
        raise MachineError(
            "%s: cannot be unpacked (%s); give a Debian package with data.tar.xz, a tar archive or"
            " the program itself in %s" % (archive.name, error, archive.variable)
        ) from None


def _program(
    archive: Archive, tar: Optional[tarfile.TarFile], file: IO[bytes], names: tuple[str, ...]
) -> bytes:
    """The program in the archive. Raises MachineError when there is none."""
    if tar is None:
        file.seek(0)
        return file.read()
    for member in tar.getmembers():
        if os.path.basename(member.name) in names and member.isfile() and member.size < MAX_BYTES:
            found = tar.extractfile(member)
            content = found.read() if found else b""
            if content.startswith(_ELF):  # other files of a package have its name, too
                return content
    raise MachineError("%s: there is no program %s in it" % (archive.name, " or ".join(names)))


def _in(tar: tarfile.TarFile, path: str) -> bytes:
    """The file that a package would install as ``path``; empty when it has none."""
    for member in tar.getmembers():
        if member.isfile() and "/" + member.name.lstrip("./") == path and member.size < MAX_BYTES:
            found = tar.extractfile(member)
            return found.read() if found else b""
    return b""


def _data_of_package(file: IO[bytes]) -> IO[bytes]:
    """The tar archive in a Debian package (deb(5)). Raises ValueError."""
    for name, content in _ar(file):
        if name.startswith("data.tar"):
            if name.endswith(".zst"):
                raise ValueError("it is packed with zstd, which Python cannot read")
            return io.BytesIO(content)
    raise ValueError("it has no data.tar")


def _ar(file: IO[bytes]) -> Iterator[tuple[str, bytes]]:
    file.seek(len(_AR))
    while True:
        header = file.read(_AR_HEADER)
        if len(header) < _AR_HEADER:
            return
        size = int(header[48:58])
        content = file.read(size)
        file.read(size % 2)
        yield header[:16].decode("ascii", "replace").strip().rstrip("/"), content


def _write(target: str, content: bytes, mode: int) -> None:
    os.makedirs(os.path.dirname(target), mode=0o755, exist_ok=True)
    temporary, handle = temporary_beside(target)
    try:
        with open(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fchmod(stream.fileno(), mode)
            os.fsync(stream.fileno())
        os.replace(temporary, target)
    except BaseException:
        os.unlink(temporary)
        raise


def _record(host: Host, home: str) -> dict[str, Any]:
    try:
        record = json.loads(host.read(record_path(home)) or "{}")
    except ValueError:  # half a file cannot be; anything else is verified anew
        return {}
    return record if isinstance(record, dict) else {}


def _entry(host: Host, home: str, program: str, artifact: Artifact) -> dict[str, Any]:
    """What the record says when the program is in place; empty when it is not."""
    try:
        status = os.stat(host.path(place(home, program)))
    except FileNotFoundError:
        return {}
    return {
        "sha256": artifact.sha256,
        "size": status.st_size,
        "modified_ns": status.st_mtime_ns,
    }


def _download(archive: Archive, artifact: Artifact, file: IO[bytes], https_proxy: str) -> None:
    proxies = {"https": https_proxy, "http": https_proxy} if https_proxy else {}
    opener = urllib.request.build_opener(urllib.request.ProxyHandler(proxies))
    try:
        with opener.open(artifact.url, timeout=30) as answer:
            content = answer.read(MAX_BYTES)
    except (urllib.error.URLError, http.client.HTTPException, OSError, ValueError) as error:
        # A query may hold a signature: it is not shown.
        raise MachineError(
            "%s: cannot be fetched from %s (%s); give a mirror, or `path` to have the controller"
            " push it, in %s"
            % (archive.name, artifact.url.split("?", 1)[0], error, archive.variable)
        ) from None
    file.write(content)


def _sha256(file: IO[bytes]) -> str:
    file.seek(0)
    digest = hashlib.sha256()
    for block in iter(lambda: file.read(1 << 20), b""):
        digest.update(block)
    return digest.hexdigest()
