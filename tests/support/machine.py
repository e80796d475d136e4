# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""A machine that is a folder: files below a root, and commands that do what the real ones would."""

from __future__ import annotations

import datetime
import json
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ansible_collections.brownfield.mesh.plugins.module_utils.desired import Host
from ansible_collections.brownfield.mesh.plugins.module_utils.sidecar.state import (
    CAPTURE_APPLIED,
    CAPTURE_ENABLED,
    CAPTURE_ENV,
    CAPTURE_UNIT,
    CERTIFICATE,
    PROXY_UNIT,
    RUNTIME,
    TOKEN,
    UNITS,
)
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

PASSWD = "root:x:0:0:root:/root:/bin/bash\n"
HOSTS = "127.0.0.1 localhost\n"


def certificate(
    spiffe_id: str, begins: float = -120, lives: float = 86400, more: Sequence[str] = ()
) -> str:
    """A certificate as istiod makes them, in PEM; times in seconds from now."""
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime.now(datetime.timezone.utc)
    name = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "test")])
    uris = [x509.UniformResourceIdentifier(uri) for uri in (spiffe_id, *more) if uri]
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now + datetime.timedelta(seconds=begins))
        .not_valid_after(now + datetime.timedelta(seconds=lives))
    )
    if uris:
        builder = builder.add_extension(x509.SubjectAlternativeName(uris), critical=True)
    made = builder.sign(key, hashes.SHA256())
    return made.public_bytes(serialization.Encoding.PEM).decode()


