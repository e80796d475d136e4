"""What a lab consists of and where it lies: pure data, nothing is started here."""

from __future__ import annotations

import dataclasses
import hashlib
import ipaddress
import os
import platform
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
STATE = Path("/var/lib/brownfield-lab")
ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())


def cache_dir() -> Path:
    """Where built and downloaded parts stay between runs, outside every checkout."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "brownfield-mesh"


@dataclass(frozen=True)
class Machine:
    """One systemd machine. ``number`` is its place in the lab's address range."""

    name: str
    number: int
    image: str = "bookworm"
    group: str = ""
    app: str = ""  # a unit of lab/apps, or `postgresql`


CONTROL = Machine("control", 2)
GATEWAY = Machine("gateway", 3)
WORKLOAD_MACHINES = (
    Machine("shop-api-1", 11, "bookworm", "shop_api", "shop-api"),
    Machine("shop-api-2", 12, "trixie", "shop_api", "shop-api"),
    Machine("payments-db-1", 13, "bookworm", "payments_db", "postgresql"),
    Machine("legacy-batch-1", 14, "bookworm", "legacy_batch"),
    Machine("outsider-1", 15, "bookworm", "mesh_vantage"),
)
MAX_EXTRA = 60


@dataclass(frozen=True)
class Lab:
    """One lab: its name and address range set it apart from every other on the same host."""

    name: str = "lab"
    network: ipaddress.IPv4Network = ipaddress.IPv4Network("198.18.0.0/24")
    extra: int = 0  # further machines for benchmarks

    @property
    def machines(self) -> tuple[Machine, ...]:
        """The machines that the inventory names (not `control` and `gateway`)."""
        more = (Machine(f"bench-{n:02d}", 100 + n, group="bench") for n in range(1, self.extra + 1))
        return (*WORKLOAD_MACHINES, *more)

    def machine(self, name: str) -> Machine:
        """The machine of that name. Raises LabError when there is none."""
        for machine in (CONTROL, GATEWAY, *self.machines):
            if machine.name == name:
                return machine
        known = ", ".join(m.name for m in (CONTROL, GATEWAY, *self.machines))
        raise LabError(f"there is no machine {name!r} in lab {self.name!r}; there are: {known}")

    def address(self, machine: Machine) -> str:
        """The machine's IPv4 address."""
        return str(self.network.network_address + machine.number)

    @property
    def host_address(self) -> str:
        """This host's own address on the lab's bridge."""
        return str(self.network.network_address + 1)

    @property
    def bridge(self) -> str:
        """The bridge's name (interface names have 15 characters at most)."""
        return f"bm-{self._tag}"

    def link(self, machine: Machine) -> str:
        """The name of the host's end of the machine's cable."""
        return f"bm-{self._tag}-{machine.number}"

    def netns(self, machine: Machine) -> str:
        """The machine's network namespace."""
        return f"{self.name}-{machine.name}"

    @property
    def _tag(self) -> str:
        return hashlib.sha256(self.name.encode()).hexdigest()[:6]

    @property
    def dir(self) -> Path:
        """Everything of this lab that is not a cache."""
        return STATE / self.name

    def root(self, machine: Machine) -> Path:
        """Where the machine's file system is mounted."""
        return self.dir / "machines" / machine.name / "root"

    @property
    def pki(self) -> Path:
        """Keys and certificates of the API server and its clients."""
        return self.dir / "pki"

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return self.dir / "kubeconfig"

    @property
    def ssh_key(self) -> Path:
        """The key made for this lab, by which every machine is reached."""
        return self.dir / "ssh_key"

    @property
    def inventory(self) -> Path:
        """The generated inventory folder."""
        return self.dir / "inventory"

    @property
    def api_server(self) -> str:
        """The API server's address as URL."""
        return f"https://{self.address(CONTROL)}:6443"


class LabError(Exception):
    """Something that stops the lab, in words for its user."""


def from_environment() -> Lab:
    """The lab that LAB_NAME and LAB_RANGE name. Raises LabError when they cannot be used."""
    name = os.environ.get("LAB_NAME", "lab")
    if not (name.isascii() and name.replace("-", "").isalnum() and len(name) <= 20):
        raise LabError(f"LAB_NAME {name!r}: use at most 20 letters, digits and dashes")
    text = os.environ.get("LAB_RANGE", "198.18.0.0/24")
    try:
        network = ipaddress.IPv4Network(text)
    except ValueError as error:
        raise LabError(f"LAB_RANGE {text!r}: {error}; write for example 198.18.0.0/24") from None
    if network.prefixlen > 24:
        raise LabError(f"LAB_RANGE {text!r} is too small; write a /24, for example 198.18.0.0/24")
    lab = Lab(name, network)
    extra = lab.dir / "extra"
    return dataclasses.replace(lab, extra=int(extra.read_text())) if extra.exists() else lab
