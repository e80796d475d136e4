"""TLS and a password in front of a Loki, which has neither users nor passwords: door.py PORT.

The certificate is in tls.crt and tls.key, "USER:PASSWORD" in password, all in the working folder.
"""

import base64
import http.server
import pathlib
import ssl
import sys
import urllib.error
import urllib.request

LOKI = "http://127.0.0.1:3100"
BASIC = base64.b64encode(pathlib.Path("password").read_bytes().strip()).decode()


class Door(http.server.BaseHTTPRequestHandler):
    """Lets in who knows the password."""

    def do_POST(self) -> None:
        """Pass on what machines send."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers["Authorization"] != "Basic " + BASIC:
            self.answer(401, b"who are you?")
            return
        headers = {name: self.headers[name] for name in ("Content-Type", "X-Scope-OrgID")}
        request = urllib.request.Request(LOKI + self.path, body, headers)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                self.answer(answer.status, answer.read())
        except urllib.error.HTTPError as error:
            self.answer(error.code, error.read())
        except OSError:
            self.answer(502, b"Loki is away")

    def answer(self, code: int, body: bytes) -> None:
        """Whole, so that a connection could go on."""
        self.send_response(code)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("tls.crt", "tls.key")
server = http.server.ThreadingHTTPServer(("", int(sys.argv[1])), Door)
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
