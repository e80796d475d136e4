# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Traffic from this machine: tries cases as an application would, and says what came of them.

Judging is not done here (see ``evidence``), except that a case which does not look as expected is
tried again within ``settle`` seconds: configuration may still be on its way.
"""

from __future__ import annotations

import errno
import http.client
import queue
import re
import socket
import struct
import threading
import time
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Callable

from ansible_collections.brownfield.mesh.plugins.module_utils.evidence import Probed, fits
from ansible_collections.brownfield.mesh.plugins.module_utils.reachability import Case

CLUSTERS_URL = "http://127.0.0.1:15000/clusters"
USER_AGENT = "brownfield.mesh-probe"
WORKERS = 8  # cases under way at a time: a probe is no load test
PAUSE = 0.5  # seconds between two attempts of one case
MUTE = 2.0  # seconds after which a service that hears bytes and says nothing counts as open

# PostgreSQL, "SSL Session Encryption": length 8, request code 80877103; answered by S or N.
_POSTGRES_SSL_REQUEST = struct.pack("!II", 8, 80877103)
_RESET_REASON = re.compile(r"reset reason: ([^,]+)(?:, transport failure reason: (.*))?")

Attempt = Callable[[Case, float], Probed]


def probe(
    cases: Sequence[Case],
    timeout: float = 5.0,
    settle: float = 20.0,
    attempt: Attempt | None = None,
) -> list[Probed]:
    """Try all ``cases``, a few at a time; the results have the order of ``cases``.

    One attempt takes ``timeout`` seconds at most. A case that does not look as expected is tried
    again until ``settle`` seconds after the start. Whatever happens, this returns: a case that
    hangs (a resolver that does not answer) is reported as a time-out.
    """
    attempt = attempt or try_case
    start = time.monotonic()
    waiting: queue.SimpleQueue[Case] = queue.SimpleQueue()
    done: dict[str, Probed] = {}
    for case in cases:
        waiting.put(case)

    def work() -> None:
        while True:
            try:
                case = waiting.get_nowait()
            except queue.Empty:
                return
            done[case.id] = _settled(case, timeout, start + settle, attempt)

    workers = [threading.Thread(target=work, daemon=True) for _ in range(min(WORKERS, len(cases)))]
    rounds = -(-len(cases) // WORKERS)
    end = start + settle + (rounds + 1) * 2 * timeout
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(max(0.0, end - time.monotonic()))
    hung = Probed("", "error", "timeout", "the attempt did not end")
    return [done.get(case.id) or replace(hung, id=case.id) for case in cases]


def _settled(case: Case, timeout: float, until: float, attempt: Attempt) -> Probed:
    attempts = 0
    while True:
        attempts += 1
        began = time.monotonic()
        seen = attempt(case, timeout)
        now = time.monotonic()
        seen = replace(seen, attempts=attempts, seconds=round(now - began, 4))
        if fits(case, seen) or now + PAUSE >= until:
            return seen
        time.sleep(PAUSE)


def try_case(case: Case, timeout: float) -> Probed:
    """One attempt. Never raises for what the network does."""
    seen = _try_case(case, timeout)
    if case.via == "name" and seen.how in ("reset", "closed") and not _has_endpoint(case):
        # The proxy of this machine hung up itself: that says nothing of the target's policy.
        return Probed(case.id, "error", "failure", "this machine's proxy knows no healthy endpoint")
    return seen


def _has_endpoint(case: Case) -> bool:
    """Whether the proxy of this machine has somewhere healthy to go for the case's name and port.

    From Envoy's list of clusters; true when there is no such list to ask.
    """
    start = "outbound|%d||%s::" % (case.port, case.host)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(CLUSTERS_URL, timeout=2) as answer:
            lines = answer.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return True
    return any(
        line.startswith(start) and line.endswith("::health_flags::healthy") for line in lines
    )


def _try_case(case: Case, timeout: float) -> Probed:
    try:
        with _connect(case, timeout) as connection:
            if case.protocol == "http":
                return _http(case, connection)
            return _bytes(case, connection)
    except socket.gaierror as error:
        return Probed(case.id, "error", "dns_failure", "%s: %s" % (case.host, error.strerror))
    except OSError as error:
        return _failure(case, error)


def _connect(case: Case, timeout: float) -> socket.socket:
    name = case.host if case.via == "name" else case.address
    return socket.create_connection((name, case.port), timeout)


def _failure(case: Case, error: OSError) -> Probed:
    if isinstance(error, socket.timeout):
        return Probed(case.id, "error", "timeout")
    if isinstance(error, http.client.RemoteDisconnected):
        return Probed(case.id, "refused", "closed")
    if isinstance(error, (ConnectionResetError, BrokenPipeError, ConnectionAbortedError)):
        return Probed(case.id, "refused", "reset")
    if isinstance(error, ConnectionRefusedError):
        return Probed(case.id, "refused", "refused")
    if error.errno in (errno.EHOSTUNREACH, errno.ENETUNREACH):
        return Probed(case.id, "error", "unreachable")
    return Probed(case.id, "error", "failure", error.strerror or str(error))


def _bytes(case: Case, connection: socket.socket) -> Probed:
    """Send first bytes (a policy for TCP decides on them) and see whether anything comes back."""
    postgres = case.protocol == "postgres"
    if not postgres:
        connection.settimeout(min(MUTE, connection.gettimeout() or MUTE))
    connection.sendall(_POSTGRES_SSL_REQUEST if postgres else b"\r\n\r\n")
    try:
        answer = connection.recv(1)
    except socket.timeout:
        if postgres:
            raise
        return Probed(case.id, "allowed", "open")
    if not answer:
        return Probed(case.id, "refused", "closed")
    if not postgres:
        return Probed(case.id, "allowed", "answered")
    known = {b"S": "postgres_tls", b"N": "postgres_plain", b"E": "postgres_error"}
    return Probed(case.id, "allowed", known.get(answer, "answered"))


def _http(case: Case, connection: socket.socket) -> Probed:
    client = http.client.HTTPConnection(case.host or case.address, case.port)
    client.sock = connection
    try:
        client.request("GET", "/", headers={"User-Agent": USER_AGENT, "Connection": "close"})
        response = client.getresponse()
        body = response.read(4096).decode("utf-8", "replace")
    except http.client.RemoteDisconnected:
        raise
    except http.client.HTTPException as error:
        # Bytes came that are no HTTP: the path is open, whatever answers.
        return Probed(case.id, "allowed", "not_http", type(error).__name__)
    headers = {name.lower(): value for name, value in response.getheaders()}
    return classify_http(case.id, response.status, headers, body)


def classify_http(case_id: str, status: int, headers: Mapping[str, str], body: str) -> Probed:
    """What an HTTP answer says. Envoy's own answers are told by their bodies; the 502 of Istio's
    REGISTRY_ONLY by having none, and no ``x-envoy-upstream-service-time`` (which Envoy adds when
    something upstream has answered)."""
    how = "http_%d" % status
    if status == 403 and body.strip() == "RBAC: access denied":
        return Probed(case_id, "refused", how + "_rbac")
    if status == 503:
        found = _RESET_REASON.search(body)
        reason, cause = (found.group(1), found.group(2) or "") if found else ("", "")
        if "refused" in cause.lower():
            return Probed(case_id, "refused", how + "_refused")
        if reason in ("connection termination", "remote reset") or "reset" in cause.lower():
            return Probed(case_id, "refused", how + "_reset")
    if status == 502 and not body and "x-envoy-upstream-service-time" not in headers:
        return Probed(case_id, "refused", how + "_no_route")
    if status in (502, 503, 504):
        return Probed(case_id, "error", how, body.strip()[:120])
    return Probed(case_id, "allowed", how)
