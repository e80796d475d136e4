"""What a lab consists of and where it lies: pure data, nothing is started here."""

from __future__ import annotations

import hashlib
import ipaddress
import json
import os
import platform
import re
from dataclasses import asdict, dataclass, replace
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
DEFAULT_RANGE = ipaddress.IPv4Network("198.18.0.0/24")  # RFC 2544: for tests, routed nowhere
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
    tag: str = ""  # what its maker knows it by, when it was added to the lab
    kernel_log: bool = False  # its journal has what the kernel, which is this host's, says


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
GATEWAYS = ("egress-gateway", "ingress-gateway")
APPS = ("shop-api", "postgresql", *GATEWAYS)
ADDED_NUMBERS = range(16, 100)


@dataclass(frozen=True)
class Lab:
    """One lab: its name and address range set it apart from every other on the same host."""

    name: str = "lab"
    network: ipaddress.IPv4Network = DEFAULT_RANGE
    extra: int = 0  # further machines for benchmarks
    added: tuple[Machine, ...] = ()  # machines that somebody else's inventory names

    @property
    def machines(self) -> tuple[Machine, ...]:
        """The machines that the inventory names (not `control` and `gateway`)."""
        more = (Machine(f"bench-{n:02d}", 100 + n, group="bench") for n in range(1, self.extra + 1))
        return (*WORKLOAD_MACHINES, *more)

    @property
    def everything(self) -> tuple[Machine, ...]:
        """All machines of this lab."""
        return (CONTROL, GATEWAY, *self.machines, *self.added)

    def machine(self, name: str) -> Machine:
        """The machine of that name. Raises LabError when there is none."""
        for machine in self.everything:
            if machine.name == name:
                return machine
        known = ", ".join(m.name for m in self.everything)
        raise LabError(f"there is no machine {name!r} in lab {self.name!r}; there are: {known}")

    def to_add(
        self, name: str, image: str, app: str, tag: str, kernel_log: bool = False
    ) -> Machine:
        """The machine to add: as it is when it is there, or with a free number of its own.

        The number follows from the name where it can, so that a machine that comes again has its
        address again. Raises LabError.
        """
        if not re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?", name):
            raise LabError(
                f"machine {name!r}: use up to 40 lower-case letters, digits and inner dashes"
            )
        if name.startswith("bench-") or name in (
            m.name for m in (CONTROL, GATEWAY, *self.machines)
        ):
            raise LabError(f"machine {name!r}: the lab has this name for itself; use another one")
        taken = {machine.number for machine in self.added}
        for there in self.added:
            if there.name == name:
                wanted = Machine(name, there.number, image, "", app, tag, kernel_log)
                if wanted != there:
                    raise LabError(
                        f"machine {name!r} is there as another one (image {there.image}, app "
                        f"{there.app or 'none'}, tag {there.tag or 'none'}, kernel's log "
                        f"{'given' if there.kernel_log else 'not given'}); remove it first"
                    )
                return there
        first = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4])
        for step in range(len(ADDED_NUMBERS)):
            number = ADDED_NUMBERS[(first + step) % len(ADDED_NUMBERS)]
            if number not in taken:
                return Machine(name, number, image, "", app, tag, kernel_log)
        raise LabError(f"lab {self.name!r} has no address left; remove a machine")

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

    def mac(self, machine: Machine) -> str:
        """The machine's MAC address: the same after a reset, as neighbours remember it."""
        return (b"\x02bm\0\0" + bytes([machine.number])).hex(":")

    @property
    def bridge_mac(self) -> str:
        """The bridge's MAC address: that of number 1, as its IPv4 address is."""
        return (b"\x02bm\0\0\x01").hex(":")

    def netns(self, machine: Machine) -> str:
        """The machine's network namespace, and its name on this host.

        The dot cannot be in a lab's name, so that no two labs meet here.
        """
        return f"{self.name}.{machine.name}"

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

    def record(self, machine: Machine) -> Path:
        """The record of an added machine that is complete. It goes with the machine's folder."""
        return self.root(machine).parent / "machine.json"

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


def load(name: str = "", address_range: str = "") -> Lab:
    """The lab of that name as it was last started, or a new one in ``address_range``.

    Empty: LAB_NAME and LAB_RANGE, else the defaults. Raises LabError when they cannot be used.
    """
    name = name or os.environ.get("LAB_NAME") or Lab.name
    if not re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,18}[a-z0-9])?", name):
        raise LabError(
            f"LAB_NAME {name!r}: use up to 20 lower-case letters, digits and inner dashes"
        )
    wanted = address_range or os.environ.get("LAB_RANGE") or ""
    file = STATE / name / "lab.json"
    saved = json.loads(file.read_text()) if file.exists() else {}
    text = saved.get("range") or wanted or str(DEFAULT_RANGE)
    try:
        network = ipaddress.IPv4Network(text)
    except ValueError as error:
        raise LabError(f"LAB_RANGE {text!r}: {error}; write for example 198.18.0.0/24") from None
    if network.prefixlen > 24:
        raise LabError(f"LAB_RANGE {text!r} is too small; write a /24, for example 198.18.0.0/24")
    if saved and wanted not in ("", text):
        raise LabError(f"lab {name!r} has the range {text}; take it down before giving it {wanted}")
    lab = Lab(name, network, saved.get("extra", 0))
    return replace(lab, added=added(lab))


def added(lab: Lab) -> tuple[Machine, ...]:
    """The machines that were added to the lab, by the records in their folders."""
    records = sorted((lab.dir / "machines").glob("*/machine.json"))
    return tuple(Machine(**json.loads(file.read_text())) for file in records)


def record(lab: Lab, machine: Machine) -> None:
    """Write that an added machine is complete, and where it is: for whoever added it."""
    file = lab.record(machine)
    file.with_name("address").write_text(lab.address(machine))
    partial = file.with_suffix(".partial")
    partial.write_text(json.dumps(asdict(machine)))
    partial.rename(file)


def save(lab: Lab) -> None:
    """Keep what ``load`` needs. Raises LabError when another lab has these addresses."""
    for file in STATE.glob("*/lab.json"):
        other = ipaddress.IPv4Network(json.loads(file.read_text())["range"])
        if file.parent != lab.dir and other.overlaps(lab.network):
            raise LabError(
                f"lab {file.parent.name!r} has the range {other}; set LAB_RANGE to another one, "
                "for example 198.18.1.0/24"
            )
    lab.dir.mkdir(parents=True, exist_ok=True)
    partial = lab.dir / "lab.json.partial"
    partial.write_text(json.dumps({"range": str(lab.network), "extra": lab.extra}))
    partial.rename(lab.dir / "lab.json")