class Machine:
    """Its running state lies in a file beside the root, so that it outlives a killed run."""

    def __init__(self, folder: Path, issues: str = "") -> None:
        """``issues`` is the SPIFFE ID that its istiod gives for a token."""
        self.root = folder / "root"
        self.state = folder / "state.json"
        self.issues = issues
        self.commands: list[str] = []
        self.outputs: dict[str, tuple[int, str]] = {
            "iptables --version": (0, "iptables v1.8.9 (nf_tables)\n"),
            "iptables-nft --version": (0, "iptables v1.8.9 (nf_tables)\n"),
            "nft --version": (0, "nftables v1.0.6\n"),
            "systemctl --version": (0, "systemd 252 (252.39-1~deb12u2)\n+PAM\n"),
        }
        for path in ("etc/systemd/system", "run/systemd/system", "proc/net", "var/lib", "opt"):
            (self.root / path).mkdir(parents=True, exist_ok=True)
        if not self.state.exists():
            (self.root / "etc/passwd").write_text(PASSWD)
            (self.root / "etc/hosts").write_text(HOSTS)
            self._save({"active": [], "guard": False, "rules": ""})
        self.host = Host(str(self.root) + "/", self.run)

    def path(self, path: str) -> Path:
        """``path`` of the machine, here."""
        return self.root / path.lstrip("/")

    @property
    def now(self) -> dict[str, Any]:
        """What runs: active units, whether the guard is armed, which rules are loaded."""
        found: dict[str, Any] = json.loads(self.state.read_text())
        return found

    def _save(self, state: dict[str, Any]) -> None:
        temporary = self.state.with_suffix(".new")
        temporary.write_text(json.dumps(state))
        temporary.replace(self.state)

    def ran(self, start: str) -> list[str]:
        """The commands that began so."""
        return [command for command in self.commands if command.startswith(start)]

    def reads(self, url: str) -> str:
        """What agent and Envoy answer (the stand-in for ``agent.get``)."""
        if PROXY_UNIT not in self.now["active"] or not self.path(CERTIFICATE).exists():
            return ""
        info = {"version": "abc/1.40.0/Clean/RELEASE/BoringSSL"}
        return json.dumps({**info, "node": {"metadata": {"ISTIO_VERSION": "1.31"}}})

    def run(self, argv: Sequence[str]) -> tuple[int, str, str]:
        """Do what the command would do here; one that is not known succeeds in silence."""
        command = " ".join(argv)
        self.commands.append(command)
        if command in self.outputs:
            code, text = self.outputs[command]
            return code, text, "" if code == 0 else text
        known = getattr(self, "_" + re.sub(r"\W", "_", argv[0]), None)
        code, text = known(list(argv[1:])) if known else (0, "")
        return code, text, "" if code == 0 else text

    def tree(self) -> dict[str, str]:
        """Every file and link of the machine with its content or target, folders too."""
        found = {}
        for path in sorted(self.root.rglob("*")):
            name = "/" + str(path.relative_to(self.root))
            if path.is_symlink():
                found[name] = "-> " + str(path.readlink())
            elif path.is_dir():
                found[name] = "folder %o" % (path.stat().st_mode & 0o7777)
            elif name == CERTIFICATE:
                found[name] = "a certificate"
            else:
                found[name] = "%o " % (path.stat().st_mode & 0o7777) + path.read_text("latin-1")
        return found

    def _systemctl(self, arguments: list[str]) -> tuple[int, str]:
        state, verb, unit = self.now, arguments[0], arguments[-1]
        active = unit in state["active"]
        if verb == "is-active" and unit == "mesh-guard.timer":
            return (0, "active\n") if state["guard"] else (3, "inactive\n")
        if verb == "is-active":
            return (0, "active\n") if active else (3, "inactive\n")
        if verb == "show":
            return 0, "42\n" if active else "0\n"
        if unit == "mesh-guard.timer":
            self._save({**state, "guard": False})
        elif verb == "stop" and unit in (PROXY_UNIT, CAPTURE_UNIT):
            self.stop(unit)
        elif verb == "start" and not active:
            if not self.path("%s/%s" % (UNITS, unit)).exists():
                return 5, "Unit %s not found." % unit
            self._start(unit)
        return 0, ""

    def stop(self, unit: str) -> None:
        """What systemd does when a unit stops."""
        state = self.now
        applied = self.path(CAPTURE_APPLIED).parent
        folder = self.path(RUNTIME) if unit == PROXY_UNIT else applied
        shutil.rmtree(folder, ignore_errors=True)
        if unit == PROXY_UNIT:
            shutil.rmtree(self.path("/proc/42"), ignore_errors=True)
        state["active"] = [name for name in state["active"] if name != unit]
        if unit == CAPTURE_UNIT:
            state["rules"] = ""
        self._save(state)

    def _start(self, unit: str) -> None:
        state = self.now
        if unit == PROXY_UNIT:
            self.path(RUNTIME).mkdir(mode=0o700, exist_ok=True)
            text = self.path("%s/%s" % (UNITS, unit)).read_text()
            (digest,) = re.findall(r"Environment=(MESH_PROXY_DIGEST=\S+)", text)
            environment = self.path("/proc/42/environ")
            environment.parent.mkdir(exist_ok=True)
            environment.write_text("HOME=/\0%s\0" % digest)
            if self.path(TOKEN).exists() and not self.path(CERTIFICATE).exists():
                self.path(CERTIFICATE).write_text(certificate(self.issues))
        else:
            environment = self.path(CAPTURE_ENV)
            self.path(CAPTURE_APPLIED).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(environment, self.path(CAPTURE_APPLIED))
            state["rules"] = "nft" if "NATIVE_NFTABLES" in environment.read_text() else "iptables"
        self._save({**state, "active": [*state["active"], unit]})

    def _systemd_run(self, arguments: list[str]) -> tuple[int, str]:
        self._save({**self.now, "guard": True})
        return 0, ""

    def guard_fires(self) -> None:
        """A minute passes."""
        assert self.now["guard"]
        self._save({**self.now, "guard": False})
        self.stop(CAPTURE_UNIT)

    def reboot(self) -> None:
        """What a reboot leaves: files on disks, and what is enabled comes up."""
        for unit in list(self.now["active"]):
            self.stop(unit)
        shutil.rmtree(self.root / "run")
        (self.root / "run/systemd/system").mkdir(parents=True)
        self._save({"active": [], "guard": False, "rules": ""})
        if self.path(UNITS + "/multi-user.target.wants/" + PROXY_UNIT).is_symlink():
            self._start(PROXY_UNIT)
            if self.path(CAPTURE_ENABLED).is_symlink():
                self._start(CAPTURE_UNIT)

    def _iptables_nft_save(self, arguments: list[str]) -> tuple[int, str]:
        return 0, "-A ISTIO_OUTPUT -j RETURN\n" if self.now["rules"] == "iptables" else ""

    _ip6tables_nft_save = _iptables_nft_save

    def _nft(self, arguments: list[str]) -> tuple[int, str]:
        return 0, "table inet istio-proxy-nat\n" if self.now["rules"] == "nft" else ""

    def _useradd(self, arguments: list[str]) -> tuple[int, str]:
        comment = arguments[arguments.index("--comment") + 1]
        home = arguments[arguments.index("--home-dir") + 1]
        line = "%s:x:999:999:%s:%s:/usr/sbin/nologin\n" % (arguments[-1], comment, home)
        passwd = self.path("/etc/passwd")
        passwd.write_text(passwd.read_text() + line)
        return 0, ""

    def _userdel(self, arguments: list[str]) -> tuple[int, str]:
        passwd = self.path("/etc/passwd")
        kept = [e for e in passwd.read_text().splitlines(True) if not e.startswith(arguments[0])]
        passwd.write_text("".join(kept))
        return 0, ""
