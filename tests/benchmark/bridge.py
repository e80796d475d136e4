# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""What a pair of bridges adds to a call, beside other pairs that do mutual TLS: python -m
tests.benchmark.bridge. Prints JSON.

One connection asks and waits for the answer, over and over, by each way in turn, so that what the
machine does besides meets them all alike. Milliseconds of a call; processor milliseconds and
megabytes of the two proxies together. All on loopback.
"""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import re
import socket
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.brownfield.mesh.plugins.module_utils import identity
from ansible_collections.brownfield.mesh.plugins.module_utils.bridge.state import CERTIFICATE

from lab import debian, tools
from tests.benchmark.measure import BenchmarkError, load
from tests.support.bridge import Pair, issue, pem
from tests.support.envoys import CALLED, CALLER, Proxy, free_port, two, until

ROUNDS = 20
CALLS = 500  # of a way in a round
WARM = 500
ROTATIONS = 10
BODY = b"x" * 1024
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(BODY), BODY)
HOST = "billing.finance.svc.cluster.local"
# Debian's programs, with the libraries that this machine may not have.
PACKAGES = {
    "haproxy": (
        "haproxy", "liblua5.3-0", "libopentracing-c-wrapper0", "libopentracing1",
    ),
    "stunnel": ("stunnel4", "libwrap0"),
}  # fmt: skip


@dataclass(frozen=True)
class Way:
    """How a call gets to the application, and the processes that it passes."""

    name: str
    entry: tuple[str, int]
    processes: tuple[int, ...]


def benchmark() -> dict[str, Any]:
    """Both protocols. Raises BenchmarkError."""
    document: dict[str, Any] = {"load_average": load(), "unit": "ms, MB"}
    for protocol in ("tcp", "http"):
        with ExitStack() as stack:
            document[protocol] = _measure(protocol, stack)
    return document


def _measure(protocol: str, stack: ExitStack) -> dict[str, Any]:
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mesh")))
    application = stack.enter_context(_application(protocol))
    authority = issue(authority=True)
    pair = two(folder, stack, protocol=protocol, serving=application)
    for proxy, name in ((pair.client, CALLER), (pair.server, CALLED)):
        proxy.give(issue(authority, name), roots=pem(authority.certificate))
    pair.start(stack)
    files = _files(folder, authority)
    ways = [
        Way("direct", ("127.0.0.1", application), ()),
        Way("bridge", pair.entry, _pids(pair.client.process, pair.server.process)),
        _minimal(folder, files, protocol, application, stack),
        _haproxy(folder, files, protocol, application, stack),
        *([_stunnel(folder, files, application, stack)] if protocol == "tcp" else []),
    ]
    found = _compare(protocol, ways)
    return {**found, "new_certificate_seconds": _rotate(pair.server, authority)}


def _compare(protocol: str, ways: Sequence[Way]) -> dict[str, Any]:
    """Latency, processor time and memory of each way, and of ours beside the others."""
    times: dict[str, list[float]] = {way.name: [] for way in ways}
    used = dict.fromkeys(times, 0.0)
    memory: dict[str, list[float]] = {way.name: [] for way in ways}
    with ExitStack() as stack:
        callers = {way.name: stack.enter_context(_caller(protocol, way)) for way in ways}
        for number in range(ROUNDS + 1):
            for way in ways:
                before = _cpu(way.processes)
                took = [callers[way.name]() for _ in range(CALLS if number else WARM)]
                if number:  # the first warms up
                    times[way.name] += took
                    used[way.name] += _cpu(way.processes) - before
                memory[way.name].append(sum(map(_resident, way.processes)))
    result: dict[str, Any] = {}
    direct = {name: _percentile(times["direct"], name) for name in ("p50", "p90")}
    for way in ways:
        own = {name: _percentile(times[way.name], name) for name in direct}
        result[way.name] = {name: round(1000 * value, 3) for name, value in own.items()}
        if way.processes:
            first, last = memory[way.name][1], memory[way.name][-1]
            result[way.name] |= {
                **{f"added_{n}": round(1000 * (own[n] - direct[n]), 3) for n in own},
                "cpu_per_1000": round(1e6 * used[way.name] / (ROUNDS * CALLS), 1),
                "mb": round(last, 1),
                "mb_grown_percent": round(100 * (last / first - 1), 1),
            }
    result["calls_of_each"] = ROUNDS * CALLS
    result["bridge_to"] = {
        way.name: {
            key: round(result["bridge"][key] / result[way.name][key], 2)
            for key in ("p50", "p90", "cpu_per_1000", "mb")
        }
        for way in ways
        if way.processes and way.name != "bridge"
    }
    return result


def _percentile(times: Sequence[float], name: str) -> float:
    return statistics.quantiles(times, n=100)[int(name[1:]) - 1]


@contextlib.contextmanager
def _caller(protocol: str, way: Way) -> Iterator[Any]:
    """A function that makes a call over one connection and returns its seconds."""
    ask = BODY[:128]
    if protocol == "http":
        ask = b"GET / HTTP/1.1\r\nhost: %s\r\n\r\n" % HOST.encode()
    with socket.create_connection(way.entry, 20) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        def call() -> float:
            start = time.perf_counter()
            connection.sendall(ask)
            got = b""
            while not _whole(protocol, got, ask):
                block = connection.recv(8192)
                if not block:
                    raise BenchmarkError(f"{way.name} ({protocol}): the connection ended: {got!r}")
                got += block
            return time.perf_counter() - start

        yield call


def _whole(protocol: str, got: bytes, ask: bytes) -> bool:
    if protocol == "tcp":
        return len(got) >= len(ask)
    if got and not got.startswith(b"HTTP/1.1 200 "):
        raise BenchmarkError(f"another answer than 200: {got[:200]!r}")
    return got.endswith(BODY)


@contextlib.contextmanager
def _application(protocol: str) -> Iterator[int]:
    """The port of what answers, in a process of its own."""
    server = socket.create_server(("127.0.0.1", 0))
    process = multiprocessing.get_context("fork").Process(
        target=_serve, args=(server, protocol), daemon=True
    )
    process.start()
    try:
        yield int(server.getsockname()[1])
    finally:
        process.terminate()
        process.join(20)
        server.close()


def _serve(server: socket.socket, protocol: str) -> None:
    def answer(connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with connection, contextlib.suppress(OSError):
            got = b""
            while block := connection.recv(8192):
                if protocol == "tcp":
                    connection.sendall(block)
                elif (got := got + block).endswith(b"\r\n\r\n"):
                    got = b""
                    connection.sendall(ANSWER)

    while True:
        connection, _ = server.accept()
        threading.Thread(target=answer, args=[connection], daemon=True).start()


def _files(folder: Path, authority: Pair) -> dict[str, Path]:
    """Certificates with keys behind them, as HAProxy and stunnel take them, and the authority's."""
    found = {"ca": folder / "ca.pem"}
    found["ca"].write_text(pem(authority.certificate))
    for side, name in (("client", CALLER), ("server", CALLED)):
        made = issue(authority, name)
        found[side] = folder / f"{side}.pem"
        found[side].write_text(pem(made.certificate) + pem(made.key))
    return found


