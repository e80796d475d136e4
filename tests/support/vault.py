# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""A real Vault for tests: a process with TLS, PKI below an authority, AppRole and JWT log-ins."""

from __future__ import annotations

import base64
import datetime
import ipaddress
import json
import subprocess
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.brownfield.mesh.plugins.module_utils import spec
from ansible_collections.brownfield.mesh.plugins.module_utils.vault import Client, VaultError
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils

from lab.tools import go_tools
from tests.support.bridge import Pair, issue, pem

START_SECONDS = 60
POLICY = """
path "pki/sign/*" { capabilities = ["update"] }
"""
CONTROLLER_POLICY = """
path "auth/approle/role/billing/role-id" { capabilities = ["read"] }
path "auth/approle/role/billing/secret-id" {
  capabilities = ["update"]
  min_wrapping_ttl = "1s"
  max_wrapping_ttl = "300s"
}
"""


@dataclass
class Server:
    """A Vault whose data lies in ``folder``, so that it can be stopped and started again."""

    folder: Path
    port: int
    stack: ExitStack
    authority: Pair = field(default_factory=lambda: issue(authority=True))
    jwt_key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )
    keys: list[str] = field(default_factory=list)
    root_token: str = ""
    process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return "https://127.0.0.1:%d" % self.port

    @property
    def ca(self) -> str:
        """The authority of its own certificate."""
        return pem(self.authority.certificate)

    def call(self, method: str, path: str, body: Any = None, **more: Any) -> dict[str, Any]:
        """A request with all rights."""
        return Client(self.address, self.ca).call(
            method, path, body, **{"token": self.root_token, **more}
        )

    def start(self) -> None:
        """Returns when it answers; sealed at first. Raises RuntimeError."""
        self._configure()
        log = self.stack.enter_context((self.folder / "vault.log").open("ab"))
        self.process = subprocess.Popen(
            [str(go_tools("vault") / "vault"), "server", "-config", str(self.folder / "v.hcl")],
            stdout=log,
            stderr=log,
        )
        end = time.monotonic() + START_SECONDS
        while True:
            try:
                self.call("GET", "sys/seal-status")
                return
            except VaultError:
                if self.process.poll() is not None or time.monotonic() > end:
                    raise RuntimeError((self.folder / "vault.log").read_text()[-2000:]) from None
                time.sleep(0.1)

    def unseal(self) -> None:
        """Bring it into use."""
        if not self.keys:
            made = self.call("PUT", "sys/init", {"secret_shares": 1, "secret_threshold": 1})
            self.keys, self.root_token = made["keys"], made["root_token"]
        self.call("PUT", "sys/unseal", {"key": self.keys[0]})
        end = time.monotonic() + START_SECONDS
        while True:
            try:
                self.call("GET", "auth/token/lookup-self")
                return
            except VaultError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.1)

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait(10)
            self.process = None

    def _configure(self) -> None:
        (self.folder / "data").mkdir(exist_ok=True)
        key = ec.generate_private_key(ec.SECP256R1())
        (self.folder / "tls.key").write_text(pem(key))
        now = datetime.datetime.now(datetime.timezone.utc)
        names: list[x509.GeneralName] = [x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([]))
            .issuer_name(self.authority.certificate.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(minutes=1))
            .not_valid_after(now + datetime.timedelta(hours=1))
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
        )
        made = builder.sign(self.authority.key, hashes.SHA256())
        (self.folder / "tls.crt").write_text(pem(made))
        settings = {
            "storage": {"file": {"path": str(self.folder / "data")}},
            "listener": {
                "tcp": {
                    "address": "127.0.0.1:%d" % self.port,
                    "tls_cert_file": str(self.folder / "tls.crt"),
                    "tls_key_file": str(self.folder / "tls.key"),
                }
            },
            "disable_mlock": True,
        }
        (self.folder / "v.hcl").write_text(json.dumps(settings))

    def prepare(self, root: Pair, spiffe_id: str) -> None:
        """PKI below ``root`` with a role for ``spiffe_id``, both log-ins, both policies."""
        for path, body in {
            "sys/mounts/pki": {"type": "pki", "config": {"max_lease_ttl": "87600h"}},
            "sys/auth/approle": {"type": "approle"},
            "sys/auth/jwt": {"type": "jwt"},
            # Vault's own method asks Azure itself for keys; this one judges the same log-in.
            "sys/auth/azure": {"type": "jwt"},
            "sys/policies/acl/machine": {"policy": POLICY},
            "sys/policies/acl/controller": {"policy": CONTROLLER_POLICY},
        }.items():
            self.call("POST", path, body)
        self.below(root)
        self.role(spiffe_id)
        public = self.jwt_key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        bound = {
            "role_type": "jwt",
            "user_claim": "sub",
            "bound_audiences": ["vault"],
            "bound_subject": "billing",
            "token_policies": ["machine"],
            "token_ttl": "60s",
        }
        keys = {"jwt_validation_pubkeys": [public.decode()]}
        for path, body in {
            "auth/jwt/config": keys,
            "auth/jwt/role/billing": bound,
            "auth/azure/config": keys,
            "auth/azure/role/billing": bound,
            "auth/approle/role/billing": {"token_policies": ["machine"], "token_period": "24h"},
        }.items():
            self.call("POST", path, body)

    def below(self, root: Pair) -> str:
        """Sign with a new authority below ``root`` from now on; its identifier here."""
        made = self.call("POST", "pki/intermediate/generate/internal", {"common_name": "machines"})
        signed = self._sign(root, made["data"]["csr"]) + pem(root.certificate)
        body = {"certificate": signed}
        data = self.call("POST", "pki/intermediate/set-signed", body)["data"]
        (issuer,) = (one for one, key in data["mapping"].items() if key)
        self.call("POST", "pki/config/issuers", {"default": issuer})
        return str(issuer)

    def role(self, spiffe_id: str, **more: Any) -> None:
        """The PKI's role: this name and no other."""
        body = {
            "allowed_uri_sans": [spiffe_id],
            "require_cn": False,
            "key_type": "ec",
            "key_bits": 256,
            "max_ttl": "72h",
            **more,
        }
        self.call("POST", "pki/roles/machine", body)

    def _sign(self, root: Pair, csr: str) -> str:
        asked = x509.load_pem_x509_csr(csr.encode())
        now = datetime.datetime.now(datetime.timezone.utc)
        builder = (
            x509.CertificateBuilder()
            .subject_name(asked.subject)
            .issuer_name(root.certificate.subject)
            .public_key(asked.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(minutes=5))
            .not_valid_after(now + datetime.timedelta(days=30))
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            # Without cRLSign Vault makes no lists.
            .add_extension(
                x509.KeyUsage(False, False, False, False, False, True, True, False, False),
                critical=True,
            )
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(asked.public_key()), critical=False
            )
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(root.key.public_key()),
                critical=False,
            )
        )
        return pem(builder.sign(root.key, hashes.SHA256()))

    def controller_token(self) -> str:
        """What the controller has: it may ask for wrapped secrets, and nothing else."""
        body = {"policies": ["controller"], "ttl": "1h"}
        return str(self.call("POST", "auth/token/create", body)["auth"]["client_token"])

    def jwt(self, subject: str = "billing") -> str:
        """What a platform would write to a machine's file."""
        now = int(time.time())
        claims = {"sub": subject, "aud": "vault", "iat": now, "nbf": now, "exp": now + 300}
        signed = b".".join(
            base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=")
            for part in ({"alg": "ES256", "typ": "JWT"}, claims)
        )
        r, s = utils.decode_dss_signature(self.jwt_key.sign(signed, ec.ECDSA(hashes.SHA256())))
        signature = r.to_bytes(32, "big") + s.to_bytes(32, "big")
        return (signed + b"." + base64.urlsafe_b64encode(signature).rstrip(b"=")).decode()

    def vault(self, **more: Any) -> spec.Vault:
        """Where and how a machine turns to it."""
        given: dict[str, Any] = {"storage": "disk", **more}
        return spec.Vault(self.address, "ca.pem", "machine", "billing", **given)
