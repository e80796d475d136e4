"""The lab's command as the stack calls it, with a witness: witness.py FOLDER LAB_ARGUMENTS...

Before it does what it is told, it writes down which addresses the mesh knows at that moment. When
FOLDER holds a file `harm` with a signal's name, it sends that to Terraform, once: a machine that is
to be made is not there then, one that is to be removed is gone.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path.cwd()))  # where the stack calls it: the checkout

from lab.config import load
from lab.kubernetes import Api

folder, arguments = Path(sys.argv[1]), sys.argv[2:]
name, verb = arguments[arguments.index("--name") + 1], arguments[arguments.index("machine") + 1]
entries = Api(load(name)).call("GET", "/apis/networking.istio.io/v1/workloadentries")["items"]
seen = {
    "verb": verb,
    "machine": arguments[-1],
    "registered": sorted(entry["spec"]["address"] for entry in entries),
}
with (folder / "seen.jsonl").open("a") as file:
    file.write(json.dumps(seen) + "\n")

command = [sys.executable, "-m", "lab", *arguments]
harm = folder / "harm"
if not harm.exists():
    sys.exit(subprocess.run(command, check=False).returncode)
sent = signal.Signals[harm.read_text().strip()]
harm.unlink()
if verb == "remove":
    subprocess.run(command, check=True)
os.kill(os.getppid(), sent)
time.sleep(5)
