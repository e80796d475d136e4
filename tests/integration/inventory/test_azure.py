# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""The inventory from Azure, with the real SDKs, against a stand-in. It is no Azure."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.brownfield.mesh.plugins.plugin_utils import azure_client
from ansible_collections.brownfield.mesh.plugins.plugin_utils.machines import MachinesError

from tests.azure import (
    CLIENT,
    StandIn,
    add_fleet,
    add_scale_set,
    credential_expired,
    cut,
    forbidden,
    malformed,
    secret_expired,
    server_error,
    throttled,
    truncated,
)
from tests.integration.inventory.conftest import Ansible

MACHINE = "Microsoft.Compute/virtualMachines"
MACHINES = r"Microsoft.Compute/virtualMachines(\?|$)"
SET_TAGS = {"mesh-workload": "web", "mesh-environment": "prod", "mesh-user": "azureuser"}


def settings(azure: StandIn, **more: Any) -> dict[str, Any]:
    """An inventory file's content for the stand-in's first subscription."""
    return {
        "plugin": "brownfield.mesh.azure",
        "subscriptions": [azure.subscription],
        "authority": azure.url,
        "resource_manager": azure.url,
        **more,
    }


def query(azure: StandIn, **more: Any) -> azure_client.Query:
    """The same, without Ansible around."""
    given = settings(azure, **more)
    del given["plugin"]
    return azure_client.Query(**given)


