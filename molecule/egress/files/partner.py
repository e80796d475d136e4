"""A service outside of the mesh.

HTTPS at 8443 for who has a certificate of its own authority, plain HTTP at 8081 for everybody.
"""

import http.server
import json
import ssl
import threading


class Partner(http.server.BaseHTTPRequestHandler):
    """Says which certificate the caller showed."""

    def do_GET(self):
        """Answer."""
        seen = self.connection.getpeercert() if isinstance(self.connection, ssl.SSLSocket) else {}
        body = json.dumps({"subject": seen.get("subject"), "host": self.headers["Host"]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


plain = http.server.ThreadingHTTPServer(("", 8081), Partner)
secure = http.server.ThreadingHTTPServer(("", 8443), Partner)
context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile="ca.crt")
context.verify_mode = ssl.CERT_REQUIRED
context.load_cert_chain("server.crt", "server.key")
secure.socket = context.wrap_socket(secure.socket, server_side=True)
threading.Thread(target=plain.serve_forever, daemon=True).start()
secure.serve_forever()
