# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""A machine that is a folder, on which the real supervisor runs the real Envoy.

``join`` works on it as on any machine: its state is rendered by the collection, its unit's command
line is the one that systemd would run; only the paths are below the folder.
"""

from __future__ import annotations

import functools
import os
import re
import shlex
import signal
import socket
import subprocess
import threading
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

from ansible_collections.brownfield.mesh.plugins.module_utils import artifacts
from ansible_collections.brownfield.mesh.plugins.module_utils.bridge import proxy
from ansible_collections.brownfield.mesh.plugins.module_utils.bridge.join import Supply, join
from ansible_collections.brownfield.mesh.plugins.module_utils.bridge.state import (
    ADMIN_SOCKET,
    CONFIG,
    IDENTITIES,
    RUNTIME,
    STATE,
    SUPERVISOR,
    UNIT,
    UNITS,
    BridgeState,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.desired import File
from ansible_collections.brownfield.mesh.plugins.module_utils.spec import (
    Artifact,
    Machine,
    Proxy,
    Workload,
)
from ansible_collections.brownfield.mesh.plugins.plugin_utils import bridge_state
from ansible_collections.brownfield.mesh.plugins.plugin_utils.bridge_units import BASE_ID

from lab import tools
from tests.support.bridge import BRIDGE_FACTS, Box, Pair, pem
from tests.support.envoys import free_port

PLACES = (CONFIG, RUNTIME, STATE, artifacts.BINARY_FOLDER)
SHARED_MEMORY = "envoy_shared_memory_%d"


_sha256 = functools.cache(tools.sha256)


class Live(Box):
    """One machine. ``folder`` must have a short name: sockets lie in it."""

    def __init__(
        self, folder: Path, root: Pair, stack: ExitStack, start_seconds: float = 0
    ) -> None:
        """``root`` is the mesh's authority; its gateway's address is 127.0.0.1. ``start_seconds``
        is how long an Envoy may take to start, if not as long as always."""
        os.umask(0o022)
        folder.mkdir()
        super().__init__(folder)
        self.log = folder / "log"
        self.mesh_root, self.start_seconds = root, start_seconds
        self.base_id = free_port()  # a number that is nobody else's here
        self.supervisor: subprocess.Popen[bytes] | None = None
        self.path(RUNTIME).mkdir(parents=True, exist_ok=True)
        # What systemd listens at.
        self.systemd = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.systemd.bind(str(folder / "notify"))
        self.ready = threading.Event()
        threading.Thread(target=self._listen, daemon=True).start()
        stack.callback(self._close)

    def render(
        self, machine: Machine, workload: Workload, pair: Pair, envoy: Path | None = None
    ) -> tuple[BridgeState, Supply]:
        """The state that the controller would render, with paths below the folder, and what it
        would supply: ``pair``, and ``envoy`` (the lab's when None)."""
        envoy = envoy or tools.envoy()
        artifact = Artifact("envoy", _sha256(envoy), path="files/envoy")
        machine = replace(machine, mesh=replace(machine.mesh, proxy=Proxy(artifacts=(artifact,))))
        facts = replace(
            BRIDGE_FACTS,
            gateway_address="127.0.0.1",
            root_certificate=pem(self.mesh_root.certificate),
        )
        certificate = pem(pair.certificate)
        state = bridge_state.render(machine, workload, facts, certificate)
        files = tuple(self._here(file) for file in state.files.files)
        state = replace(
            state, files=replace(state.files, files=files), envoy=self._here(state.envoy)
        )
        return state, Supply(certificate, pem(pair.key), {"envoy": str(envoy)})

    def join(self, *rendered: Any) -> dict[str, Any]:
        """What ``join`` returns for what ``render`` gave. Raises MachineError."""
        state, supply = rendered
        with mock.patch.object(proxy, "ADMIN_SOCKET", str(self.path(ADMIN_SOCKET))):
            return join(self.host, state, supply, False)

    def epochs(self) -> list[int]:
        """The restart epochs of the Envoys that run."""
        found = []
        for pid in self._children():
            with suppress(OSError, ValueError):  # it has just ended
                words = Path("/proc/%d/cmdline" % pid).read_bytes().split(b"\0")
                found.append(int(words[words.index(b"--restart-epoch") + 1]))
        return sorted(found)

    def resident_mb(self) -> float:
        """The memory of the Envoys that run, in megabytes."""
        pages = [
            int(Path("/proc/%d/statm" % pid).read_text().split()[1]) for pid in self._children()
        ]
        return sum(pages) * os.sysconf("SC_PAGE_SIZE") / 1e6

    def lies(self) -> dict[str, str]:
        """What the next start finds on disk: configuration, program, identity, by path."""
        folders = (CONFIG, artifacts.RECORD_FOLDER, artifacts.BINARY_FOLDER, IDENTITIES)
        found = {}
        for folder in folders:
            for path in sorted(self.path(folder).rglob("*")):
                if path.is_file():
                    found[str(path)] = str(path.resolve()) + tools.sha256(path)
        return found

    def reload(self) -> None:
        """What ``systemctl reload`` does."""
        assert self.supervisor is not None
        self.supervisor.send_signal(signal.SIGHUP)

    def stop(self) -> None:
        """End it, as ``systemctl stop`` does."""
        if self.supervisor is not None:
            self.supervisor.terminate()
            try:
                self.supervisor.wait(30)
            finally:
                self.supervisor.kill()
                self.supervisor = None
        # Where systemd gives it a folder of its own, this goes by itself.
        Path("/dev/shm", SHARED_MEMORY % (10 * self.base_id)).unlink(missing_ok=True)

    def _close(self) -> None:
        self.stop()
        self.systemd.shutdown(socket.SHUT_RDWR)
        self.systemd.close()

    def _children(self) -> list[int]:
        assert self.supervisor is not None
        path = "/proc/%d/task/%d/children" % (self.supervisor.pid, self.supervisor.pid)
        return [int(pid) for pid in Path(path).read_text().split()]

    def _here(self, file: File) -> File:
        content = file.content
        if file.path == SUPERVISOR and self.start_seconds:
            content = content.replace(
                "START_SECONDS = 30.0", "START_SECONDS = %r" % self.start_seconds
            )
        if not file.path.endswith(".json"):
            return replace(file, content=content)
        for place in PLACES:
            content = content.replace('"' + place, '"%s' % self.path(place))
        return replace(file, content=content)

    def _start(self, unit: str) -> None:
        text = self.path("%s/%s" % (UNITS, unit)).read_text()
        command = shlex.split(re.findall(r"^ExecStart=(.*)$", text, re.M)[0])
        command = [str(self.path(w)) if w.startswith(PLACES) else w for w in command]
        command[command.index(str(BASE_ID))] = str(self.base_id)
        self.ready.clear()
        environment = {**os.environ, "NOTIFY_SOCKET": str(self.root.parent / "notify")}
        with self.log.open("ab") as log:
            self.supervisor = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
        while not self.ready.wait(0.05) and self.supervisor.poll() is None:
            continue

    def _listen(self) -> None:
        with suppress(OSError):
            while said := self.systemd.recv(1000):
                if b"READY=1" in said:
                    self.ready.set()

    def _systemctl(self, arguments: list[str]) -> tuple[int, str]:
        verb, unit = arguments[0], arguments[-1]
        if unit != UNIT or verb not in ("restart", "reload", "stop"):
            return super()._systemctl(arguments)
        if verb == "reload":
            self.reload()
            return 0, ""
        self.stop()
        if verb == "restart":
            self._start(unit)
            if self.supervisor is None or self.supervisor.poll() is not None:
                super()._systemctl(["stop", unit])
                return 1, "Job for %s failed" % unit
        return super()._systemctl(arguments)

    def _setpriv(self, arguments: list[str]) -> tuple[int, str]:
        if "validate" not in arguments:
            return 0, ""
        command = arguments[arguments.index("--clear-groups") + 1 :]
        command[0] = str(self.path(command[0]))
        done = subprocess.run(
            ["env", *command], capture_output=True, text=True, check=False, timeout=60
        )
        return done.returncode, done.stderr

    def _journalctl(self, arguments: list[str]) -> tuple[int, str]:
        return 0, "\n".join(self.log.read_text().splitlines()[-15:])
