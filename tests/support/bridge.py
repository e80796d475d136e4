# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""A bridge that calls and is called, an authority, and a machine that is a folder."""

from __future__ import annotations

import datetime
import json
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ansible_collections.brownfield.mesh.plugins.module_utils import identity
from ansible_collections.brownfield.mesh.plugins.module_utils.bridge.state import (
    CERTIFICATE,
    DIGEST_VARIABLE,
    ENVOY_CONFIG,
    FIREWALL,
    FIREWALL_UNIT,
    UNIT,
    UNITS,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.spec import (
    AllowRule,
    Artifact,
    Call,
    Identity,
    Machine,
    Mesh,
    Port,
    Proxy,
    Workload,
)
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID as Usage

from tests.support import machine
from tests.support.fleet import FACTS

BILLING = Workload(
    name="billing",
    namespace="finance",
    service_account="billing-app",
    mode="bridge",
    ports=(Port("http", 8080), Port("tcp-postgres", 5432), Port("tcp-idle", 9000)),
    callers=(
        AllowRule("shop", "shop-api"),
        AllowRule("batch", "legacy-batch", (8080,)),
        AllowRule("ops", "admin", (5432, 8080)),
    ),
    calls=(
        Call(8080, host="shop-api.shop", service_account="shop-api", protocol="http"),
        Call(
            5432, host="db.payments.svc.cluster.local", service_account="payments", protocol="tcp"
        ),
        Call(9090, host="db.payments.svc", service_account="payments", protocol="grpc"),
        Call(443, external="api.example.com"),
    ),
)
SPIFFE_ID = "spiffe://cluster.local/ns/finance/sa/billing-app"
GATEWAY = "192.0.2.15"
BRIDGE_FACTS = replace(FACTS, gateway_address=GATEWAY)
ENVOY = Artifact("envoy", "e" * 64, "amd64", url="https://mirror.example/envoy")
MACHINE = Machine(
    "billing-1",
    BILLING.key,
    "192.0.2.77",
    mode="bridge",
    mesh=Mesh(proxy=Proxy(artifacts=(ENVOY, Artifact("pilot-agent", "a" * 64, path="agent")))),
)


def pem(thing: Any) -> str:
    """A certificate, request or private key in PEM."""
    if isinstance(thing, (x509.Certificate, x509.CertificateSigningRequest)):
        return thing.public_bytes(serialization.Encoding.PEM).decode()
    return str(
        thing.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode()
    )


@dataclass
class Pair:
    """A certificate, its key, and the chain above it."""

    certificate: x509.Certificate
    key: Any

    def write(self, folder: Path, name: str, *above: Pair) -> tuple[Path, Path]:
        """Both as PEM files, the certificates of ``above`` behind the own one."""
        certificate, key = folder / (name + ".crt"), folder / (name + ".key")
        certificate.write_text("".join(pem(pair.certificate) for pair in (self, *above)))
        key.write_text(pem(self.key))
        return certificate, key


def issue(
    issuer: Pair | None = None,
    name: str = "",
    authority: bool = False,
    begins: float = -120,
    lives: float = 86400,
    usages: Sequence[Any] = (Usage.SERVER_AUTH, Usage.CLIENT_AUTH),
    bits: int = 0,
    names_issuer: bool = True,
    key: Any = None,
    more: Sequence[str] = (),
) -> Pair:
    """A certificate for SPIFFE ID ``name`` (and ``more``); times in seconds from now.

    Without an issuer it is self-signed. Its key is ``key``, or new: RSA with ``bits``, else of
    P-256. ``names_issuer`` says which key signed it, as all authorities here have the same name.
    """
    if key is None and bits:
        key = rsa.generate_private_key(65537, bits)
    elif key is None:
        key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime.now(datetime.timezone.utc)
    organisation = x509.NameOID.ORGANIZATION_NAME
    subject = x509.Name([x509.NameAttribute(organisation, "authority")] if authority else [])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + datetime.timedelta(seconds=begins))
        .not_valid_after(now + datetime.timedelta(seconds=lives))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    )
    if name:
        uris = [x509.UniformResourceIdentifier(uri) for uri in (name, *more)]
        builder = builder.add_extension(x509.SubjectAlternativeName(uris), critical=True)
    if issuer and names_issuer:
        signer = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key())
        builder = builder.add_extension(signer, critical=False)
    if authority:
        own = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        builder = builder.add_extension(own, critical=False)
    if usages and not authority:
        builder = builder.add_extension(x509.ExtendedKeyUsage(list(usages)), critical=False)
    return Pair(builder.sign(issuer.key if issuer else key, hashes.SHA256()), key)


