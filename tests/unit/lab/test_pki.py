"""Keys and certificates of a lab."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from lab import config, pki
from lab.config import Lab


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    monkeypatch.setattr(config, "STATE", tmp_path)
    lab = Lab()
    lab.dir.mkdir()
    pki.make(lab)
    return lab


def certificate(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def test_every_certificate_is_the_labs_own(lab: Lab) -> None:
    ca, root = certificate(lab.pki / "ca.crt"), certificate(lab.pki / "mesh-root.crt")
    for path in lab.pki.glob("*.crt"):
        certificate(path).verify_directly_issued_by(root if path.stem == "mesh-root" else ca)
    assert isinstance(ca.public_key(), ec.EllipticCurvePublicKey)


def test_the_meshs_root_is_apart_and_may_sign_revocation_lists(lab: Lab) -> None:
    ca, root = certificate(lab.pki / "ca.crt"), certificate(lab.pki / "mesh-root.crt")
    assert root.subject != ca.subject
    usage = root.extensions.get_extension_for_class(x509.KeyUsage).value
    assert usage.key_cert_sign and usage.crl_sign
    assert not usage.digital_signature


def test_the_api_server_is_known_by_its_address(lab: Lab) -> None:
    names = certificate(lab.pki / "apiserver.crt").extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    )
    addresses = [str(ip) for ip in names.value.get_values_for_type(x509.IPAddress)]
    assert addresses == ["198.18.0.2", "127.0.0.1"]
    config = yaml.safe_load(lab.kubeconfig.read_text())
    assert config["clusters"][0]["cluster"]["server"] == "https://198.18.0.2:6443"


def test_istiod_comes_as_its_service_account(lab: Lab) -> None:
    subject = certificate(lab.pki / "istiod.crt").subject
    (name,) = subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    assert name.value == "system:serviceaccount:istio-system:istiod"
    groups = subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    assert "system:masters" not in [group.value for group in groups]


def test_private_things_are_private(lab: Lab) -> None:
    for path in [*lab.pki.glob("*.key"), lab.kubeconfig, lab.ssh_key]:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def test_keys_stay_and_broken_host_keys_are_made_anew(lab: Lab) -> None:
    before = (lab.pki / "ca.crt").read_bytes()
    pki.host_keys(lab)
    known = (lab.dir / "known_hosts").read_text()
    half = lab.dir / "host_keys" / "shop-api-1.pub"
    half.unlink()  # killed in the middle of ssh-keygen
    pki.make(lab)
    pki.host_keys(lab)
    assert (lab.pki / "ca.crt").read_bytes() == before
    after = (lab.dir / "known_hosts").read_text()
    assert half.exists()
    assert len(set(known.splitlines()) & set(after.splitlines())) == len(known.splitlines()) - 1
