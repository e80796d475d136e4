# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Envoy's configuration: reviewed, accepted by Envoy itself, and saying what the allow-list says.

``UPDATE_GOLDEN=1 pytest tests/unit/plugins/plugin_utils/test_bridge_envoy.py`` writes it anew.
"""

from __future__ import annotations

import ipaddress
import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.brownfield.mesh.plugins.module_utils.bridge.state import (
    CONFIG,
    RUNTIME,
    STATE,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.egress import ExternalService
from ansible_collections.brownfield.mesh.plugins.module_utils.spec import (
    Bridge,
    Call,
    IngressGateway,
    Prometheus,
    Revocation,
    Workload,
)
from ansible_collections.brownfield.mesh.plugins.plugin_utils import bridge_envoy, bridge_tls
from hypothesis import given, settings
from hypothesis import strategies as st

from lab import tools
from tests.support.bridge import BILLING, GATEWAY, MACHINE, issue, pem
from tests.support.egress import (
    BRIDGE,
    BRIDGED,
    EGRESS_ADDRESS,
    GATEWAY_ID,
    LEDGER,
    PARTNER,
    SFTP,
    WEB,
)
from tests.support.fleet import workloads

WATCHED_BY = (Prometheus("watch", "prometheus"),)
GOLDEN = Path(__file__).parents[3] / "golden" / "bridge"


def _listener(config: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = [i for i in config["static_resources"]["listeners"] if i["name"] == name]
    return dict(found)


def _cluster(config: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = [i for i in config["static_resources"]["clusters"] if i["name"] == name]
    return dict(found)


def _tls(part: dict[str, Any]) -> dict[str, Any]:
    return dict(part["transport_socket"]["typed_config"]["common_tls_context"])


def _admitted(part: dict[str, Any]) -> set[tuple[str, str]]:
    context = _tls(part)["combined_validation_context"]["default_validation_context"]
    names = context["match_typed_subject_alt_names"]
    assert {name["san_type"] for name in names} == {"URI"}
    return {pair for name in names for pair in name["matcher"].items()}


def _rules(chain: dict[str, Any]) -> set[str]:
    """The principals that a chain's RBAC lets in, wherever the filter stands."""
    first = chain["filters"][0]["typed_config"]
    rules = first.get("rules") or first["http_filters"][0]["typed_config"]["rules"]
    assert rules["action"] == "ALLOW"
    (policy,) = rules["policies"].values()
    return {p["authenticated"]["principal_name"]["exact"] for p in policy["principals"]}


def going_out(**bridge: Any) -> dict[str, Any]:
    """The configuration of a bridge that calls through the egress gateway."""
    machine = replace(BRIDGE, mesh=replace(BRIDGE.mesh, bridge=Bridge(**bridge)))
    return bridge_envoy.bootstrap(machine, BRIDGED, GATEWAY, "0" * 16, egress=EGRESS_ADDRESS)


@pytest.mark.parametrize(
    ("name", "config"),
    [
        ("billing", bridge_envoy.bootstrap(MACHINE, BILLING, GATEWAY, "0" * 16, WATCHED_BY)),
        ("egress", going_out()),
    ],
)
def test_it_is_as_reviewed(name: str, config: dict[str, Any]) -> None:
    golden = GOLDEN / f"{name}.json"
    text = json.dumps(config, indent=1) + "\n"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(text)
    assert text == golden.read_text()


