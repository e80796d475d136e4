"""The lab's HTTP workload: says who it is and what reached it."""

import http.server
import json
import socket


class Shop(http.server.BaseHTTPRequestHandler):
    """Answers every GET with the host's name, the path and the headers."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer."""
        answer = {"host": socket.gethostname(), "path": self.path, "headers": dict(self.headers)}
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """The proxy logs; the application is quiet."""


http.server.ThreadingHTTPServer(("", 8080), Shop).serve_forever()
