"""A service outside of the mesh.

HTTPS at 8443 for who has a certificate of its own authority, at 8444 for everybody; plain HTTP at
8081 for everybody.
"""

import http.server
import json
import ssl
import threading


class Partner(http.server.BaseHTTPRequestHandler):
    """Says which certificate the caller showed."""

    def do_GET(self):
        """Answer."""
        secure = isinstance(self.connection, ssl.SSLSocket)
        seen = (secure and self.connection.getpeercert()) or {}
        body = json.dumps({"subject": seen.get("subject"), "host": self.headers["Host"]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def secure(port, certificate):
    """A server that speaks TLS and demands a certificate, or not."""
    server = http.server.ThreadingHTTPServer(("", port), Partner)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile="ca.crt")
    context.verify_mode = certificate
    context.load_cert_chain("server.crt", "server.key")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    return server


plain = http.server.ThreadingHTTPServer(("", 8081), Partner)
servers = [secure(8443, ssl.CERT_REQUIRED), secure(8444, ssl.CERT_NONE)]
for server in servers:
    threading.Thread(target=server.serve_forever, daemon=True).start()
plain.serve_forever()
