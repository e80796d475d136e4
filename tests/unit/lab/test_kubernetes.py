"""The small API client finds the path of any object."""

from __future__ import annotations

from typing import Any

import pytest

from lab.kubernetes import Api

RESOURCES = {
    "/api/v1": [
        {"kind": "Namespace", "name": "namespaces", "namespaced": False},
        {"kind": "Service", "name": "services", "namespaced": True},
        {"kind": "Service", "name": "services/status", "namespaced": True},
    ],
    "/apis/networking.istio.io/v1": [
        {"kind": "Gateway", "name": "gateways", "namespaced": True},
    ],
}


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    seen: list[tuple[str, str]] = []

    def call(self: Api, method: str, path: str, *_: Any) -> Any:
        seen.append((method, path))
        return {"resources": RESOURCES[path]} if method == "GET" else {}

    monkeypatch.setattr(Api, "call", call)
    return seen


def item(version: str, kind: str, **metadata: str) -> dict[str, Any]:
    return {"apiVersion": version, "kind": kind, "metadata": metadata}


def test_objects_are_applied_in_order_and_discovery_is_asked_once(
    calls: list[tuple[str, str]],
) -> None:
    api = Api.__new__(Api)
    api._plurals = {}
    api.apply(
        [
            item("v1", "Namespace", name="shop"),
            item("v1", "Service", name="api", namespace="shop"),
            item("networking.istio.io/v1", "Gateway", name="gate", namespace="shop"),
        ]
    )
    assert [path.partition("?")[0] for method, path in calls if method == "PATCH"] == [
        "/api/v1/namespaces/shop",
        "/api/v1/namespaces/shop/services/api",
        "/apis/networking.istio.io/v1/namespaces/shop/gateways/gate",
    ]
    assert len([path for method, path in calls if method == "GET"]) == 2
    assert all("force=true" in path for method, path in calls if method == "PATCH")