def revocation_list(
    authority: Pair,
    revoked: Sequence[Pair] = (),
    number: int = 1,
    begins: float = -60,
    lives: float = 3600,
    signer: Pair | None = None,
) -> str:
    """A list in PEM; times in seconds from now. ``signer`` forges its signature."""
    now = datetime.datetime.now(datetime.timezone.utc)
    key = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key())
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(authority.certificate.subject)
        .last_update(now + datetime.timedelta(seconds=begins))
        .next_update(now + datetime.timedelta(seconds=lives))
        .add_extension(x509.CRLNumber(number), critical=False)
        .add_extension(key, critical=False)
    )
    for pair in revoked:
        entry = x509.RevokedCertificateBuilder().revocation_date(now)
        builder = builder.add_revoked_certificate(
            entry.serial_number(pair.certificate.serial_number).build()
        )
    made = builder.sign((signer or authority).key, hashes.SHA256())
    return made.public_bytes(serialization.Encoding.PEM).decode()


def request(name: str = "spiffe://cluster.local/ns/evil/sa/evil", *more: str) -> tuple[str, Any]:
    """A signing request that asks for a name of its own (and ``more``), and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    uris = [x509.UniformResourceIdentifier(uri) for uri in (name, *more)]
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    builder = builder.add_extension(x509.SubjectAlternativeName(uris), critical=False)
    return pem(builder.sign(key, hashes.SHA256())), key


def identity_of(provider: str = "files", **more: Any) -> Identity:
    """The identity of a specification."""
    return Identity(provider, "certificate", "key", **more)


class Box(machine.Machine):
    """A machine that is a folder, with what a bridge needs of systemd, nft and Envoy."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.valid = True  # whether Envoy accepts configurations
        self.hangs = False  # whether a new Envoy never serves
        if "envoy" not in self.now:
            self._save({**self.now, "envoy": {}, "table": ""})

    def asks(self, path: str) -> str:
        """What Envoy's administration answers (the stand-in for ``proxy.ask``)."""
        serving = self.now["envoy"]
        if UNIT not in self.now["active"] or not serving:
            return ""
        if path == "/certs":
            # Envoy reads anew what the link leads to.
            serial = identity.serial(str(self.path(CERTIFICATE)))
            return json.dumps({"certificates": [{"cert_chain": [{"serial_number": serial}]}]})
        metadata = {"metadata": {"digest": serving["digest"]}}
        return json.dumps({"state": "LIVE", "version": "c/1.40.0/Clean", "node": metadata})

    def _systemctl(self, arguments: list[str]) -> tuple[int, str]:
        state, verb, unit = self.now, arguments[0], arguments[-1]
        active = unit in state["active"]
        if verb == "is-active":
            return (0, "active\n") if active else (3, "inactive\n")
        if verb == "show":
            return 0, "42\n" if active else "0\n"
        if verb in ("restart", "reload", "reload-or-restart"):
            text = self.path("%s/%s" % (UNITS, unit)).read_text()
            if unit == FIREWALL_UNIT:
                state["table"] = self.path(FIREWALL).read_text()
            elif not self.hangs:
                state["envoy"] = json.loads(self.path(ENVOY_CONFIG).read_text())["node"]["metadata"]
            if unit == UNIT and verb == "restart":
                found = re.search(r"Environment=(%s=\S+)" % DIGEST_VARIABLE, text)
                environment = self.path("/proc/42/environ")
                environment.parent.mkdir(exist_ok=True)
                environment.write_text("HOME=/\0%s\0" % (found.group(1) if found else ""))
            state["active"] = sorted({*state["active"], unit})
            self._save(state)
        elif verb == "stop":
            state["active"] = [name for name in state["active"] if name != unit]
            if unit == FIREWALL_UNIT:
                state["table"] = ""
            else:
                shutil.rmtree(self.path("/proc/42"), ignore_errors=True)
            self._save(state)
        return 0, ""

    def _nft(self, arguments: list[str]) -> tuple[int, str]:
        if arguments[0] != "list":
            return 0, "nftables v1.0.6\n"
        table = self.now["table"]
        return (0, table) if table else (1, "No such file or directory")

    def _openssl(self, arguments: list[str]) -> tuple[int, str]:
        done = subprocess.run(
            ["openssl", *arguments], capture_output=True, text=True, check=False, timeout=20
        )
        # What it thinks of a list, it says on the other stream.
        return done.returncode, done.stdout or done.stderr

    def _setpriv(self, arguments: list[str]) -> tuple[int, str]:
        if "validate" not in arguments:
            return 0, ""
        json.loads(Path(arguments[-1]).read_text())
        return (0, "") if self.valid else (1, "error initializing configuration: no such field")
