# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""The client of Vault: whom it believes, what it takes for an answer, and what its errors say."""

from __future__ import annotations

import datetime
import http.server
import json
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.brownfield.mesh.plugins.module_utils import vault
from ansible_collections.brownfield.mesh.plugins.module_utils.vault import (
    Client,
    VaultError,
    explain,
    number_at,
    parse,
    text_at,
)
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from tests.support.bridge import issue, pem

AUTHORITY = issue(authority=True)
SECRET = "hvs.canary"


class Stand(http.server.BaseHTTPRequestHandler):
    """Answers what a test wants, and remembers what it was asked."""

    status, body, location = 200, b"{}", ""
    asked: tuple[str, str, dict[str, str], bytes] | None = None

    def _answer(self) -> None:
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        type(self).asked = (self.command, self.path, dict(self.headers), content)
        self.send_response(self.status)
        if self.location:
            self.send_header("Location", self.location)
        self.end_headers()
        self.wfile.write(self.body)

    do_GET = do_POST = _answer

    def log_message(self, *words: Any) -> None:
        """Nothing."""


@pytest.fixture
def stand(tmp_path: Path) -> Iterator[type[Stand]]:
    """A server with a certificate for `localhost`."""
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime.now(datetime.timezone.utc)
    made = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .issuer_name(AUTHORITY.certificate.subject)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(now - datetime.timedelta(minutes=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(AUTHORITY.key, hashes.SHA256())
    )
    (tmp_path / "tls.pem").write_text(pem(key) + pem(made))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "tls.pem")
    handler = type("Handler", (Stand,), {})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        handler.port = server.server_address[1]  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield handler
        server.shutdown()


def client(stand: Any, host: str = "localhost", authority: Any = AUTHORITY) -> Client:
    return Client("https://%s:%d" % (host, stand.port), pem(authority.certificate))


def test_a_request_and_its_answer(stand: Any) -> None:
    stand.body = b'{"data": {"a": "b"}}'
    answer = client(stand).call("POST", "pki/sign/x", {"ttl": "60s"}, SECRET, "120s")
    assert answer == {"data": {"a": "b"}}
    command, path, headers, content = stand.asked
    assert (command, path, json.loads(content)) == ("POST", "/v1/pki/sign/x", {"ttl": "60s"})
    assert headers["X-Vault-Token"] == SECRET
    assert headers["X-Vault-Wrap-TTL"] == "120s"


def test_nothing_to_say(stand: Any) -> None:
    stand.status = 204
    assert client(stand).call("POST", "auth/token/revoke-self", {}, SECRET) == {}


@pytest.mark.parametrize(
    ("host", "authority"), [("127.0.0.1", AUTHORITY), ("localhost", issue(authority=True))]
)
def test_another_name_or_authority_is_not_believed(stand: Any, host: str, authority: Any) -> None:
    with pytest.raises(VaultError, match=r"is not believed: .*identity\.vault\.ca"):
        client(stand, host, authority).call("GET", "x", token=SECRET)
    assert stand.asked is None  # the token was not sent


def test_a_redirect_is_not_followed(stand: Any) -> None:
    stand.status, stand.location = 307, "https://elsewhere.example/v1/x"
    with pytest.raises(VaultError, match="answers 307"):
        client(stand).call("GET", "x", token=SECRET)


def test_an_endless_answer_is_cut(stand: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vault, "MAX_BYTES", 100)
    stand.body = b"x" * 101
    with pytest.raises(VaultError, match="longer than 100 bytes"):
        client(stand).call("GET", "x")


def test_a_slow_answer_is_cut(stand: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vault, "TIMEOUT_SECONDS", -1)
    with pytest.raises((VaultError, ValueError)):
        client(stand).call("GET", "x")


def test_nobody_there(stand: Any) -> None:
    with pytest.raises(VaultError, match=r"cannot be used: .*refused"):
        Client("https://127.0.0.1:1", pem(AUTHORITY.certificate)).call("GET", "x")


def test_what_vault_says_is_told_without_secrets(stand: Any) -> None:
    stand.status = 403
    stand.body = json.dumps({"errors": ["no %s\nand no sesame" % SECRET]}).encode()
    with pytest.raises(VaultError) as caught:
        client(stand).call("POST", "x", {}, SECRET, secrets=("sesame",))
    assert "answers 403 to POST x: no (secret) and no (secret)" in str(caught.value)
    assert caught.value.status == 403


@pytest.mark.parametrize("ca", ["", "nothing", "-----BEGIN CERTIFICATE-----\nx\n"])
def test_no_authority(ca: str) -> None:
    with pytest.raises(VaultError, match=r"identity\.vault\.ca holds no certificate"):
        Client("https://localhost", ca)


@given(st.text(max_size=300) | st.builds(json.dumps, st.recursive(st.none() | st.text(), st.lists)))
def test_any_answer_is_an_object_or_an_error(text: str) -> None:
    try:
        assert isinstance(parse(text), dict)
    except VaultError as error:
        assert "no JSON object" in str(error)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "b"]), inner, max_size=2)
    ),
)


@given(JSON)
def test_what_is_asked_of_an_answer_is_there_or_an_error(answer: Any) -> None:
    for read, kind in ((text_at, str), (number_at, int)):
        try:
            assert type(read(answer, "a", "b")) is kind
        except VaultError as error:
            assert str(error) == "Vault's answer lacks a.b"


SECRETS = st.text("abcXYZ0189.", min_size=8, max_size=20)


@given(st.text(max_size=2000), SECRETS)
def test_reasons_are_one_bounded_line_without_secrets(words: str, secret: str) -> None:
    for text in (secret + words, words + secret, json.dumps({"errors": [secret, words]})):
        line = explain(text, (secret,))
        assert line.isprintable()
        assert 0 < len(line) <= vault.MAX_WORDS
        assert secret not in line
