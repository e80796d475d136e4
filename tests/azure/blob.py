"""The blob service, as much as the azurerm backend needs: blobs, metadata, leases as locks.

learn.microsoft.com/rest/api/storageservices. A container is there as soon as it is named.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

from tests.azure.arm import Response

SUFFIX = "stand-in.invalid"
MODIFIED = "Thu, 01 Jan 2026 00:00:00 GMT"


@dataclass
class Blob:
    """A blob; ``lease`` is empty when nobody holds it."""

    content: bytes
    sort: str = "application/octet-stream"
    metadata: dict[str, str] = field(default_factory=dict)
    lease: str = ""


class Blobs:
    """All accounts' blobs, by host and path."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._blobs: dict[str, Blob] = {}

    def __getitem__(self, name: str) -> Blob:
        """The one blob whose path ends in ``name``. Raises KeyError."""
        found = [blob for key, blob in self._blobs.items() if key.endswith(f"/{name}")]
        if len(found) != 1:
            raise KeyError(name)
        return found[0]

    def clear(self) -> None:
        with self._lock:
            self._blobs.clear()

    def answer(
        self,
        method: str,
        key: str,
        query: Mapping[str, str],
        headers: Mapping[str, str],
        body: bytes,
    ) -> Response:
        """The answer to one request for ``key`` (host and path)."""
        with self._lock:
            if query.get("comp") == "list":
                return self._list(key, query.get("prefix", ""))
            blob = self._blobs.get(key)
            action = query.get("comp", "")
            if method == "PUT" and not action:
                return self._put(key, blob, headers, body)
            if blob is None:
                return _error(404, "BlobNotFound")
            if method == "PUT" and action == "lease":
                return _lease(blob, headers)
            held = blob.lease and headers.get("x-ms-lease-id") != blob.lease
            if method == "PUT" and action == "metadata":
                if held:
                    return _error(412, "LeaseIdMissing")
                blob.metadata = _metadata(headers)
                return Response(200, headers={"Last-Modified": MODIFIED})
            if method == "DELETE":
                if held:
                    return _error(412, "LeaseIdMissing")
                del self._blobs[key]
                return Response(202)
            return Response(200, content=blob.content, headers=_shown(blob))

    def _put(
        self, key: str, blob: Blob | None, headers: Mapping[str, str], body: bytes
    ) -> Response:
        if blob is not None and blob.lease and headers.get("x-ms-lease-id") != blob.lease:
            return _error(412, "LeaseIdMissing")
        sort = headers.get("x-ms-blob-content-type") or headers.get("Content-Type") or ""
        lease = blob.lease if blob else ""
        self._blobs[key] = Blob(body, sort, _metadata(headers), lease)
        return Response(201, headers={"Last-Modified": MODIFIED, "ETag": '"1"'})

    def _list(self, key: str, prefix: str) -> Response:
        start = f"{key.rstrip('/')}/"
        names = [name.removeprefix(start) for name in self._blobs if name.startswith(start)]
        items = "".join(
            f"<Blob><Name>{escape(name)}</Name><Properties/></Blob>"
            for name in sorted(names)
            if name.startswith(prefix)
        )
        return _xml(
            200, f"<EnumerationResults><Blobs>{items}</Blobs><NextMarker/></EnumerationResults>"
        )


def _lease(blob: Blob, headers: Mapping[str, str]) -> Response:
    action = headers.get("x-ms-lease-action", "")
    given = headers.get("x-ms-lease-id", "")
    if action == "acquire":
        if blob.lease:
            return _error(409, "LeaseAlreadyPresent")
        blob.lease = headers.get("x-ms-proposed-lease-id") or str(uuid.uuid4())
        return Response(201, headers={"x-ms-lease-id": blob.lease, "Last-Modified": MODIFIED})
    if action == "release" and given != blob.lease:
        return _error(409, "LeaseIdMismatchWithLeaseOperation")
    if action in {"release", "break"}:
        blob.lease = ""
        status = 200 if action == "release" else 202
        return Response(status, headers={"x-ms-lease-time": "0", "Last-Modified": MODIFIED})
    return _error(400, "InvalidHeaderValue")


def _metadata(headers: Mapping[str, str]) -> dict[str, str]:
    start = "x-ms-meta-"
    return {
        name[len(start) :]: value
        for name, value in headers.items()
        if name.lower().startswith(start)
    }


def _shown(blob: Blob) -> dict[str, str]:
    return {
        "Content-Type": blob.sort,
        "Last-Modified": MODIFIED,
        "ETag": '"1"',
        "x-ms-blob-type": "BlockBlob",
        "x-ms-lease-status": "locked" if blob.lease else "unlocked",
        "x-ms-lease-state": "leased" if blob.lease else "available",
        **{f"x-ms-meta-{name}": value for name, value in blob.metadata.items()},
    }


def _error(status: int, code: str) -> Response:
    response = _xml(status, f"<Error><Code>{code}</Code><Message>{code}</Message></Error>")
    response.headers["x-ms-error-code"] = code
    return response


def _xml(status: int, document: str) -> Response:
    content = f'<?xml version="1.0" encoding="utf-8"?>{document}'.encode()
    return Response(status, content=content, headers={"Content-Type": "application/xml"})
