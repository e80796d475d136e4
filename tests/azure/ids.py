"""Resource IDs: /subscriptions/S/resourceGroups/G/providers/NAMESPACE/TYPE/NAME/…, in any case."""

from __future__ import annotations

from dataclasses import dataclass

GROUP_TYPE = "microsoft.resources/resourcegroups"


@dataclass(frozen=True)
class Address:
    """What a request's path names.

    ``id`` is the resource's ID, or for a collection the ID of what it lies in; ``type`` is in lower
    case, as Azure compares types and IDs without regard to case.
    """

    id: str
    type: str
    type_as_written: str
    word: str = ""  # a collection's or an action's last segment; empty for a resource

    @property
    def name(self) -> str:
        return self.id.rsplit("/", 1)[1]

    @property
    def parent(self) -> str:
        """The resource that this one lies in: the outer resource, or the resource group."""
        outer, kind, _ = self.id.rsplit("/", 2)
        if "/" in outer and outer.rsplit("/", 2)[-2].lower() == "providers":
            return outer.rsplit("/", 2)[0]
        return outer if kind else ""

    @property
    def subscription(self) -> str:
        return self.id.split("/")[2]

    @property
    def group(self) -> str:
        """The ID of the resource group; empty outside of one."""
        parts = self.id.split("/")
        return (
            "/".join(parts[:5]) if len(parts) > 4 and parts[3].lower() == "resourcegroups" else ""
        )


def parse(path: str) -> Address:
    """Read a path. Raises ValueError for one that names nothing of the resource manager."""
    parts = path.rstrip("/").split("/")[1:]
    lowered = [part.lower() for part in parts]
    if not parts or lowered[0] not in {"subscriptions", "providers"} or "" in parts:
        raise ValueError(path)
    if "providers" in lowered:
        at = len(lowered) - 1 - lowered[::-1].index("providers")
        namespace, rest = parts[at + 1 : at + 2], parts[at + 2 :]
        if not namespace or not rest:
            raise ValueError(path)
        written = "/".join([*namespace, *rest[::2]])
    elif len(parts) in {3, 4, 5} and lowered[2] == "resourcegroups":
        rest, written = parts[2:], "Microsoft.Resources/resourceGroups"
    else:
        raise ValueError(path)
    if len(rest) % 2 == 0:
        return Address("/" + "/".join(parts), written.lower(), written)
    return Address("/" + "/".join(parts[:-1]), written.lower(), written, parts[-1])