def _validate(config: Any, folder: Path) -> subprocess.CompletedProcess[str]:
    """What the real Envoy says, with everything that lies on a machine below ``folder``."""
    pair = issue(name="spiffe://cluster.local/ns/finance/sa/billing-app")
    identities = folder / "var/lib/mesh-bridge/identities/current"
    identities.mkdir(parents=True, exist_ok=True)
    (identities / "cert-chain.pem").write_text(pem(pair.certificate))
    (identities / "roots.pem").write_text(pem(pair.certificate))
    (identities / "key.pem").write_text(pem(pair.key))
    (identities / "revoked.pem").write_text("")
    for path in (CONFIG, RUNTIME):
        (folder / path.lstrip("/")).mkdir(parents=True, exist_ok=True)

    def moved(content: Any) -> str:
        text = json.dumps(content)
        for path in (CONFIG, STATE, RUNTIME):
            text = text.replace('"' + path, '"%s%s' % (folder, path))
        return text

    for path, content in bridge_tls.secrets().items():
        (folder / path.lstrip("/")).write_text(moved(content))
    file = folder / "envoy.json"
    file.write_text(moved(config))
    return subprocess.run(
        [str(tools.envoy()), "--mode", "validate", "--config-path", str(file), "-l", "error"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_envoy_accepts_it_and_would_not_accept_just_anything(tmp_path: Path) -> None:
    config = bridge_envoy.bootstrap(MACHINE, BILLING, GATEWAY, "", WATCHED_BY)
    done = _validate(config, tmp_path)
    assert done.returncode == 0, done.stderr
    config["static_resources"]["listeners"][0]["no_such_field"] = 1
    assert _validate(config, tmp_path).returncode != 0


def test_envoy_accepts_a_bridge_that_only_exists(tmp_path: Path) -> None:
    idle = replace(BILLING, ports=(), callers=(), calls=())
    done = _validate(bridge_envoy.bootstrap(MACHINE, idle, GATEWAY), tmp_path)
    assert done.returncode == 0, done.stderr


@settings(deadline=None, max_examples=60)
@given(workloads)
def test_inward_it_lets_in_whom_the_allow_list_names(workload: Workload) -> None:
    config = bridge_envoy.bootstrap(MACHINE, workload, GATEWAY)
    expected = {
        bridge_envoy.server_name(workload.service_host, port.port): callers
        for port in workload.ports
        if (callers := set(bridge_envoy.callers_of(workload, port, "cluster.local")))
    }
    for port in workload.ports:
        for rule in workload.callers:
            name = bridge_envoy.server_name(workload.service_host, port.port)
            member = "spiffe://cluster.local/ns/%s/sa/%s" % (rule.namespace, rule.service_account)
            listed = not rule.ports or port.port in rule.ports
            assert (member in expected.get(name, set())) or not listed
    inward = [i for i in config["static_resources"]["listeners"] if i["name"] == "inward"]
    assert len(inward) == (1 if expected else 0)
    found = {}
    for chain in inward[0]["filter_chains"] if inward else ():
        match = chain["filter_chain_match"]
        assert match["transport_protocol"] == "tls"
        (name,) = match["server_names"]
        found[name] = _rules(chain)
        assert chain["transport_socket"]["typed_config"]["require_client_certificate"] is True
    assert found == expected


def test_a_plain_port_admits_in_the_handshake_already() -> None:
    config = bridge_envoy.bootstrap(MACHINE, BILLING, GATEWAY)
    chains = {c["name"]: c for c in _listener(config, "inward")["filter_chains"]}
    start = "spiffe://cluster.local/ns/"
    assert _admitted(chains["application_5432"]) == {
        ("exact", start + "shop/sa/shop-api"),
        ("exact", start + "ops/sa/admin"),
    }
    assert _admitted(chains["application_8080"]) == {("prefix", "spiffe://cluster.local/")}
    proxy = chains["application_5432"]["filters"][-1]["typed_config"]
    assert proxy["upstream_connect_mode"] == "ON_DOWNSTREAM_TLS_HANDSHAKE"


def test_the_application_is_reached_on_loopback_only() -> None:
    config = bridge_envoy.bootstrap(MACHINE, BILLING, GATEWAY)
    for port in BILLING.ports:
        cluster = _cluster(config, "application_%d" % port.port)
        (endpoint,) = cluster["load_assignment"]["endpoints"][0]["lb_endpoints"]
        assert endpoint["endpoint"]["address"]["socket_address"] == {
            "address": "127.0.0.1",
            "port_value": port.port,
        }


@pytest.mark.parametrize(
    ("host", "port", "account", "alpn"),
    [
        ("shop-api.shop", 8080, "shop/sa/shop-api", ["istio-http/1.1", "istio"]),
        ("db.payments", 5432, "payments/sa/payments", ["istio"]),
        ("db.payments", 9090, "payments/sa/payments", ["istio-h2", "istio"]),
    ],
)
def test_outward_it_asks_for_one_service_and_believes_one_identity(
    host: str, port: int, account: str, alpn: list[str]
) -> None:
    config = bridge_envoy.bootstrap(MACHINE, BILLING, GATEWAY)
    cluster = _cluster(config, "outward_%d_%s.svc.cluster.local" % (port, host))
    context = cluster["transport_socket"]["typed_config"]
    assert context["sni"] == "outbound_.%d_._.%s.svc.cluster.local" % (port, host)
    assert _admitted(cluster) == {("exact", "spiffe://cluster.local/ns/" + account)}
    assert _tls(cluster)["alpn_protocols"] == [*alpn, "brownfield-mesh"]
    (endpoint,) = cluster["load_assignment"]["endpoints"][0]["lb_endpoints"]
    address = {"address": GATEWAY, "port_value": 15443}
    assert endpoint["endpoint"]["address"]["socket_address"] == address


@pytest.mark.parametrize(("version", "oldest"), [("1.3", "TLSv1_3"), ("1.2", "TLSv1_2")])
def test_the_oldest_tls_version_is_the_chosen_one_everywhere(version: str, oldest: str) -> None:
    machine = replace(MACHINE, mesh=replace(MACHINE.mesh, bridge=Bridge(tls=version)))
    config = bridge_envoy.bootstrap(machine, BILLING, GATEWAY)
    parts = [c for c in config["static_resources"]["clusters"] if "transport_socket" in c]
    parts += _listener(config, "inward")["filter_chains"]
    assert len(parts) == 6
    assert {_tls(p)["tls_params"]["tls_minimum_protocol_version"] for p in parts} == {oldest}


def test_administration_is_a_socket_of_its_owner() -> None:
    admin = bridge_envoy.bootstrap(MACHINE, BILLING, GATEWAY)["admin"]
    assert admin == {"address": {"pipe": {"path": RUNTIME + "/admin.sock", "mode": 0o600}}}


_hosts = st.from_regex(r"[a-z]{1,8}\.[a-z]{1,8}", fullmatch=True)


@given(st.sets(_hosts, max_size=20))
def test_every_name_has_an_address_of_its_own(hosts: set[str]) -> None:
    addresses = bridge_envoy.loopback_addresses(hosts)
    assert set(addresses) == hosts
    assert len(set(addresses.values())) == len(addresses)
    for address in addresses.values():
        assert ipaddress.IPv4Address(address) in bridge_envoy.LOOPBACK
    for host in sorted(hosts)[:1]:
        assert bridge_envoy.loopback_addresses([host])[host] in addresses.values()


def test_names_that_would_share_an_address_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bridge_envoy, "LOOPBACK", ipaddress.IPv4Network("127.128.0.0/30"))
    assert len(set(bridge_envoy.loopback_addresses(["a.b", "c.d"]).values())) == 2


def test_figures_are_for_monitoring_only() -> None:
    config = bridge_envoy.bootstrap(MACHINE, BILLING, GATEWAY, "", WATCHED_BY)
    for name, port in (("figures_machine", 19100), ("figures_proxy", 19101)):
        listener = _listener(config, name)
        (chain,) = listener["filter_chains"]
        address = {"address": MACHINE.address, "port_value": port}
        assert listener["address"]["socket_address"] == address
        assert chain["transport_socket"]["typed_config"]["require_client_certificate"]
        assert _admitted(chain) == {("exact", "spiffe://cluster.local/ns/watch/sa/prometheus")}
    plain = bridge_envoy.bootstrap(MACHINE, BILLING, GATEWAY)
    assert "figures" not in json.dumps(plain)


def test_of_the_administration_only_figures_are_shown() -> None:
    config = bridge_envoy.bootstrap(MACHINE, BILLING, GATEWAY, "", WATCHED_BY)
    (chain,) = _listener(config, "figures_proxy")["filter_chains"]
    (host,) = chain["filters"][0]["typed_config"]["route_config"]["virtual_hosts"]
    (route,) = host["routes"]
    assert route["match"]["path"] == "/stats/prometheus"
    assert route["match"]["headers"] == [{"name": ":method", "string_match": {"exact": "GET"}}]


def _secrets(config: dict[str, Any]) -> dict[str, str]:
    """By which roots, with lists or without, each chain and cluster judges its peers."""
    found = {}
    static = config["static_resources"]
    chains = [chain for item in static["listeners"] for chain in item["filter_chains"]]
    for part in (*chains, *static["clusters"]):
        if "transport_socket" in part:
            context = _tls(part)["combined_validation_context"]
            found[part.get("name", "")] = context["validation_context_sds_secret_config"]["name"]
    return found


ADMIN = "spiffe://cluster.local/ns/ops/sa/admin"
SHOP = "spiffe://cluster.local/ns/shop/sa/shop-api"


def test_bridges_are_looked_for_in_lists_and_others_are_not(tmp_path: Path) -> None:
    mesh = replace(MACHINE.mesh, bridge=Bridge(revocation=Revocation()))
    machine = replace(MACHINE, mesh=mesh, bridges=(ADMIN, SHOP))
    config = bridge_envoy.bootstrap(machine, BILLING, GATEWAY)
    assert _secrets(config) == {
        "application_5432": "roots",
        "application_5432_bridges": "listed",
        "application_8080": "roots",
        "application_8080_bridges": "listed",
        "application_9000": "roots",
        "application_9000_bridges": "listed",
        "outward_5432_db.payments.svc.cluster.local": "roots",
        "outward_8080_shop-api.shop.svc.cluster.local": "listed",
        "outward_9090_db.payments.svc.cluster.local": "roots",
    }
    chains = {chain["name"]: chain for chain in _listener(config, "inward")["filter_chains"]}
    assert _rules(chains["application_8080_bridges"]) == {ADMIN, SHOP}
    assert _rules(chains["application_8080"]) == {"spiffe://cluster.local/ns/batch/sa/legacy-batch"}
    # Of plain ports nobody but bridges may call these: an empty list would admit all.
    assert _admitted(chains["application_5432"]) == {("exact", "spiffe://cluster.local")}
    assert _validate(config, tmp_path).stderr == ""


def test_all_are_looked_for_where_all_are_asked_for(tmp_path: Path) -> None:
    mesh = replace(MACHINE.mesh, bridge=Bridge(revocation=Revocation(peers="all")))
    config = bridge_envoy.bootstrap(
        replace(MACHINE, mesh=mesh), BILLING, GATEWAY, monitoring=WATCHED_BY
    )
    assert set(_secrets(config).values()) == {"listed"}
    assert _validate(config, tmp_path).stderr == ""


@pytest.mark.parametrize("name", ["gateway.example", ""])
def test_where_tls_ends_at_a_gateway_it_is_the_gateway_that_must_answer(
    tmp_path: Path, name: str
) -> None:
    gateway = IngressGateway(port=8443, subject_alt_name=name)
    mesh = replace(MACHINE.mesh, bridge=Bridge(gateway=gateway))
    calls = (
        Call(8080, host="orders.shop", service_account="orders", protocol="http"),
        Call(5432, host="db.shop"),
    )
    machine, workload = replace(MACHINE, mesh=mesh), replace(BILLING, calls=calls)
    config = bridge_envoy.bootstrap(machine, workload, GATEWAY)
    done = _validate(config, tmp_path)
    assert done.returncode == 0, done.stderr
    own = "spiffe://cluster.local/ns/istio-ingress/sa/istio-ingressgateway"
    answers = {"san_type": "DNS" if name else "URI", "matcher": {"exact": name or own}}
    for call, alpn in zip(calls, (["http/1.1"], None)):
        cluster = _cluster(config, "outward_%d_%s" % (call.port, call.fqdn))
        context = _tls(cluster)["combined_validation_context"]["default_validation_context"]
        assert context["match_typed_subject_alt_names"] == [answers]
        assert cluster["transport_socket"]["typed_config"]["sni"] == (
            "%d.%s" % (call.port, call.fqdn)
        )
        assert _tls(cluster).get("alpn_protocols") == alpn
        (place,) = cluster["load_assignment"]["endpoints"][0]["lb_endpoints"]
        address = place["endpoint"]["address"]["socket_address"]
        assert address == {"address": GATEWAY, "port_value": 8443}
    listener = _listener(config, "outward_8080_orders.shop.svc.cluster.local")
    manager = listener["filter_chains"][0]["filters"][0]["typed_config"]
    (route,) = manager["route_config"]["virtual_hosts"][0]["routes"]
    assert route["route"]["host_rewrite_literal"] == "8080.orders.shop.svc.cluster.local"


@pytest.mark.parametrize(
    ("service", "alpn"), [(PARTNER, ["http/1.1"]), (LEDGER, None), (WEB, None)]
)
def test_what_is_outside_goes_to_the_egress_gateway_which_must_answer(
    service: ExternalService, alpn: list[str] | None
) -> None:
    config = going_out()
    cluster = _cluster(config, "outward_%d_%s" % (service.port, service.host))
    assert cluster["transport_socket"]["typed_config"]["sni"] == service.host
    assert _admitted(cluster) == {("exact", GATEWAY_ID)}
    assert _tls(cluster).get("alpn_protocols") == alpn
    (place,) = cluster["load_assignment"]["endpoints"][0]["lb_endpoints"]
    address = {"address": EGRESS_ADDRESS, "port_value": 8443}
    assert place["endpoint"]["address"]["socket_address"] == address
    listener = _listener(config, cluster["name"])
    own = bridge_envoy.loopback_addresses([service.host])[service.host]
    assert listener["address"]["socket_address"] == {"address": own, "port_value": service.port}
    (end,) = listener["filter_chains"][0]["filters"]
    assert end["name"].endswith("http_connection_manager" if alpn else "tcp_proxy")
    # The service outside sees the name that the application wrote.
    assert "host_rewrite_literal" not in json.dumps(listener)


def test_calls_of_the_mesh_and_direct_ones_keep_their_ways(tmp_path: Path) -> None:
    config = going_out()
    cluster = _cluster(config, "outward_8080_shop-api.shop.svc.cluster.local")
    (place,) = cluster["load_assignment"]["endpoints"][0]["lb_endpoints"]
    assert place["endpoint"]["address"]["socket_address"]["address"] == GATEWAY
    assert SFTP.host not in json.dumps(config)
    assert len(config["static_resources"]["clusters"]) == 4
    assert _validate(config, tmp_path).stderr == ""


def test_the_egress_gateway_is_looked_for_in_lists_where_all_are() -> None:
    outside = {"outward_%d_%s" % (one.port, one.host) for one in (PARTNER, LEDGER, WEB)}
    for peers, expected in (("bridges", "roots"), ("all", "listed")):
        secrets = _secrets(going_out(revocation=Revocation(peers=peers)))
        assert {secrets[name] for name in outside} == {expected}
