# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""A client of Vault's HTTP API: TLS with the given authority alone, no redirects, bounded answers.

Used by the controller and by machines. https://developer.hashicorp.com/vault/api-docs.
"""

from __future__ import annotations

import http.client
import json
import ssl
import time
from collections.abc import Sequence
from typing import Any, Optional
from urllib.parse import urlsplit

TIMEOUT_SECONDS = 10
MAX_BYTES = 1 << 20
MAX_WORDS = 400
_CHUNK = 1 << 16


class VaultError(Exception):
    """What Vault, or the way to it, refused; never holds a secret. ``status`` is the HTTP status,
    0 when there was no answer that counts."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class Client:
    """Vault at ``address`` (https://HOST:PORT), believed when its certificate leads to ``ca``
    (PEM)."""

    def __init__(self, address: str, ca: str) -> None:
        """Raises VaultError when ``ca`` is no certificate."""
        self.address = address
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # which trusts nobody yet
        try:
            self._context.load_verify_locations(cadata=ca)
        except (ssl.SSLError, ValueError):
            raise VaultError("identity.vault.ca holds no certificate in PEM form") from None
        self._context.minimum_version = ssl.TLSVersion.TLSv1_2

    def call(
        self,
        method: str,
        path: str,
        body: Optional[dict[str, Any]] = None,
        token: str = "",
        wrap: str = "",
        secrets: Sequence[str] = (),
    ) -> dict[str, Any]:
        """Vault's answer to one request; {} when it has nothing to say.

        ``wrap`` asks for a wrapped answer that lives so long (``120s``). ``secrets`` are kept out
        of messages, like ``token``. Raises VaultError.
        """
        headers = {"X-Vault-Request": "true", "Content-Type": "application/json"}
        if token:
            headers["X-Vault-Token"] = token
        if wrap:
            headers["X-Vault-Wrap-TTL"] = wrap
        parts = urlsplit(self.address)
        connection = http.client.HTTPSConnection(
            parts.hostname or "",
            parts.port or 443,
            timeout=TIMEOUT_SECONDS,
            context=self._context,
        )
        content = None if body is None else json.dumps(body)
        try:
            connection.request(method, "/v1/" + path, content, headers)
            response = connection.getresponse()
            status, text = response.status, _read(response)
        except ssl.SSLCertVerificationError as error:
            raise VaultError(
                "%s is not believed: %s; correct identity.vault.ca or identity.vault.address"
                % (self.address, error.verify_message)
            ) from None
        except (OSError, ValueError, http.client.HTTPException) as error:
            why = str(error) or type(error).__name__
            raise VaultError("%s cannot be used: %s" % (self.address, why)) from None
        finally:
            connection.close()
        if status == 204:
            return {}
        if status != 200:
            words = explain(text, (token, *secrets))
            raise VaultError(
                "%s answers %d to %s %s: %s" % (self.address, status, method, path, words), status
            )
        return parse(text)


def parse(text: str) -> dict[str, Any]:
    """An answer's JSON object. Raises VaultError."""
    try:
        answer = json.loads(text)
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, dict):
        raise VaultError("Vault's answer is no JSON object")
    return answer


def text_at(answer: Any, *keys: str) -> str:
    """The text in an answer at nested ``keys``. Raises VaultError when there is none."""
    for key in keys:
        answer = answer.get(key) if isinstance(answer, dict) else None
    if not isinstance(answer, str) or not answer:
        raise VaultError("Vault's answer lacks %s" % ".".join(keys))
    return answer


def number_at(answer: Any, *keys: str) -> int:
    """The number in an answer at nested ``keys``. Raises VaultError when there is none."""
    for key in keys:
        answer = answer.get(key) if isinstance(answer, dict) else None
    if isinstance(answer, bool) or not isinstance(answer, int):
        raise VaultError("Vault's answer lacks %s" % ".".join(keys))
    return answer


def explain(text: str, secrets: Sequence[str]) -> str:
    """Vault's reasons out of a refusal: one bounded, printable line without ``secrets``."""
    try:
        errors = json.loads(text)["errors"]
        words = "; ".join(str(error) for error in errors)
    except (ValueError, RecursionError, KeyError, TypeError):
        words = text
    for secret in secrets:
        if secret:
            words = words.replace(secret, "(secret)")
    line = "".join(c if c.isprintable() else " " for c in words)
    return " ".join(line.split())[:MAX_WORDS] or "no reason given"


def _read(response: http.client.HTTPResponse) -> str:
    """The whole body. Raises ValueError when it is too long, or takes too long."""
    end = time.monotonic() + TIMEOUT_SECONDS
    content = b""
    while True:
        chunk = response.read1(_CHUNK)
        content += chunk
        if not chunk:
            return content.decode("utf-8", "replace")
        if len(content) > MAX_BYTES:
            raise ValueError("the answer is longer than %d bytes" % MAX_BYTES)
        if time.monotonic() > end:
            raise ValueError("the answer takes longer than %d s" % TIMEOUT_SECONDS)
