# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""The reachability matrix: what must pass and what must be refused, from the allow-list alone."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Case:
    """One attempt that ``verify`` makes, and what must come of it.

    ``source`` is the inventory name of the machine (or vantage) that tries. ``target`` is the
    inventory name of the machine that is tried, or a host of the mesh (``Workload.service_host``)
    when any of its machines may answer. ``protocol`` is what is spoken: ``http``, ``tcp`` or
    ``postgres``. ``via`` is ``name`` (``host`` is resolved by libc) or ``address``.
    ``expected`` is ``allowed`` or ``refused``; ``reason`` says who must refuse: ``rbac`` (the
    target's policy), ``tls`` (the target takes mutual TLS only), ``no_route`` (the source knows
    no way) or ``closed`` (nothing listens). ``counter`` names the counter of the target's proxy
    that must rise by it (a key of ``observe``'s counters), or is empty.
    """

    id: str
    source: str
    target: str
    host: str
    address: str
    port: int
    protocol: str
    via: str
    expected: str
    reason: str = ""
    counter: str = ""
