"""The stand-in's sockets: tokens, faults as a client sees them, the log."""

from __future__ import annotations

import http.client
import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.azure import StandIn, cut, malformed, server_error, throttled, truncated

GROUPS = f"/subscriptions/{StandIn.subscription}/resourceGroups?api-version=2024-01-01"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    with StandIn(tmp_path_factory.mktemp("azure")) as found:
        yield found


@pytest.fixture
def azure(running: StandIn) -> StandIn:
    running.reset()
    return running


def read(azure: StandIn, path: str, token: str | None = "any") -> Any:
    """The document at a path, by a client that checks the certificate."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    request = urllib.request.Request(azure.url + path, headers=headers)
    context = ssl.create_default_context(cafile=azure.ca_file)
    with urllib.request.urlopen(request, context=context, timeout=30) as response:
        return json.loads(response.read())


def status(azure: StandIn, path: str, **options: Any) -> int:
    with pytest.raises(urllib.error.HTTPError) as caught:
        read(azure, path, **options)
    return caught.value.code


def test_discovery_needs_no_token_and_resources_do(azure: StandIn) -> None:
    assert read(azure, "/metadata/endpoints", token=None)["resourceManager"] == azure.url
    assert status(azure, GROUPS, token=None) == 401
    assert read(azure, GROUPS) == {"value": []}


def test_key_is_readable_by_its_owner_only(azure: StandIn) -> None:
    assert (Path(azure.ca_file).parent / "key.pem").stat().st_mode & 0o777 == 0o600


def test_fault_strikes_as_often_as_it_says_and_after_what_it_skips(azure: StandIn) -> None:
    fault = azure.fault("GET", r"/RESOURCEGROUPS\?", server_error(503), times=2, skip=1)
    read(azure, GROUPS)
    assert [status(azure, GROUPS) for _ in range(2)] == [503, 503]
    read(azure, GROUPS)
    assert fault.struck == 2
    assert azure.count("GET", "/resourcegroups$") == 4
    assert [request.status for request in azure.requests] == [200, 503, 503, 200]


def test_throttling_says_when_to_come_back(azure: StandIn) -> None:
    azure.fault("GET", "resourceGroups", throttled(seconds=7))
    with pytest.raises(urllib.error.HTTPError) as caught:
        read(azure, GROUPS)
    assert (caught.value.code, caught.value.headers["Retry-After"]) == (429, "7")


def test_cut_answer_ends_before_its_length(azure: StandIn) -> None:
    azure.fault("GET", "resourceGroups", cut())
    with pytest.raises(http.client.IncompleteRead):
        read(azure, GROUPS)
    assert read(azure, GROUPS) == {"value": []}


@pytest.mark.parametrize("answer", [truncated(), malformed()], ids=["truncated", "malformed"])
def test_answer_that_is_no_json_has_status_200(azure: StandIn, answer: Any) -> None:
    azure.fault("GET", "resourceGroups", answer)
    with pytest.raises(json.JSONDecodeError):
        read(azure, GROUPS)


def test_login_speaks_for_the_host_that_was_asked(azure: StandIn) -> None:
    found = read(azure, "/x/v2.0/.well-known/openid-configuration", token=None)
    assert found["issuer"].startswith(f"{azure.url}/")


@pytest.mark.parametrize("suffix", ["stand-in.invalid", "core.windows.net"])
def test_tunnel_takes_an_account_s_name_to_its_blobs(azure: StandIn, suffix: str) -> None:
    context = ssl.create_default_context(cafile=azure.ca_file)
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({"https": azure.backend_environment()["HTTPS_PROXY"]}),
        urllib.request.HTTPSHandler(context=context),
    )
    url = f"https://states.blob.{suffix}/state/dev.tfstate"
    headers = {"Authorization": "Bearer any", "Content-Type": "application/json"}
    written = urllib.request.Request(url, b"{}", headers, method="PUT")
    assert opener.open(written, timeout=30).status == 201
    with opener.open(urllib.request.Request(url, headers=headers), timeout=30) as response:
        assert (response.read(), response.headers["Content-Type"]) == (b"{}", "application/json")
    assert azure.blobs["dev.tfstate"].content == b"{}"


def test_environment_names_the_stand_in_alone(azure: StandIn) -> None:
    environment = azure.environment()
    assert environment["ARM_METADATA_HOSTNAME"] == azure.host
    assert environment["AZURE_AUTHORITY_HOST"] == azure.url
    assert Path(environment["SSL_CERT_FILE"]).is_file()