@pytest.fixture
def at_home(azure: StandIn, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    """The stand-in, found by this process."""
    for name, value in azure.environment().items():
        monkeypatch.setenv(name, value)
    return azure


def refusal(asked: azure_client.Query) -> str:
    with pytest.raises(MachinesError) as caught:
        azure_client.fetch(asked)
    return str(caught.value)


def names(asked: azure_client.Query) -> set[str]:
    return {name for source in azure_client.fetch(asked) for name in source["machines"]}


def test_thousand_machines_and_a_scale_set(azure: StandIn, ansible: Ansible) -> None:
    names = add_fleet(azure.store, 1000)
    add_scale_set(azure.store, "web", 3, tags=SET_TAGS)
    azure.store.find(MACHINE, names[0])["_power"] = "deallocated"
    found = ansible.inventory(
        ansible.write(
            "mesh_azure.yml",
            settings(azure, keyed_groups=[{"key": "mesh_power_state", "prefix": "power"}]),
        )
    )
    hosts = found["_meta"]["hostvars"]
    assert set(hosts) == {*names, "web-0", "web-1", "web-2"}
    assert found["power_deallocated"]["hosts"] == [names[0]]
    assert found["web"]["hosts"] == ["web-0", "web-1", "web-2"]
    assert hosts["web-1"] == {
        "ansible_host": "10.96.0.5",
        "ansible_user": "azureuser",
        "mesh_environment": "prod",
        "mesh_location": "westeurope",
        "mesh_power_state": "running",
        "mesh_resource_id": hosts["web-1"]["mesh_resource_id"],
        "mesh_tags": {},
        "mesh_zone": "",
    }
    assert len({host["ansible_host"] for host in hosts.values()}) == 1003
    # Pages of three lists, one list of scale sets, two for the one set; and nothing else.
    gets = [request for request in azure.requests if "/subscriptions/" in request.path]
    assert len(gets) == 3 * 5 + 1 + 2 and {request.method for request in gets} == {"GET"}
    assert azure.count("POST", "token") == 1


def test_hostile_tags_are_texts_and_stay_so(azure: StandIn, ansible: Ansible) -> None:
    mark = ansible.folder / "executed"
    hostile = {
        "lookup": "{{ lookup('ansible.builtin.pipe', 'touch %s') }}" % mark,
        "block": "{%% for x in range(9) %%}{{ lookup('pipe', 'touch %s') }}{%% endfor %%}" % mark,
        "shell": "$(touch %s); `touch %s` | touch %s &" % (mark, mark, mark),
        "lines": "one\ntwo\r\n\"three\" 'four' \\ \x1b[31m é",
        "{{ lookup('pipe', 'touch %s') }}" % mark: "!!python/object/apply:os.system ['id']",
    }
    (name,) = add_fleet(azure.store, 1, tags=hostile)
    file = ansible.write(
        "mesh_azure.yml",
        settings(
            azure,
            compose={"copied": "mesh_tags.lookup", "ansible_connection": "'local'"},
            keyed_groups=[{"key": "mesh_tags.shell", "prefix": "shell"}],
        ),
    )
    raw = ansible.run("ansible-inventory", "-i", file, "--list").stdout
    listed = json.loads(raw)["_meta"]["hostvars"][name]
    assert listed["mesh_tags"] == {
        key: {"__ansible_unsafe": value} for key, value in hostile.items()
    }
    assert listed["copied"] == {"__ansible_unsafe": hostile["lookup"]}
    # A task that uses them, as an argument and by a loop.
    out = ansible.folder / "out.json"
    play = [
        {
            "hosts": name,
            "gather_facts": False,
            "tasks": [
                {"ansible.builtin.debug": {"msg": "{{ mesh_tags }} {{ item.key }} {{ copied }}"},
                 "loop": "{{ mesh_tags | dict2items }}"},
                {"ansible.builtin.copy": {"content": "{{ mesh_tags | to_json }}",
                                          "dest": str(out), "mode": "0600"}},
            ],
        }
    ]  # fmt: skip
    (ansible.folder / "play.yml").write_text(json.dumps(play))
    python = "ansible_python_interpreter=" + sys.executable
    done = ansible.run("ansible-playbook", "-i", file, "-e", python, "play.yml")
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(out.read_text()) == hostile
    assert not mark.exists()


def test_filters(at_home: StandIn) -> None:
    add_fleet(at_home.store, 3, group="one")
    add_fleet(at_home.store, 2, group="two", space="10.65.0.0/16", tags={"team": "a"})
    add_scale_set(at_home.store, "web", 1, group="two", tags=SET_TAGS)
    assert len(names(query(at_home))) == 6
    assert len(names(query(at_home, resource_groups=["TWO"]))) == 3
    assert len(names(query(at_home, scale_sets=False))) == 5
    assert names(query(at_home, tags={"Team": "a"})) == {"two-payments-db-1", "two-legacy-batch-2"}
    assert names(query(at_home, tags={"mesh-workload": "web"})) == {"web-0"}
    at_home.forget_requests()
    names(query(at_home, resource_groups=["one"]))
    assert at_home.count("GET", "virtualMachineScaleSets/web") == 0


def test_machines_without_our_tags_are_no_business_of_ours(at_home: StandIn) -> None:
    first, second = add_fleet(at_home.store, 2)
    del at_home.store.find(MACHINE, first)["tags"]
    assert names(query(at_home)) == {second}


def test_subscriptions_side_by_side(at_home: StandIn) -> None:
    for number, subscription in enumerate(at_home.subscriptions):
        add_fleet(
            at_home.store,
            2,
            subscription=subscription,
            group="group%d" % number,
            space="10.%d.0.0/16" % (70 + number),
        )
    asked = query(at_home, subscriptions=[*at_home.subscriptions, at_home.subscription.upper()])
    found = azure_client.fetch(asked)
    assert [source["source"] for source in found] == [
        "subscription %s" % one for one in at_home.subscriptions
    ]
    assert [len(source["machines"]) for source in found] == [2, 2, 2]
    assert at_home.count("POST", "token") == 1


def test_one_subscription_that_fails_fails_all(azure: StandIn, ansible: Ansible) -> None:
    for subscription in azure.subscriptions[:2]:
        add_fleet(azure.store, 1, subscription=subscription)
    azure.fault("GET", azure.subscriptions[1] + ".*networkInterfaces", forbidden("x/read"))
    file = ansible.write("mesh_azure.yml", settings(azure, subscriptions=azure.subscriptions[:2]))
    said = ansible.fails(file)
    assert "subscription %s: the identity may not list" % azure.subscriptions[1] in said
    assert "subscription %s" % azure.subscriptions[0] not in said


@pytest.mark.parametrize("fault", [throttled(1), server_error(500), server_error(503), cut()])
@pytest.mark.parametrize("where", [MACHINES, "networkInterfaces", "virtualMachineScaleSets"])
def test_what_passes_is_waited_for(at_home: StandIn, fault: Any, where: str) -> None:
    at_home.manager.page_size = 2
    expected = set(add_fleet(at_home.store, 5))
    struck = at_home.fault("GET", where, fault, skip=1 if where == "networkInterfaces" else 0)
    assert names(query(at_home)) == expected
    assert struck.struck == 1


@pytest.mark.parametrize(
    ("fault", "wanted"),
    [
        (truncated(), "did not answer in full"),
        (malformed(), "did not answer in full"),
        (forbidden("x/read"), "the identity may not list"),
        (credential_expired(), "nobody could log in: (ExpiredAuthenticationToken)"),
    ],
)
def test_what_does_not_pass_fails_and_names_the_subscription(
    at_home: StandIn, fault: Any, wanted: str
) -> None:
    at_home.manager.page_size = 2
    add_fleet(at_home.store, 5)
    # The second page: a first one would be a part of the truth.
    at_home.fault("GET", MACHINES, fault, times=99, skip=3)
    said = refusal(query(at_home))
    assert said.startswith("subscription %s: " % at_home.subscription)
    assert wanted in said


def test_throttled_for_ever(at_home: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(azure_client, "RETRIES", 1)
    add_fleet(at_home.store, 1)
    fault = at_home.fault("GET", "networkInterfaces", throttled(1), times=99)
    assert "still busy after 2 attempts" in refusal(query(at_home))
    assert fault.struck == 2


def test_expired_secret_is_told_once(azure: StandIn, ansible: Ansible) -> None:
    azure.fault("POST", "token", secret_expired(), times=99)
    file = ansible.write(
        "mesh_azure.yml",
        settings(azure, credential="environment", subscriptions=list(azure.subscriptions)),
    )
    said = ansible.fails(file)
    assert "nobody could log in" in said and "AADSTS7000222" in said
    assert "of-no-worth" not in said


def test_no_credential_at_all(azure: StandIn, ansible: Ansible) -> None:
    for name in list(ansible.environment):
        if name.startswith("AZURE_"):
            del ansible.environment[name]
    said = ansible.fails(ansible.write("mesh_azure.yml", settings(azure, credential="environment")))
    assert "nobody could log in" in said and "AZURE_TENANT_ID" in said


@pytest.mark.parametrize("credential", ["environment", "workload_identity"])
def test_explicit_credentials(
    at_home: StandIn, credential: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = set(add_fleet(at_home.store, 2))
    if credential == "workload_identity":
        monkeypatch.delenv("AZURE_CLIENT_SECRET")
        (tmp_path / "token").write_text("of-no-worth")
        monkeypatch.setenv("AZURE_FEDERATED_TOKEN_FILE", str(tmp_path / "token"))
    assert names(query(at_home, credential=credential)) == expected


def test_managed_identity(at_home: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the endpoint that App Service gives, since that of a machine has a fixed address."""
    expected = set(add_fleet(at_home.store, 2))
    for name in ("AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET", "AZURE_TENANT_ID"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("IDENTITY_ENDPOINT", at_home.url + "/msi/token")
    monkeypatch.setenv("IDENTITY_HEADER", "of-no-worth")
    given = query(at_home, credential="managed_identity", client_id=CLIENT)
    assert names(given) == expected
    (asked,) = [request for request in at_home.requests if request.path == "/msi/token"]
    assert "client_id=%s" % CLIENT in asked.query

    monkeypatch.setenv("IDENTITY_HEADER", "another")
    said = refusal(given)
    assert "nobody could log in" in said and "Unauthorized" in said


CLI = """#!/bin/sh
[ "$1 $2" = "account get-access-token" ] || exit 2
%s
"""


def test_cli(at_home: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What `az account get-access-token` prints, by a program that takes its place."""
    expected = set(add_fleet(at_home.store, 2))
    for name in ("AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET", "AZURE_TENANT_ID"):
        monkeypatch.delenv(name)
    program = tmp_path / "az"
    token = {
        "accessToken": "of-no-worth",
        "expiresOn": "2099-01-01 00:00:00.000000",
        "expires_on": 4070908800,
        "subscription": at_home.subscription,
        "tenant": "t",
        "tokenType": "Bearer",
    }
    program.write_text(CLI % ("echo '%s'" % json.dumps(token)))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert names(query(at_home, credential="cli")) == expected

    program.write_text(CLI % "echo 'ERROR: Please run az login to setup account.' >&2; exit 1")
    said = refusal(query(at_home, credential="cli"))
    assert "nobody could log in: Please run 'az login'" in said


def test_nothing_there_is_an_error_unless_said_otherwise(azure: StandIn, ansible: Ansible) -> None:
    said = ansible.fails(ansible.write("mesh_azure.yml", settings(azure)))
    assert "there are no machines; if that is right, say allow_empty: true" in said
    found = ansible.inventory(ansible.write("mesh_azure.yml", settings(azure, allow_empty=True)))
    assert found["_meta"]["hostvars"] == {}


def test_incomplete_tags_fail_all_at_once(azure: StandIn, ansible: Ansible) -> None:
    first, second = add_fleet(azure.store, 2)
    del azure.store.find(MACHINE, first)["tags"]["mesh-user"]
    azure.store.find(MACHINE, second)["tags"]["mesh-ssh-port"] = "ssh"
    said = ansible.fails(ansible.write("mesh_azure.yml", settings(azure)))
    assert "machine %s: tag mesh-user is missing; write the user" % first in said
    assert "machine %s: tag mesh-ssh-port is 'ssh'; write a port" % second in said


def test_cache(azure: StandIn, ansible: Ansible) -> None:
    hostile = {"note": "{{ lookup('pipe', 'touch %s') }}" % (ansible.folder / "executed")}
    expected = set(add_fleet(azure.store, 3, tags=hostile))
    file = ansible.write(
        "mesh_azure.yml",
        settings(
            azure,
            cache=True,
            cache_plugin="ansible.builtin.jsonfile",
            cache_connection=str(ansible.folder / "cache"),
        ),
    )
    first = ansible.inventory(file)
    azure.forget_requests()
    assert ansible.inventory(file) == first
    assert set(first["_meta"]["hostvars"]) == expected
    assert azure.requests == []
    assert not Path(ansible.folder / "executed").exists()
    done = ansible.run("ansible-inventory", "-i", file, "--list", "--flush-cache")
    assert done.returncode == 0 and azure.requests


def test_what_is_wrong_is_not_cached(azure: StandIn, ansible: Ansible) -> None:
    (name,) = add_fleet(azure.store, 1)
    tags = azure.store.find(MACHINE, name)["tags"]
    user = tags.pop("mesh-user")
    file = ansible.write(
        "mesh_azure.yml",
        settings(
            azure,
            cache=True,
            cache_plugin="ansible.builtin.jsonfile",
            cache_connection=str(ansible.folder / "cache"),
        ),
    )
    ansible.fails(file)
    tags["mesh-user"] = user
    assert set(ansible.inventory(file)["_meta"]["hostvars"]) == {name}
