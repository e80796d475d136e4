"""The generated inventory is an ordinary one."""

from __future__ import annotations

from pathlib import Path

import yaml

from lab import inventory
from lab.config import Lab


def test_hosts_are_grouped_and_reached_by_key_with_known_hosts() -> None:
    package = {"name": "istio-sidecar", "sha256": "0" * 64}
    data = inventory.hosts(Lab(extra=2), [{"name": "envoy"}], package)
    children, variables = data["all"]["children"], data["all"]["vars"]
    assert children.keys() == {"shop_api", "payments_db", "legacy_batch", "mesh_vantage", "bench"}
    assert children["shop_api"]["hosts"] == {
        "shop-api-1": {"ansible_host": "198.18.0.11"},
        "shop-api-2": {"ansible_host": "198.18.0.12"},
    }
    assert len(children["bench"]["hosts"]) == 2
    assert "StrictHostKeyChecking=yes" in variables["ansible_ssh_common_args"]
    assert variables["lab_gateway_address"] == "198.18.0.3"
    assert variables["lab_artifacts"] == [{"name": "envoy"}]
    assert variables["lab_artifact_deb"] == package
    assert yaml.safe_load(yaml.safe_dump(data)) == data


def test_artefacts_are_pinned_and_named_for_their_architecture(tmp_path: Path) -> None:
    served = {}
    for name in ("pilot-agent", "envoy_bootstrap_tmpl.json", "istio-sidecar.deb"):
        served[name] = tmp_path / name
        served[name].write_text("content")
    agent, template, package = inventory.artifacts(Lab(), served)
    assert agent["url"] == "http://198.18.0.2:8000/pilot-agent"
    assert agent["architecture"] in ("amd64", "arm64")
    assert template["architecture"] == "any"
    assert package["name"] == "istio-sidecar"
    assert package["url"].endswith("/istio-sidecar.deb")
    assert package["sha256"] == ("ed7002b439e9ac845f22357d822bac1444730fbdb6016d3ec9432297b9ec9f73")
