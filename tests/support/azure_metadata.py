# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""A stand-in for Azure's instance metadata service, on loopback: answers as its pages show them."""

from __future__ import annotations

import json
import threading
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from unittest import mock

from ansible_collections.brownfield.mesh.plugins.module_utils.bridge import azure

TOKEN = "/metadata/identity/oauth2/token"
COMPUTE = "/metadata/instance/compute"
MACHINE = {
    "azEnvironment": "AzurePublicCloud",
    "location": "westeurope",
    "name": "billing-1",
    "resourceGroupName": "machines",
    "subscriptionId": "8d10da13-8125-4ba9-a717-bf7490507b3d",
    "vmId": "02aab8a4-74ef-476e-8182-f6d2ba4166a6",
    "vmScaleSetName": "",
}


class Metadata:
    """Answers by path: status, and JSON data or bytes. ``asked`` are paths with their queries."""

    def __init__(self, jwt: str) -> None:
        token = {
            "access_token": jwt,
            "client_id": "5f2a1b34-0000-4000-8000-000000000001",
            "expires_in": "86399",
            "expires_on": "1795500000",
            "ext_expires_in": "86399",
            "not_before": "1795413300",
            "resource": "https://management.azure.com/",
            "token_type": "Bearer",
        }
        self.answers: dict[str, tuple[int, Any]] = {TOKEN: (200, token), COMPUTE: (200, MACHINE)}
        self.asked: list[str] = []

    def start(self, stack: ExitStack) -> None:
        """Machines turn to it until ``stack`` ends."""
        metadata = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                metadata.asked.append(self.path)
                status, content = metadata.answers[self.path.partition("?")[0]]
                if self.headers["Metadata"] != "true":  # it then says no, whatever is asked
                    status, content = 400, {"error": "Bad request. Required metadata header"}
                body = content if isinstance(content, bytes) else json.dumps(content).encode()
                self.send_response(status)
                if 300 <= status < 400:
                    self.send_header("Location", COMPUTE)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        server = stack.enter_context(ThreadingHTTPServer(("127.0.0.1", 0), Handler))
        stack.callback(server.shutdown)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        stack.enter_context(mock.patch.object(azure, "ADDRESS", "127.0.0.1"))
        stack.enter_context(mock.patch.object(azure, "PORT", server.server_port))
