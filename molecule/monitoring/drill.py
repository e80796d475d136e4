"""Break things for real, see who is told and when, mend them, see each alarm called off.

Run on the controller by this scenario, when all machines are watched: drill.py INVENTORY RESULT.
It takes the first wave of faults, and with DRILL=all in its environment all of them.
RESULT is JSON: of each alarm, seconds from its fault to its notification beside the stated bound,
and from the repair until it was called off. It fails when an alarm does not come, is not called
off, names another machine, goes to the wrong receiver, or when one comes that should not.
"""

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from lab import machine
from lab.config import CONTROL, GATEWAY, LabError, load
from lab.kubernetes import Api

LAB = load()
INVENTORY = Path(sys.argv[1])
KEPT = "/var/tmp/alarms"
# As converge.yml has set them, in seconds.
GIVEN = yaml.safe_load((INVENTORY / "monitoring.yml").read_text())["all"]
WATCHING = GIVEN["children"]["mesh_monitoring"]["hosts"]["monitor-1"]
STATE, PROBE = (GIVEN["vars"][f"mesh_node_exporter_{one}_seconds"] for one in ("state", "probe"))
SCRAPE, UNREACHABLE, CONTROL_PLANE, STALE, GROUP = (
    WATCHING[f"mesh_monitoring_{one}_seconds"]
    for one in ("scrape", "unreachable", "control_plane", "stale", "group_wait")
)
JOURNAL = 2 * STATE
# Evaluated as often as scraped; then the group waits.
ON_ITS_WAY = SCRAPE + SCRAPE + GROUP
LIFE = 60  # of the certificate that is not renewed; the alarm is due when 35 % are left
# A drill on a busy host is slow, not wrong: it gives up after so many times the bound.
PATIENCE = 4
BRIDGE_CERTIFICATE = "/var/lib/mesh-bridge/identities/current/cert-chain.pem"
AGENT = "/opt/mesh-proxy/bin/pilot-agent"
POLICIES = "/apis/security.istio.io/v1/namespaces/shop/authorizationpolicies"


@dataclass(frozen=True)
class Fault:
    """What is broken, how it is mended, and the alarm that must come of it.

    ``seconds`` is the time until the machine's own figures show it and the rule is sure.
    ``lasting`` counts over ten minutes: it is not waited for until it is called off.
    """

    alarm: str
    machine: str
    breaks: str | Callable[[], Any]
    mends: str | Callable[[], Any]
    seconds: float
    receiver: str = "platform"
    lasting: bool = False

    @property
    def bound(self) -> float:
        """Seconds from the fault to the notification."""
        return self.seconds + ON_ITS_WAY

    def do(self, what: str | Callable[[], Any]) -> float:
        """Break or mend; the time before it."""
        start = time.time()
        if callable(what):
            what()
        else:
            on(self.machine, what)
        return start


def on(name: str, command: str) -> str:
    """Run a shell command as root on a machine, without SSH."""
    return machine.execute(LAB, LAB.machine(name), "sh", "-c", command)


def host(*argv: str) -> str:
    """Run a command on this host."""
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout


def address(name: str) -> str:
    """Of a machine."""
    return LAB.address(LAB.machine(name))


def policy(name: str, spec: dict[str, Any]) -> tuple[Callable[[], Any], Callable[[], Any]]:
    """Create and delete an AuthorizationPolicy in the shop, as somebody would by hand."""
    head = {"apiVersion": "security.istio.io/v1", "kind": "AuthorizationPolicy"}
    body = {**head, "metadata": {"name": name}, "spec": spec}
    api = Api(LAB)
    return (
        lambda: api.call("POST", POLICIES, body),
        lambda: api.call("DELETE", f"{POLICIES}/{name}"),
    )


