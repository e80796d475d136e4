"""What the stand-in keeps: resources by ID, each the document that a GET would answer."""

from __future__ import annotations

import copy
import json
import threading
import uuid
from collections.abc import Iterator
from typing import Any

from tests.azure import ids
from tests.azure.ids import Address

Document = dict[str, Any]


class Refused(Exception):
    """The resource manager's refusal, with Azure's error body."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message

    def body(self) -> Document:
        return {"error": {"code": self.code, "message": self.message}}


class Store:
    """Resources by ID, without regard to case. Hold ``lock`` to read and then write."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self._documents: dict[str, Document] = {}

    def __contains__(self, id: object) -> bool:
        return str(id).lower() in self._documents

    def __len__(self) -> int:
        return len(self._documents)

    def __iter__(self) -> Iterator[str]:
        """The IDs as they were written."""
        return iter([document["id"] for document in self._documents.values()])

    def get(self, id: str) -> Document | None:
        """The document itself, not a copy: shapes change it in place."""
        return self._documents.get(id.lower())

    def put(self, document: Document) -> None:
        self._documents[document["id"].lower()] = document

    def remove(self, id: str) -> None:
        """Delete a resource with all that lies in it, asking nobody: drift, for tests too."""
        with self.lock:
            gone = id.lower()
            for key in list(self._documents):
                if key == gone or key.startswith(f"{gone}/"):
                    del self._documents[key]

    def clear(self) -> None:
        with self.lock:
            self._documents.clear()

    def of_type(self, type: str, within: str = "") -> list[Document]:
        """All of a type, in order of creation; ``within`` an ID's bounds."""
        start = f"{within.lower()}/"
        return [
            document
            for key, document in self._documents.items()
            if document["type"].lower() == type.lower() and key.startswith(start)
        ]

    def find(self, type: str, name: str) -> Document:
        """The one resource of that type and name. Raises LookupError."""
        found = [d for d in self.of_type(type) if d["name"].lower() == name.lower()]
        if len(found) != 1:
            raise LookupError(f"{len(found)} of {type} have the name {name}")
        return found[0]

    def users(self, id: str) -> list[str]:
        """The resources outside of ``id`` whose documents name it or something in it."""
        own = id.lower()
        quoted, inner = f'"{own}"', f'"{own}/'
        return [
            document["id"]
            for key, document in self._documents.items()
            if key != own
            and not key.startswith(f"{own}/")
            and not own.startswith(f"{key}/")
            and (quoted in (text := json.dumps(document["properties"]).lower()) or inner in text)
        ]

    def check_parent(self, address: Address) -> None:
        """Raises Refused where the resource group or the outer resource is missing."""
        if address.type == ids.GROUP_TYPE or "/providers/" not in address.id:
            return
        if address.group and address.group not in self:
            name = address.group.rsplit("/", 1)[1]
            raise Refused(
                404, "ResourceGroupNotFound", f"Resource group '{name}' could not be found."
            )
        nested = address.type.count("/") > 1
        if nested and address.parent not in self:
            raise Refused(
                404,
                "ParentResourceNotFound",
                f"Failed to perform 'write' on resource(s) of type '{address.type_as_written}', "
                f"because the parent resource '{address.parent}' could not be found.",
            )


def without_nulls(value: Any) -> Any:
    """Azure's answers carry no nulls."""
    if isinstance(value, dict):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [without_nulls(item) for item in value]
    return value


def merged(old: Document, change: Document) -> Document:
    """A PATCH: objects merge, everything else is replaced; tags are replaced as a whole."""
    result = copy.deepcopy(old)
    for key, value in change.items():
        if isinstance(value, dict) and isinstance(result.get(key), dict) and key != "tags":
            result[key] = merged(result[key], value)
        else:
            result[key] = copy.deepcopy(value)
    return result


def uuid_for(*names: str) -> str:
    """A UUID that is always the same for the same names: runs are comparable."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, "/".join(names).lower()))
