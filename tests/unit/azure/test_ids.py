"""Resource IDs of the stand-in for Azure."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.azure.ids import parse

S = "/subscriptions/s"
G = f"{S}/resourceGroups/g"
NETWORK = f"{G}/providers/Microsoft.Network/virtualNetworks/v"


@pytest.mark.parametrize(
    ("path", "id", "type", "word"),
    [
        (G, G, "microsoft.resources/resourcegroups", ""),
        (f"{S}/resourceGroups", S, "microsoft.resources/resourcegroups", "resourceGroups"),
        (f"{G}/resources", G, "microsoft.resources/resourcegroups", "resources"),
        (NETWORK, NETWORK, "microsoft.network/virtualnetworks", ""),
        (f"{NETWORK}/subnets", NETWORK, "microsoft.network/virtualnetworks/subnets", "subnets"),
        (
            f"{NETWORK}/subnets/a/",
            f"{NETWORK}/subnets/a",
            "microsoft.network/virtualnetworks/subnets",
            "",
        ),
        (
            f"{NETWORK}/providers/Microsoft.Authorization/roleAssignments/r",
            f"{NETWORK}/providers/Microsoft.Authorization/roleAssignments/r",
            "microsoft.authorization/roleassignments",
            "",
        ),
    ],
)
def test_path_names_a_resource_or_a_collection(path: str, id: str, type: str, word: str) -> None:
    found = parse(path)
    assert (found.id, found.type, found.word) == (id, type, word)


@pytest.mark.parametrize("path", ["/", "/metadata/endpoints", f"{G}/providers", f"{S}//x", S])
def test_path_that_names_neither_is_refused(path: str) -> None:
    with pytest.raises(ValueError):
        parse(path)


def test_parent_is_the_outer_resource_or_the_group() -> None:
    assert parse(f"{NETWORK}/subnets/a").parent == NETWORK
    assert parse(NETWORK).parent == G
    assert parse(f"{NETWORK}/subnets/a").group == G
    assert parse(f"{S}/providers/Microsoft.Authorization/roleAssignments/r").group == ""


@given(st.lists(st.from_regex(r"[a-zA-Z0-9-]{1,8}", fullmatch=True), min_size=2, max_size=8))
def test_every_path_under_a_namespace_is_read_back(names: list[str]) -> None:
    path = f"{G}/providers/Microsoft.X/{'/'.join(names)}"
    if "providers" in [name.lower() for name in names]:
        return
    found = parse(path)
    assert path == (f"{found.id}/{found.word}" if found.word else found.id)
    assert bool(found.word) == bool(len(names) % 2)
