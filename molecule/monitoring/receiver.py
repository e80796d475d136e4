"""A webhook receiver: keeps a line of each alarm that Alertmanager tells it.

While /var/tmp/deaf is there, it refuses what is meant for `payments`.
"""

import http.server
import json
import pathlib
import time

KEPT = pathlib.Path("/var/tmp/alarms")
DEAF = pathlib.Path("/var/tmp/deaf")


class Receiver(http.server.BaseHTTPRequestHandler):
    """Takes what is posted."""

    def do_POST(self) -> None:
        """Keep when which alarm was told to whom, and its words."""
        told = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        receiver = self.path.strip("/").partition("-")[0]
        deaf = DEAF.exists() and receiver == "payments"
        with KEPT.open("a") as kept:
            for alarm in [] if deaf else told["alerts"]:
                line = {
                    "seconds": time.time(),
                    "receiver": receiver,
                    "alarm": alarm["labels"]["alertname"],
                    "machine": alarm["labels"].get("machine", ""),
                    "firing": alarm["status"] == "firing",
                    "fingerprint": alarm["fingerprint"],
                    "text": alarm["labels"]["severity"] + " " + alarm["annotations"]["summary"],
                }
                kept.write(json.dumps(line) + "\n")
        self.send_response(503 if deaf else 200)
        self.end_headers()


http.server.ThreadingHTTPServer(("", 9000), Receiver).serve_forever()