def _minimal(
    folder: Path, files: dict[str, Path], protocol: str, application: int, stack: ExitStack
) -> Way:
    """Two Envoys with the least by which they speak mutual TLS."""
    entry, between = free_port(), free_port()
    parts = ("certificate_chain", "private_key")
    context = {
        side: {
            "tls_certificates": [{part: {"filename": str(files[side])} for part in parts}],
            "validation_context": {"trusted_ca": {"filename": str(files["ca"])}},
        }
        for side in ("client", "server")
    }
    kind = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3."
    upstream = {
        "@type": kind + "UpstreamTlsContext", "sni": HOST, "common_tls_context": context["client"],
    }  # fmt: skip
    downstream = {
        "@type": kind + "DownstreamTlsContext",
        "require_client_certificate": True,
        "common_tls_context": context["server"],
    }
    client = _envoy(protocol, entry, between, upstream=upstream)
    server = _envoy(protocol, between, application, downstream=downstream)
    running = []
    for name, config in (("minimal-c", client), ("minimal-s", server)):
        path = folder / f"{name}.json"
        path.write_text(json.dumps(config))
        command = [str(tools.envoy()), "-c", str(path), "--disable-hot-restart"]
        running.append(_start(folder, name, [*command, "--concurrency", "1", "-l", "error"], stack))
    _until_open(entry, between)
    return Way("minimal_envoy", ("127.0.0.1", entry), _pids(*running))


def _envoy(
    protocol: str,
    port: int,
    target: int,
    downstream: dict[str, Any] | None = None,
    upstream: dict[str, Any] | None = None,
) -> dict[str, Any]:
    def socket_of(tls: dict[str, Any] | None) -> dict[str, Any]:
        named = {"name": "envoy.transport_sockets.tls", "typed_config": tls}
        return {"transport_socket": named} if tls else {}

    kind = "type.googleapis.com/envoy.extensions.filters."
    if protocol == "tcp":
        tcp = {"@type": kind + "network.tcp_proxy.v3.TcpProxy", "stat_prefix": "t", "cluster": "t"}
        filter_ = {"name": "tcp", "typed_config": tcp}
    else:
        router = {"name": "router", "typed_config": {"@type": kind + "http.router.v3.Router"}}
        routes = [{"match": {"prefix": "/"}, "route": {"cluster": "t"}}]
        http = {
            "@type": kind + "network.http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix": "t",
            "http_filters": [router],
            "route_config": {"virtual_hosts": [{"name": "t", "domains": ["*"], "routes": routes}]},
        }
        filter_ = {"name": "http", "typed_config": http}
    chain = {"filters": [filter_], **socket_of(downstream)}
    endpoint = {"endpoint": {"address": _address(target)}}
    assignment = {"cluster_name": "t", "endpoints": [{"lb_endpoints": [endpoint]}]}
    cluster = {"name": "t", "type": "STATIC", "load_assignment": assignment, **socket_of(upstream)}
    listener = {"name": "t", "address": _address(port), "filter_chains": [chain]}
    return {"static_resources": {"listeners": [listener], "clusters": [cluster]}}


