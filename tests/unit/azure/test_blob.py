"""The stand-in's blobs: a lease is a lock."""

from __future__ import annotations

import pytest

from tests.azure.blob import Blobs

KEY = "states.blob.stand-in.invalid/state/dev.tfstate"


@pytest.fixture
def blobs() -> Blobs:
    found = Blobs()
    found.answer("PUT", KEY, {}, {"x-ms-meta-a": "b", "Content-Type": "text/plain"}, b"{}")
    return found


def lease(blobs: Blobs, action: str, id: str) -> int:
    headers = {"x-ms-lease-action": action, "x-ms-lease-id": id, "x-ms-proposed-lease-id": id}
    return blobs.answer("PUT", KEY, {"comp": "lease"}, headers, b"").status


def test_blob_is_read_back_with_its_metadata(blobs: Blobs) -> None:
    found = blobs.answer("GET", KEY, {}, {}, b"")
    assert (found.status, found.content) == (200, b"{}")
    assert found.headers["x-ms-meta-a"] == "b"
    assert found.headers["Content-Type"] == "text/plain"
    assert (
        blobs.answer("GET", f"{KEY}.no", {}, {}, b"").headers["x-ms-error-code"] == "BlobNotFound"
    )


def test_leased_blob_takes_writes_of_its_holder_only(blobs: Blobs) -> None:
    assert lease(blobs, "acquire", "mine") == 201
    assert lease(blobs, "acquire", "other") == 409
    for query in ({}, {"comp": "metadata"}):
        assert blobs.answer("PUT", KEY, query, {}, b"x").status == 412
        assert blobs.answer("PUT", KEY, query, {"x-ms-lease-id": "mine"}, b"x").status < 300
    assert blobs.answer("DELETE", KEY, {}, {}, b"").status == 412
    assert blobs["dev.tfstate"].lease == "mine"
    assert lease(blobs, "release", "other") == 409
    assert lease(blobs, "release", "mine") == 200
    assert blobs.answer("DELETE", KEY, {}, {}, b"").status == 202


def test_list_keeps_to_container_and_prefix(blobs: Blobs) -> None:
    blobs.answer("PUT", f"{KEY}env:dev", {}, {}, b"")
    blobs.answer("PUT", "other.blob.stand-in.invalid/state/x", {}, {}, b"")
    container = KEY.rsplit("/", 1)[0]
    found = blobs.answer("GET", container, {"comp": "list", "prefix": "dev.tfstateenv:"}, {}, b"")
    assert b"<Name>dev.tfstateenv:dev</Name>" in found.content
    assert found.content.count(b"<Name>") == 1
