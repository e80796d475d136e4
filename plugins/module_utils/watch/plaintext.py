# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""A question that must be refused: does a port answer in plain that only the proxy guards?

When a machine's capture is gone, nothing that is asked through its proxy answers any more, so it
cannot tell. But its agent, which listens on every address, then answers anybody. Each question has
a connection of its own: one that is older than the rules goes around them.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from ansible_collections.brownfield.mesh.plugins.module_utils.watch.state import PLAINTEXT_PORT

# A thousand machines in a few seconds, and no more than these at once.
AT_ONCE = 32
SECONDS = 2.0
_QUESTION = b"GET /healthz/ready HTTP/1.0\r\n\r\n"


def answers(address: str, port: int) -> bool:
    """Whether a plain HTTP answer comes from there."""
    try:
        with socket.create_connection((address, port), timeout=SECONDS) as connection:
            connection.sendall(_QUESTION)
            return connection.recv(5) == b"HTTP/"
    except OSError:
        return False


def ask(targets: str, answers: Callable[[str, int], bool] = answers) -> dict[str, bool]:
    """Which machines of the targets' file (file_sd) answer in plain, by name."""
    asked = [
        (group["labels"]["machine"], group["targets"][0], int(group["labels"][PLAINTEXT_PORT]))
        for group in json.loads(targets)
        if PLAINTEXT_PORT in group["labels"]
    ]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = pool.map(lambda one: answers(one[1], one[2]), asked)
        return {name: open_ for (name, _address, _port), open_ in zip(asked, found)}
