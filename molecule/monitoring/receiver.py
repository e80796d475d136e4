"""A webhook receiver: keeps a line of each alarm that Alertmanager tells it."""

import http.server
import json
import pathlib

KEPT = pathlib.Path("/var/tmp/alarms")


class Receiver(http.server.BaseHTTPRequestHandler):
    """Takes what is posted."""

    def do_POST(self) -> None:
        """Keep status, receiver, severity and text."""
        told = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with KEPT.open("a") as kept:
            for alarm in told["alerts"]:
                severity, text = alarm["labels"]["severity"], alarm["annotations"]["summary"]
                kept.write(f"{alarm['status']} {self.path} {severity} {text}\n")
        self.send_response(200)
        self.end_headers()


http.server.ThreadingHTTPServer(("", 9000), Receiver).serve_forever()
