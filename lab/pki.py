"""Keys and certificates of one lab: the API server, its clients, SSH."""

from __future__ import annotations

import base64
import datetime
import ipaddress
from pathlib import Path

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from lab.config import CONTROL, Lab, Machine
from lab.run import run

# Clients of the API server: file name -> common name and groups. istiod gets exactly the rights
# that Istio's charts give its service account.
CLIENTS = {
    "admin": ("lab-admin", ("system:masters",)),
    "kube-controller-manager": ("lab-controllers", ("system:masters",)),
    "istiod": (
        "system:serviceaccount:istio-system:istiod",
        ("system:serviceaccounts", "system:serviceaccounts:istio-system"),
    ),
}


def make(lab: Lab) -> None:
    """Make what is missing. A lab keeps its keys until it goes down."""
    if (lab.pki / "complete").exists():
        return
    lab.pki.mkdir(parents=True, exist_ok=True)
    lab.pki.chmod(0o700)
    ca_key = ec.generate_private_key(ec.SECP256R1())
    ca_name = _name("lab-ca", ())
    ca = _builder(ca_name, ca_name, ca_key.public_key()).add_extension(
        x509.BasicConstraints(ca=True, path_length=None), critical=True
    )
    _write_pair(lab.pki / "ca", ca.sign(ca_key, hashes.SHA256()), ca_key)
    _mesh_root(lab)
    server_key = ec.generate_private_key(ec.SECP256R1())
    names: list[x509.GeneralName] = [
        x509.IPAddress(ipaddress.ip_address(lab.address(CONTROL))),
        x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
    ]
    server = _builder(_name("kube-apiserver", ()), ca_name, server_key.public_key())
    server = server.add_extension(x509.SubjectAlternativeName(names), critical=False)
    _write_pair(lab.pki / "apiserver", server.sign(ca_key, hashes.SHA256()), server_key)
    for file, (common_name, groups) in CLIENTS.items():
        key = ec.generate_private_key(ec.SECP256R1())
        client = _builder(_name(common_name, groups), ca_name, key.public_key())
        _write_pair(lab.pki / file, client.sign(ca_key, hashes.SHA256()), key)
        _kubeconfig(lab, file, lab.pki / f"{file}.kubeconfig")
    _kubeconfig(lab, "admin", lab.kubeconfig)
    account = rsa.generate_private_key(65537, 2048)
    _write(lab.pki / "service-account.key", _private(account))
    public = account.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    _write(lab.pki / "service-account.pub", public)
    _ssh(lab)
    (lab.pki / "complete").touch()


def _mesh_root(lab: Lab) -> None:
    """The mesh's root, as a firm brings its own; it may sign revocation lists, which the one that
    istiod would make may not."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "lab mesh")])
    usages = dict.fromkeys(
        ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
         "key_agreement", "encipher_only", "decipher_only"), False
    )  # fmt: skip
    root = _builder(name, name, key.public_key())
    root = root.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    root = root.add_extension(
        x509.KeyUsage(key_cert_sign=True, crl_sign=True, **usages), critical=True
    )
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    root = root.add_extension(identifier, critical=False)
    _write_pair(lab.pki / "mesh-root", root.sign(key, hashes.SHA256()), key)


def _ssh(lab: Lab) -> None:
    lab.ssh_key.unlink(missing_ok=True)
    _keygen(lab.ssh_key, "lab")


def _keygen(path: Path, comment: str) -> None:
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(path)])


def host_keys(lab: Lab) -> None:
    """An SSH host key for every machine, kept over resets, and the known_hosts file they make."""
    folder = lab.dir / "host_keys"
    folder.mkdir(exist_ok=True)
    lines = []
    for machine in lab.everything:
        key = folder / machine.name
        public = key.with_name(f"{key.name}.pub")  # written last
        if not public.exists():
            key.unlink(missing_ok=True)
            _keygen(key, machine.name)
        lines.append(f"{lab.address(machine)} {public.read_text()}")
    partial = lab.dir / "known_hosts.partial"  # logins may be reading the other one
    partial.write_text("".join(lines))
    partial.rename(lab.dir / "known_hosts")


def forget_host_key(lab: Lab, machine: Machine) -> None:
    """A machine of this name that comes later is another one."""
    for suffix in (".pub", ""):
        (lab.dir / "host_keys" / f"{machine.name}{suffix}").unlink(missing_ok=True)


def _name(common_name: str, groups: tuple[str, ...]) -> x509.Name:
    return x509.Name(
        [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups]
        + [x509.NameAttribute(NameOID.COMMON_NAME, common_name)]
    )


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=365))
    )


def _private(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )


def _write_pair(path: Path, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
    _write(path.with_suffix(".crt"), certificate.public_bytes(serialization.Encoding.PEM))
    _write(path.with_suffix(".key"), _private(key))


def _write(path: Path, content: bytes) -> None:
    path.touch(mode=0o600)
    path.write_bytes(content)


def _kubeconfig(lab: Lab, user: str, path: Path) -> None:
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": lab.name,
        "contexts": [{"name": lab.name, "context": {"cluster": lab.name, "user": user}}],
        "clusters": [
            {
                "name": lab.name,
                "cluster": {
                    "server": lab.api_server,
                    "certificate-authority-data": _base64(lab.pki / "ca.crt"),
                },
            }
        ],
        "users": [
            {
                "name": user,
                "user": {
                    "client-certificate-data": _base64(lab.pki / f"{user}.crt"),
                    "client-key-data": _base64(lab.pki / f"{user}.key"),
                },
            }
        ],
    }
    _write(path, yaml.safe_dump(config).encode())


def _base64(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()