def _address(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def _haproxy(
    folder: Path, files: dict[str, Path], protocol: str, application: int, stack: ExitStack
) -> Way:
    entry, between = free_port(), free_port()
    # With a server name it would look for that name in the certificate, which has a SPIFFE ID only.
    tls = "ca-file %s verify required" % files["ca"]
    running = []
    for side, bind, target in (
        ("server", f"{between} ssl crt {files['server']} {tls}", f"{application}"),
        ("client", f"{entry}", f"{between} ssl crt {files['client']} {tls}"),
    ):
        path = folder / f"haproxy-{side}.cfg"
        path.write_text(
            "global\n  nbthread 1\n"
            f"defaults\n  mode {protocol}\n"
            "  timeout connect 5s\n  timeout client 60s\n  timeout server 60s\n"
            f"listen t\n  bind 127.0.0.1:{bind}\n  server a 127.0.0.1:{target}\n"
        )
        command = ["usr/sbin/haproxy", "-db", "-f", str(path)]
        running.append(_start_packaged("haproxy", folder, f"haproxy-{side}", command, stack))
    _until_open(entry, between)
    return Way("haproxy", ("127.0.0.1", entry), _pids(*running))


def _stunnel(folder: Path, files: dict[str, Path], application: int, stack: ExitStack) -> Way:
    entry, between = free_port(), free_port()
    running = []
    for side, accept, connect in (("server", between, application), ("client", entry, between)):
        path = folder / f"stunnel-{side}.conf"
        path.write_text(
            "foreground = yes\npid =\nsyslog = no\ndebug = err\n"
            f"[t]\nclient = {'yes' if side == 'client' else 'no'}\n"
            f"accept = 127.0.0.1:{accept}\nconnect = 127.0.0.1:{connect}\n"
            "socket = l:TCP_NODELAY=1\nsocket = r:TCP_NODELAY=1\n"
            f"cert = {files[side]}\nCAfile = {files['ca']}\nverifyChain = yes\n"
        )
        command = ["usr/bin/stunnel4", str(path)]
        running.append(_start_packaged("stunnel", folder, f"stunnel-{side}", command, stack))
    _until_open(entry, between)
    return Way("stunnel", ("127.0.0.1", entry), _pids(*running))


def _start_packaged(
    name: str, folder: Path, log: str, command: Sequence[str], stack: ExitStack
) -> subprocess.Popen[bytes]:
    roots = [debian.unpacked(package) for package in PACKAGES[name]]
    libraries = [
        str(p) for root in roots for top in ("usr/lib", "lib") for p in root.glob(top + "/*")
    ]
    environment = {**os.environ, "LD_LIBRARY_PATH": ":".join(libraries)}
    return _start(folder, log, [str(roots[0] / command[0]), *command[1:]], stack, environment)


def _start(
    folder: Path,
    name: str,
    command: Sequence[str],
    stack: ExitStack,
    environment: dict[str, str] | None = None,
) -> subprocess.Popen[bytes]:
    log = stack.enter_context((folder / f"{name}.log").open("wb"))
    process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
    stack.callback(process.wait, 20)
    stack.callback(process.kill)
    time.sleep(0.5)
    if process.poll() is not None:
        words = (folder / f"{name}.log").read_text()[-1500:]
        raise BenchmarkError(f"{name} does not start:\n{words}")
    return process


def _until_open(*ports: int) -> None:
    def opened(port: int) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return True
        return False

    for port in ports:
        until(lambda port=port: opened(port), f"port {port}")  # type: ignore[misc]


def _pids(*processes: subprocess.Popen[bytes] | None) -> tuple[int, ...]:
    return tuple(process.pid for process in processes if process)


def _cpu(processes: Sequence[int]) -> float:
    total = 0
    for pid in processes:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        total += int(fields[11]) + int(fields[12])
    return total / os.sysconf("SC_CLK_TCK")


def _resident(pid: int) -> float:
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    return int(found.group(1)) / 1024 if found else 0.0


def _rotate(proxy: Proxy, authority: Pair) -> dict[str, float]:
    """From the moment that the files are there until Envoy has them in use."""
    took = []
    for _ in range(ROTATIONS):
        proxy.give(issue(authority, CALLED))
        start = time.perf_counter()
        serial = identity.serial(str(proxy.box.path(CERTIFICATE)))
        until(lambda serial=serial: serial in proxy.ask("/certs"), "another certificate")  # type: ignore[misc]
        took.append(time.perf_counter() - start)
    return {"median": round(statistics.median(took), 3), "longest": round(max(took), 3)}


if __name__ == "__main__":
    print(json.dumps(benchmark(), indent=2))
