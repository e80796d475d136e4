# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""One table, three languages: what is committed is what it says, and schema and parser agree.

``UPDATE_GOLDEN=1 pytest tests/unit/plugins/module_utils/test_schema.py`` writes the files anew.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from ansible_collections.brownfield.mesh.plugins.module_utils.problems import SpecError
from ansible_collections.brownfield.mesh.plugins.module_utils.schema import (
    json_schema,
    role_options,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.validate import parse

CHECKOUT = Path(__file__).resolve().parents[4]
SCHEMA = CHECKOUT / "docs" / "mesh.schema.json"
ARGUMENT_SPECS = CHECKOUT / "roles" / "plan" / "meta" / "argument_specs.yml"

DIGEST = "0123456789abcdef" * 4
MESH: dict[str, Any] = {
    "proxy": {
        "package": "deb",
        "artifacts": [
            {"name": "istio-sidecar", "sha256": DIGEST, "url": "https://m.example/i.deb"}
        ],
    }
}
WORKLOAD: dict[str, Any] = {
    "name": "db",
    "namespace": "payments",
    "ports": [{"name": "tcp", "port": 5432}],
}

ACCEPTED: dict[str, tuple[str, Any]] = {
    "least": ("mesh_workload", {}),
    "unquoted off": ("mesh", {"dns": False}),
    "quoted off": ("mesh", {"dns": "off"}),
    "empty address": ("mesh", {"istiod": {"address": ""}}),
    "kubeconfig": ("mesh", {"cluster": {"kubeconfig": "~/.kube/config", "context": "prod"}}),
    "cidr": ("mesh", {"capture": {"exclude_outbound_cidrs": ["10.0.0.0/8"]}}),
    "tcp probe": ("mesh_workload", {"health": {"tcp": 5432}}),
    "http probe": ("mesh_workload", {"health": {"http": 5432, "path": "/a?b=c"}}),
    "callers": (
        "mesh_workload",
        {"callers": [{"namespace": "a", "service_account": "b.c", "ports": [5432]}]},
    ),
    "calls": (
        "mesh_workload",
        {"calls": [{"host": "a.b", "port": 1}, {"external": "198.51.100.1", "port": 443}]},
    ),
    "labels": ("mesh_workload", {"labels": {"example.com/tier": "gold", "empty": ""}}),
    "annotations": ("mesh_workload", {"annotations": {"note": "any text: ü {}"}}),
    "locality": ("mesh_workload", {"locality": "west/1/a", "weight": 7}),
    "overrides": (
        "mesh_machine",
        {"address": "198.51.100.7", "ssh_port": 2222, "dns": "off", "capture": {"method": "auto"}},
    ),
    "no vantage": ("mesh_vantage", False),
}  # fmt: skip

REFUSED: dict[str, tuple[str, Any]] = {
    "not a mapping": ("mesh", []),
    "null": ("mesh_workload", {"calls": None}),
    "unknown key": ("mesh_workload", {"prots": []}),
    "unknown key below": ("mesh", {"istiod": {"adress": ""}}),
    "upper case": ("mesh_workload", {"name": "DB"}),
    "digit first": ("mesh_workload", {"name": "1db"}),
    "long name": ("mesh_workload", {"namespace": "a" * 64}),
    "port 0": ("mesh_workload", {"ports": [{"name": "tcp", "port": 0}]}),
    "port 65536": ("mesh_workload", {"ports": [{"name": "tcp", "port": 65536}]}),
    "reserved port": ("mesh_workload", {"ports": [{"name": "tcp", "port": 15021}]}),
    "port as text": ("mesh_workload", {"ports": [{"name": "tcp", "port": "5432"}]}),
    "port as truth": ("mesh_workload", {"ports": [{"name": "tcp", "port": True}]}),
    "unknown protocol": ("mesh_workload", {"ports": [{"name": "postgres", "port": 5432}]}),
    "mode": ("mesh_workload", {"mode": "side-car"}),
    "two probes": ("mesh_workload", {"health": {"tcp": 5432, "http": 5432}}),
    "no probe": ("mesh_workload", {"health": {"path": "/"}}),
    "caller without account": ("mesh_workload", {"callers": [{"namespace": "a"}]}),
    "call of nobody": ("mesh_workload", {"calls": [{"port": 1}]}),
    "label of a number": ("mesh_workload", {"labels": {"version": 1.0}}),
    "bad label": ("mesh_workload", {"labels": {"a b": "c"}}),
    "ipv6": ("mesh_machine", {"address": "2001:db8::1"}),
    "link-local": ("mesh_machine", {"address": "fe80::1%eth0"}),
    "octet": ("mesh_machine", {"address": "198.51.100.256"}),
    "cidr": ("mesh", {"capture": {"exclude_outbound_cidrs": ["10.0.0.0/33"]}}),
    "repeated port": ("mesh", {"capture": {"exclude_inbound_ports": [80, 80]}}),
    "sha256": (
        "mesh",
        {"proxy": {"artifacts": [{"name": "istio-sidecar", "sha256": "abc", "path": "/i.deb"}]}},
    ),
    "url and path": (
        "mesh",
        {
            "proxy": {
                "artifacts": [
                    {"name": "envoy", "sha256": DIGEST, "path": "/e", "url": "https://m.example/e"}
                ]
            }
        },
    ),
    "password": ("mesh", {"proxy": {"https_proxy": "http://user:pass@proxy:3128"}}),
    "vantage": ("mesh_vantage", "maybe"),
}  # fmt: skip


def sample(variable: str, content: Any) -> dict[str, Any]:
    """The variables of one host that is right but for ``content``, which is merged in."""
    variables: dict[str, Any] = {"mesh": MESH, "mesh_workload": WORKLOAD}
    if isinstance(content, dict):
        content = {**variables.get(variable, {}), **content}
    return {**variables, variable: content}


def refused_by_schema(variables: dict[str, Any]) -> bool:
    validator = jsonschema.Draft202012Validator(json_schema())
    return not validator.is_valid(variables)


def refused_by_parser(variables: dict[str, Any]) -> bool:
    try:
        parse({"db-1": {**variables, "ansible_host": "198.51.100.1"}})
    except SpecError:
        return True
    return False


@pytest.mark.parametrize("name", ACCEPTED)
def test_both_accept(name: str) -> None:
    variables = sample(*ACCEPTED[name])
    assert not refused_by_parser(variables)
    assert not refused_by_schema(variables)


@pytest.mark.parametrize("name", REFUSED)
def test_both_refuse(name: str) -> None:
    variables = sample(*REFUSED[name])
    assert refused_by_parser(variables)
    assert refused_by_schema(variables)


def test_schema_takes_templates_where_the_parser_wants_values() -> None:
    for content in (
        "{{ x }}",
        {"ports": "{{ x }}"},
        {"ports": [{"name": "tcp", "port": "{{ x }}"}]},
    ):
        variables = sample("mesh_workload", content)
        assert not refused_by_schema(variables)
        assert refused_by_parser(variables)


def test_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(json_schema())


def test_committed_schema_is_current() -> None:
    text = json.dumps(json_schema(), indent=2) + "\n"
    if os.environ.get("UPDATE_GOLDEN"):
        SCHEMA.write_text(text)
    assert SCHEMA.read_text() == text


class Indented(yaml.SafeDumper):
    """Lists are indented, as yamllint wants them."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


def test_committed_argument_specs_are_current() -> None:
    content = yaml.safe_load(ARGUMENT_SPECS.read_text())
    if os.environ.get("UPDATE_GOLDEN"):
        content["argument_specs"]["inventory"]["options"] = role_options()
        text = yaml.dump(content, Dumper=Indented, sort_keys=False, width=110)
        ARGUMENT_SPECS.write_text("---\n" + text)
    assert content["argument_specs"]["inventory"]["options"] == role_options()
