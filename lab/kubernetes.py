"""A small client of the lab's API server: readiness, server-side apply, reading."""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterable
from typing import Any

from lab.config import Lab, LabError

Object = dict[str, Any]


class Api:
    """The API server as the lab's administrator sees it."""

    def __init__(self, lab: Lab) -> None:
        """Read the administrator's certificate of ``lab``."""
        self._server = lab.api_server
        self._tls = ssl.create_default_context(cafile=str(lab.pki / "ca.crt"))
        self._tls.load_cert_chain(lab.pki / "admin.crt", lab.pki / "admin.key")
        self._plurals: dict[str, dict[str, tuple[str, bool]]] = {}

    def call(self, method: str, path: str, body: Any = None, kind: str = "application/json") -> Any:
        """One request. Raises LabError with the server's words."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            self._server + path, data, {"Content-Type": kind, "Accept": "application/json"},
            method=method,
        )  # fmt: skip
        try:
            with urllib.request.urlopen(request, timeout=20, context=self._tls) as answer:
                text = answer.read()
        except urllib.error.HTTPError as error:
            raise LabError(f"{method} {path}: {error.read().decode()[:400]}") from None
        except OSError as error:
            raise LabError(f"{method} {path}: {error}") from None
        return json.loads(text) if text[:1] in (b"{", b"[") else text.decode()

    def ready(self) -> bool:
        """Whether the API server takes requests."""
        try:
            return bool(self.call("GET", "/readyz") == "ok")
        except LabError:
            return False

    def exists(self, path: str) -> bool:
        """Whether something is there."""
        try:
            self.call("GET", path)
        except LabError:
            return False
        return True

    def apply(self, objects: Iterable[Object]) -> None:
        """Server-side apply, in the given order."""
        for item in objects:
            self.call("PATCH", self._path(item) + "?fieldManager=lab&force=true", item,
                      "application/apply-patch+yaml")  # fmt: skip

    def _path(self, item: Object) -> str:
        version, kind, metadata = item["apiVersion"], item["kind"], item["metadata"]
        base = f"/apis/{version}" if "/" in version else f"/api/{version}"
        if version not in self._plurals or kind not in self._plurals[version]:
            self._plurals[version] = {
                r["kind"]: (r["name"], r["namespaced"])
                for r in self.call("GET", base)["resources"]
                if "/" not in r["name"]
            }
        plural, namespaced = self._plurals[version][kind]
        namespace = f"/namespaces/{metadata['namespace']}" if namespaced else ""
        return f"{base}{namespace}/{plural}/{metadata['name']}"
