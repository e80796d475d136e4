# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""A client of a bridge's inward listener that can do what a member of the mesh would not."""

from __future__ import annotations

import socket
import ssl
import tempfile
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.brownfield.mesh.plugins.plugin_utils import bridge_envoy

from tests.support.bridge import Pair
from tests.support.envoys import SECONDS, Two
from tests.support.load import echo


def context(
    pair: Pair | None = None, *above: Pair, version: ssl.TLSVersion | None = None
) -> ssl.SSLContext:
    """A client with a certificate or none, that believes anybody, and speaks ``version`` only."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname, made.verify_mode = False, ssl.CERT_NONE
    made.set_ciphers("DEFAULT@SECLEVEL=0")  # weak keys and old protocols, too
    if version is not None:
        made.minimum_version = made.maximum_version = version
    if pair is not None:
        with tempfile.TemporaryDirectory() as folder:
            made.load_cert_chain(*pair.write(Path(folder), "client", *above))
    return made


@dataclass
class Client:
    """One that calls the only port of the server of ``two``."""

    two: Two
    pair: Pair

    def __post_init__(self) -> None:
        self._context = context(self.pair)
        workload = self.two.server.workload
        port = workload.ports[0].port
        self._name = bridge_envoy.server_name(workload.service_host, port)

    def echo(self) -> None:
        """A handshake, and something said and heard. Raises OSError."""
        with (
            socket.create_connection(self.two.address, SECONDS) as plain,
            self._context.wrap_socket(plain, server_hostname=self._name) as connection,
        ):
            echo(connection)