def onboard(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Join a machine again."""
    command = ["ansible-playbook", "brownfield.mesh.onboard", "-i", str(INVENTORY)]
    return subprocess.run(
        [*command, "--limit", name, *arguments], capture_output=True, text=True, check=False
    )


def renewed(name: str, lifetime: str, before: str = "true") -> Callable[[], Any]:
    """Join a bridge again; a certificate that it needs lives so long."""

    def act() -> None:
        on(name, before)
        given = GIVEN["hosts"][name]["mesh_machine"]["identity"]
        own = {"mesh_machine": {"identity": {**given, "lifetime": lifetime}}}
        onboard(name, "-e", json.dumps(own)).check_returncode()

    return act


def failed_run(name: str) -> tuple[Callable[[], Any], Callable[[], Any]]:
    """A run of onboard that is refused: somebody has let the machine ask a directory for users."""
    folder = "/etc/sssd"

    def breaks() -> None:
        on(name, f"mkdir {folder} && touch {folder}/sssd.conf")
        if onboard(name).returncode == 0:
            raise SystemExit("drill: a run on a machine with a directory should have failed")

    def mends() -> None:
        on(name, f"rm -r {folder}")
        onboard(name).check_returncode()

    return breaks, mends


def cut_off() -> tuple[str, str]:
    """Nothing comes in or goes out any more, but for the machine itself."""
    chains = " ".join(
        f"chain {hook} {{ type filter hook {hook} priority -300; {way} != lo drop; }};"
        for hook, way in (("input", "iifname"), ("output", "oifname"))
    )
    return f"nft 'table inet gone {{ {chains} }}'", "nft delete table inet gone"


def no_istiod() -> tuple[str, str]:
    """The firewall has forgotten istiod's gateway, and the connection that there was ends."""
    where = f"ip daddr {LAB.address(GATEWAY)} tcp dport 15012"
    rule = f"chain out {{ type filter hook output priority 0; {where} reject with tcp reset; }};"
    kill = f"ss --kill --tcp dst {LAB.address(GATEWAY)} dport = :15012"
    return f"nft 'table inet gone {{ {rule} }}' && {kill}", "nft delete table inet gone"


def quiet(unit: str, file: str = "") -> tuple[str, str]:
    """A timer of ours stops, and the file that it keeps fresh may be gone, too."""
    gone = f" && rm /var/lib/mesh-watch/{file}" if file else ""
    return f"systemctl stop {unit}.timer {unit}.service{gone}", f"systemctl start {unit}.timer"


def firewalled(name: str, source: str) -> tuple[Callable[[], Any], Callable[[], Any]]:
    """A firewall on a machine drops what another one sends to its application."""
    where = f"ip saddr {address(source)} tcp dport 8080"
    # Before capture leads it elsewhere.
    rule = f"chain into {{ type filter hook prerouting priority -300; {where} drop; }};"
    return (
        lambda: on(name, f"nft 'table inet gone {{ {rule} }}'"),
        lambda: on(name, "nft delete table inet gone"),
    )


def full_disk(name: str) -> tuple[Callable[[], Any], str]:
    """A small disk of its own, and something fills it."""
    image = LAB.root(LAB.machine(name)).parent / "disk.img"

    def breaks() -> None:
        host("truncate", "--size=16M", str(image))
        host("mkfs.ext4", "-q", "-F", str(image))
        disk = host("losetup", "--find", "--show", str(image)).strip()
        number = disk.removeprefix("/dev/loop")
        on(name, f"mkdir {DISK} && mknod {DISK}.device b 7 {number} && mount {DISK}.device {DISK}")
        host("losetup", "--detach", disk)  # as soon as nobody has it mounted
        on(name, f"dd if=/dev/zero of={DISK}/log bs=1M status=none 2>/dev/null || true")

    return breaks, f"rm {DISK}/log"


def clock_off(name: str, seconds: int) -> tuple[Callable[[], Any], str]:
    """The clock of node_exporter, which shows it, goes wrong."""
    code = (Path(__file__).parent / "clock.py").read_text()
    unit = "mesh-node-exporter"

    def breaks() -> None:
        pid = on(name, f"systemctl show --property=MainPID --value {unit}").strip()
        machine.execute(LAB, LAB.machine(name), "python3", "-c", code, pid, str(seconds))

    return breaks, f"systemctl restart {unit}"


def no_gateway() -> tuple[str, str]:
    """A firewall drops what goes to the mesh's gateway."""
    where = f"ip daddr {LAB.address(GATEWAY)} tcp dport 15443"
    rule = f"chain out {{ type filter hook output priority 0; {where} drop; }};"
    return f"nft 'table inet gone {{ {rule} }}'", "nft delete table inet gone"


KNOCK = """
import contextlib, socket, sys
for _ in range(5000):
    with contextlib.suppress(OSError), socket.create_connection((sys.argv[1], 15443), 5) as knock:
        knock.sendall(b"GET / HTTP/1.0\\r\\n\\r\\n")
        knock.recv(1)
"""
OPENED = policy("opened-by-hand", {"action": "ALLOW", "rules": [{}]})
TARGETS = "/etc/mesh-monitoring/targets.json"
SETTINGS = "/etc/mesh-proxy/mesh.yaml"
DISK = "/srv/small"
CERTIFICATE = "/var/lib/mesh-proxy/etc/certs/cert-chain.pem"
# What is broken together; then the alarms that follow from that of themselves.
WAVES: tuple[tuple[tuple[Fault, ...], set[str]], ...] = (
    (
        (
            Fault(  # killed, and never up again
                "MeshMachineUnreachable", "legacy-batch-1",
                f"mv {AGENT} {AGENT}.off && systemctl kill --signal=KILL mesh-proxy",
                f"mv {AGENT}.off {AGENT}", SCRAPE + UNREACHABLE,
            ),
            Fault(
                "MeshCaptureGone", "shop-api-1",
                "iptables -t nat -F",
                # Connections made in between would go on in plain, and MeshPathOpen with them.
                "systemctl restart mesh-capture"
                " && ss --kill --tcp 'sport = :8080 and not dst 127.0.0.0/8'", STATE,
            ),
            Fault(
                "MeshExporterDown", "payments-db-1", "systemctl stop mesh-node-exporter",
                "systemctl start mesh-node-exporter", SCRAPE + UNREACHABLE, "payments",
            ),
            Fault(
                "MeshSshBruteForce", "shop-api-2",
                lambda: on("outsider-1", "for try in $(seq 30); do ssh -o BatchMode=yes"
                " -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null"
                # Slowly: OpenSSH 10 drops a caller that owes it fifteen seconds of penalty.
                f" guest@{address('shop-api-2')} true; sleep 0.5; done 2>/dev/null; true"),
                "true", JOURNAL + 25, lasting=True,
            ),
            Fault("MeshStateStale", "shop-api-2", *quiet("mesh-state"), STALE),
        ),
        # Whoever calls the machine without capture, or is called by it, gets through in plain, or
        # is refused by no policy where nothing listens; systemd tries to start the agent away.
        {"MeshPathOpen", "MeshPathBroken", "MeshPathUnproven", "MeshUnitFlapping"},
    ),
    (
        (
            Fault(
                "MeshControlPlaneLost", "legacy-batch-1", *no_istiod(), STATE + CONTROL_PLANE
            ),
            Fault(
                "MeshProxyNotReady", "shop-api-1",
                "kill -STOP $(systemctl show --property=MainPID --value mesh-proxy)",
                "kill -CONT $(systemctl show --property=MainPID --value mesh-proxy)",
                SCRAPE + UNREACHABLE,
            ),
            Fault(
                "MeshUnitFailed", "payments-db-1",
                "systemd-run --quiet --unit=drill false",
                "systemctl reset-failed drill", STATE + UNREACHABLE, "payments",
            ),
            Fault("MeshLogsStale", "shop-api-2", *quiet("mesh-logs"), STALE),
            Fault(
                "MeshCertificateMissing", "monitor-1", f"mv {CERTIFICATE} {CERTIFICATE}.off",
                f"mv {CERTIFICATE}.off {CERTIFICATE}", STATE + UNREACHABLE,
            ),
        ),
        # An agent that hangs resolves no name; one without its certificate is not ready.
        {"MeshPathBroken", "MeshProxyNotReady"},
    ),
    (
        (
            Fault(
                "MeshCertificateEnding", "payments-db-1",
                renewed("payments-db-1", f"{LIFE}s", f"rm {BRIDGE_CERTIFICATE}"),
                renewed("payments-db-1", "1h"), STATE + 0.65 * LIFE + 10, "payments",
            ),
            Fault(
                "MeshStateMissing", "legacy-batch-1", *quiet("mesh-state", "mesh.prom"),
                SCRAPE + UNREACHABLE,
            ),
            Fault(
                "MeshLogsMissing", "shop-api-1", *quiet("mesh-logs", "logs.prom"),
                SCRAPE + UNREACHABLE,
            ),
            Fault(
                "MeshProbeMissing", "shop-api-2", *quiet("mesh-probe", "probe.prom"),
                SCRAPE + UNREACHABLE,
            ),
            Fault(  # somebody without a certificate tries and tries
                "MeshProxyRefusing",
                "payments-db-1",
                lambda: on("outsider-1", f"python3 -c '{KNOCK}' {address('payments-db-1')}"),
                "true",
                JOURNAL,
                "payments",
                lasting=True,
            ),
            Fault("MeshProbeStale", "monitor-1", *quiet("mesh-probe"), 3 * PROBE + STALE),
            Fault(
                "MeshVantageLost", "outsider-1", "systemctl stop mesh-node-exporter",
                "systemctl start mesh-node-exporter", SCRAPE + UNREACHABLE,
            ),
            Fault(  # calls that the application does not serve (501)
                "MeshRequestsFailing", "shop-api-1",
                lambda: on("legacy-batch-1", "for call in $(seq 300); do curl --silent --output"
                " /dev/null --request POST http://shop-api.shop.svc.cluster.local:8080/; done"),
                "true", 15, lasting=True,
            ),
            # Of these calls, half reach this machine.
            Fault("MeshErrorBudgetBurning", "shop-api-2", "true", "true", 15, lasting=True),
        ),
        {"MeshCertificateMissing"},  # until it has the one that ends soon
    ),
    (
        (
            Fault("MeshMachineUnreachable", "legacy-batch-1", *cut_off(), SCRAPE + UNREACHABLE),
            # A round lasts as long as the tries of the machine that is away.
            Fault("MeshPathOpen", "monitor-1", *OPENED, 1.25 * PROBE + 15),
            Fault(  # its application answers no more
                "MeshPathBroken", "shop-api-2", lambda: on("payments-db-1", "pkill -STOP postgres"),
                lambda: on("payments-db-1", "pkill -CONT postgres"), 3 * 1.25 * PROBE + 10,
            ),
            Fault(
                "MeshUnitFlapping", "monitor-1",
                "systemd-run --quiet --unit=flapping --property=Restart=always"
                " --property=RestartSec=100ms --property=StartLimitIntervalSec=0 true",
                "systemctl stop flapping", JOURNAL, lasting=True,
            ),
        ),
        # Others see the opened path, and the application that does not answer, too.
        {"MeshPathOpen", "MeshPathBroken"},
    ),
    (
        (
            Fault("MeshRunUnfinished", "legacy-batch-1", *failed_run("legacy-batch-1"), STALE + 30),
            Fault(  # somebody edits one of our files
                "MeshDrift", "shop-api-1",
                f"cp -p {SETTINGS} {SETTINGS}.off && echo '# by hand' >> {SETTINGS}",
                f"mv {SETTINGS}.off {SETTINGS}", STATE + UNREACHABLE,
            ),
            Fault(  # a firewall refuses in the policy's place, and its rounds wait for it
                "MeshPathUnproven", "monitor-1", *firewalled("shop-api-1", "monitor-1"),
                3 * (1.25 * PROBE + 10) + UNREACHABLE,
            ),
            Fault("MeshDiskFilling", "shop-api-2", *full_disk("shop-api-2"), SCRAPE + UNREACHABLE),
            Fault(
                "MeshClockOff", "payments-db-1", *clock_off("payments-db-1", 60),
                SCRAPE + UNREACHABLE, "payments",
            ),
            Fault(  # a program that crashes; of all machines this one has a kernel that says so
                "MeshKernelTrouble", "monitor-1",
                "python3 -c 'import ctypes; ctypes.string_at(0)' || true", "true", JOURNAL,
                lasting=True,
            ),
        ),
        set(),
    ),
    (
        (
            Fault(  # calls that got through count for five minutes
                "MeshGatewayLost", "payments-db-1", *no_gateway(), 300 + SCRAPE + UNREACHABLE,
                "payments",
            ),
        ),
        {"MeshPathBroken"},
    ),
    (
        (
            Fault(
                "MeshTargetsMissing", "monitor-1",
                f"cp {TARGETS} {TARGETS}.off && echo [] > {TARGETS}",
                f"mv {TARGETS}.off {TARGETS}", 5 + UNREACHABLE,
            ),
        ),
        set(),
    ),
    (
        (
            Fault(  # a receiver is away when there is something to tell it
                "MeshNotificationsFailing", "monitor-1",
                lambda: on("outsider-1", "touch /var/tmp/deaf")
                + on("payments-db-1", "systemd-run --quiet --unit=drill false"),
                lambda: on("outsider-1", "rm /var/tmp/deaf")
                + on("payments-db-1", "systemctl reset-failed drill"),
                STATE + UNREACHABLE + ON_ITS_WAY + 10, lasting=True,
            ),
        ),
        {"MeshUnitFailed"},
    ),
)  # fmt: skip
LASTING = {fault.alarm for faults, _ in WAVES for fault in faults if fault.lasting}


@dataclass(frozen=True)
class Told:
    """A notification, as the receiver kept it."""

    seconds: float
    receiver: str
    alarm: str
    machine: str
    firing: bool
    fingerprint: str
    text: str


def told() -> list[Told]:
    """Every notification so far, the dead-man's switch's apart."""
    lines = on("outsider-1", f"cat {KEPT} 2>/dev/null || true").splitlines()
    every = [Told(**json.loads(line)) for line in lines]
    return [one for one in every if one.alarm != "MeshWatchdog"]


def firing(since: float) -> list[Told]:
    """What has been told since then and was not called off, but for what lasts."""
    last = {one.fingerprint: one for one in told() if one.seconds >= since}
    return [one for one in last.values() if one.firing and one.alarm not in LASTING]


@contextlib.contextmanager
def patience(seconds: float, what: Callable[[], str]) -> Iterator[Callable[[], None]]:
    """Call what is given in a loop: it waits a little, and ends the drill when it is too late."""
    end = time.monotonic() + seconds

    def wait() -> None:
        if time.monotonic() > end:
            raise SystemExit(f"drill: after {seconds:.0f} s still: {what()}")
        time.sleep(0.25)

    yield wait


def wave(faults: Sequence[Fault], besides: set[str]) -> list[dict[str, Any]]:
    """Break all, wait for all alarms, mend all, wait until nothing is wrong any more."""
    start = time.time()
    seen: dict[str, Told] = {}
    with ThreadPoolExecutor(len(faults)) as pool:
        began = list(pool.map(lambda fault: fault.do(fault.breaks), faults))
        limit = PATIENCE * max(fault.bound for fault in faults)

        def missing() -> str:
            return ", ".join(f"no {f.alarm} of {f.machine}" for f in faults if f.alarm not in seen)

        with patience(limit, missing) as wait:
            while len(seen) < len(faults):
                for one in told():
                    fault = next((f for f in faults if f.alarm == one.alarm), None)
                    named = one.machine or "monitor-1"
                    if fault and one.firing and one.seconds >= start and named == fault.machine:
                        seen.setdefault(one.alarm, one)
                if missing():
                    wait()
        known = {(f.alarm, f.machine) for f in faults}
        for one in told():
            strange = (one.alarm, one.machine or "monitor-1") not in known
            # What lasts is told again when its like on another machine joins it.
            if one.seconds >= start and strange and one.alarm not in besides | LASTING:
                raise SystemExit(f"drill: nobody expected {one}")
        for fault in faults:
            if seen[fault.alarm].receiver != fault.receiver:
                raise SystemExit(f"drill: {seen[fault.alarm]} is {fault.receiver}'s")
        mended = list(pool.map(lambda fault: fault.do(fault.mends), faults))
    with patience(limit, lambda: str(firing(start))) as wait:
        # What began before the repair, a round of probes for one, may still tell of what it saw.
        calm = 3 * PROBE if besides else 0
        last = time.monotonic()
        while firing(start) or time.monotonic() < last + calm:
            if firing(start):
                last = time.monotonic()
            wait()
    ends = {one.alarm: one.seconds for one in told() if not one.firing}
    return [
        {
            "alarm": fault.alarm,
            "machine": fault.machine,
            "text": seen[fault.alarm].text,
            "told_after": round(seen[fault.alarm].seconds - at, 1),
            "bound": fault.bound,
            "called_off_after": None if fault.lasting else round(ends[fault.alarm] - repair, 1),
        }
        for fault, at, repair in zip(faults, began, mended, strict=True)
    ]


def healthy_day() -> dict[str, Any]:
    """What happens to a fleet on a good day, all of it at once: nobody is called."""
    start = time.time()
    sidecars = ("shop-api-1", "shop-api-2", "legacy-batch-1", "monitor-1")
    for name in sidecars:  # an upgrade, machine by machine; each gets a new certificate, too
        on(name, "systemctl restart mesh-proxy")
        with patience(60, lambda name=name: f"{name} is not ready") as wait:  # type: ignore[misc]
            ready = "curl -s -o /dev/null -w '%{http_code}' http://127.0.0.1:15021/healthz/ready"
            while on(name, f"{ready} || true") != "200":
                wait()
    on("payments-db-1", "systemctl reload mesh-bridge")
    machine.execute(LAB, CONTROL, "systemctl", "restart", "istiod")
    for name in (*sidecars, "payments-db-1"):
        on(name, "systemctl restart mesh-node-exporter")
    on("monitor-1", "systemctl reload-or-restart mesh-prometheus")
    time.sleep(STALE)  # what is late comes now
    if bad := told():
        raise SystemExit(f"drill: a healthy day, and yet {bad}")
    return {"seconds": round(time.time() - start, 1), "alarms": 0}


def dead_man() -> dict[str, Any]:
    """The alerting chain is cut: what somebody outside waits for stays away, and comes back."""

    def beats(since: float) -> int:
        lines = on("outsider-1", f"grep MeshWatchdog {KEPT} || true").splitlines()
        return sum(1 for line in lines if json.loads(line)["seconds"] >= since)

    results = {}
    for unit in ("mesh-alertmanager", "mesh-proxy"):
        start = time.time()
        with patience(60, lambda: "no beat of the dead-man's switch") as wait:
            while not beats(start):
                wait()
        on("monitor-1", f"systemctl stop {unit}")
        cut = time.time()
        time.sleep(8)
        late = beats(cut + 2)
        on("monitor-1", f"systemctl start {unit}")
        back = time.time()
        with patience(60, lambda unit=unit: f"no beat after {unit} was back") as wait:  # type: ignore[misc]
            while not beats(back):
                wait()
        if late:
            raise SystemExit(f"drill: {late} beats while {unit} was stopped")
        results[unit] = {"silent_seconds": 8, "back_after": round(time.time() - back, 1)}
    return results


def main() -> None:
    """The whole drill."""
    os.environ.setdefault("ANSIBLE_NOCOLOR", "1")
    result: dict[str, Any] = {"healthy_day": healthy_day(), "alarms": []}
    everything = os.environ.get("DRILL") == "all"
    for faults, besides in WAVES if everything else WAVES[:1]:
        result["alarms"] += wave(faults, besides)
    if everything:
        result["dead_man"] = dead_man()
    text = json.dumps(result, indent=2) + "\n"
    Path(sys.argv[2]).parent.mkdir(parents=True, exist_ok=True)
    Path(sys.argv[2]).write_text(text)
    for one in result["alarms"]:
        off = one["called_off_after"]
        print(f"{one['alarm']:24} told after {one['told_after']:5} s (bound {one['bound']:5.1f} s)"
              + ("" if off is None else f", called off after {off} s"))  # fmt: skip


if __name__ == "__main__":
    try:
        main()
    except LabError as error:
        sys.exit(f"drill: {error}")
