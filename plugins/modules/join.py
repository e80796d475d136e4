#!/usr/bin/python
# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
# GNU General Public License v3.0+ compatible (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible module ``brownfield.mesh.join``; the work is done by ``module_utils``."""

from __future__ import annotations

DOCUMENTATION = r"""
module: join
short_description: Join a machine to the mesh
version_added: 0.1.0
description:
  - In mode C(sidecar), installs pilot-agent and Envoy, writes the agent's files and units, obtains
    the machine's identity, waits until the proxy is ready, and sends the machine's traffic through
    it. Capture goes on under a guard that takes it off again unless a fresh connection works with
    it.
  - In mode C(bridge), installs Envoy, brings the machine's certificate, has Envoy validate its
    configuration before it replaces another, starts or hot-restarts it, and closes the
    application's ports to the network.
  - One remote call when there is nothing to do, at most three otherwise. A token or a certificate
    is requested only when the machine has no valid identity.
author:
  - brownfield.mesh authors (!UNKNOWN)
options:
  machine:
    description: The machine, as M(brownfield.mesh.plan) returns it.
    type: dict
  workload:
    description: The workload that the machine runs, as M(brownfield.mesh.plan) returns it.
    type: dict
  cluster:
    description: The cluster's facts, as M(brownfield.mesh.plan) returns them.
    type: dict
  monitoring:
    description:
      - The identities that may read the machine's figures, as M(brownfield.mesh.plan) returns them.
        In mode C(bridge) it is this machine that lets them in.
    type: list
    elements: dict
    default: []
  mode:
    description: How the machine joins. Set by the action plugin.
    type: str
    choices: [sidecar, bridge]
    default: sidecar
  state:
    description: The desired state that the action plugin renders. Not for users.
    type: dict
  token:
    description: The token that the action plugin supplies. Not for users.
    type: str
  certificate:
    description: The certificate that the action plugin supplies. Not for users.
    type: str
  key:
    description: The certificate's key that the action plugin supplies. Not for users.
    type: str
  role_id:
    description: The AppRole's identifier that the action plugin supplies. Not for users.
    type: str
  wrapping_token:
    description: The wrapped secret of the AppRole that the action plugin supplies. Not for users.
    type: str
  pushed:
    description: Artefacts that the action plugin brought to the machine. Not for users.
    type: dict
  clock:
    description: The controller's clock in seconds since the epoch. Not for users.
    type: float
    default: 0.0
  confirm:
    description: That a fresh connection works with capture on. Not for users.
    type: bool
    default: false
attributes:
  check_mode:
    description: Compares and reports as ever, asks for no identity and changes nothing.
    support: full
  diff_mode:
    description: Shows every file that changes; secrets are never shown.
    support: full
"""

EXAMPLES = r"""
- name: Join the mesh
  brownfield.mesh.join:
    machine: "{{ mesh_plan.machines[inventory_hostname].machine }}"
    workload: "{{ mesh_plan.machines[inventory_hostname].workload }}"
    cluster: "{{ mesh_plan.cluster }}"
  become: true
"""

RETURN = r"""
mode:
  description: How the machine joined.
  returned: always
  type: str
mesh_calls:
  description: How many remote calls were made.
  returned: always
  type: int
needs:
  description: What the machine asked the controller for.
  returned: always
  type: list
  elements: str
spiffe_id:
  description: The machine's identity.
  returned: always
  type: str
not_before:
  description: When the identity begins, in seconds since the epoch.
  returned: always
  type: int
not_after:
  description: When the identity ends, in seconds since the epoch.
  returned: always
  type: int
capture:
  description: Whether capture is on, and by which kind of rules.
  returned: always
  type: dict
versions:
  description: Which C(agent) and C(envoy) run; empty while they are not ready.
  returned: always
  type: dict
checks:
  description:
    - Whether C(identity_valid), C(proxy_ready) and C(capture_on) (in mode C(bridge) in its place
      C(application_closed)) hold.
  returned: always
  type: dict
"""

from functools import partial
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.brownfield.mesh.plugins.module_utils import last_run
from ansible_collections.brownfield.mesh.plugins.module_utils.bridge import join as bridge
from ansible_collections.brownfield.mesh.plugins.module_utils.bridge.authority import Login
from ansible_collections.brownfield.mesh.plugins.module_utils.bridge.state import BridgeState
from ansible_collections.brownfield.mesh.plugins.module_utils.desired import Host, MachineError
from ansible_collections.brownfield.mesh.plugins.module_utils.sidecar.join import (
    Supply,
    confirm,
    join,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.sidecar.state import SidecarState
from ansible_collections.brownfield.mesh.plugins.module_utils.spec import from_data


def _join(given: dict[str, Any], check: bool) -> dict[str, Any]:
    host, pushed, clock = Host(), given["pushed"] or {}, given["clock"]
    if given["mode"] == "bridge":
        bridged = from_data(BridgeState, given["state"])
        login = Login(given["role_id"] or "", given["wrapping_token"] or "")
        supply = bridge.Supply(given["certificate"] or "", given["key"] or "", pushed, clock, login)
        files, more = bridged.files, [bridged.envoy.path]
        work = partial(bridge.join, host, bridged, supply, check)
    else:
        state = from_data(SidecarState, given["state"])
        files, more = state.files, []
        if given["confirm"]:
            work = partial(confirm, host, state)
        else:
            work = partial(join, host, state, Supply(given["token"] or "", pushed, clock), check)
    return work() if check else last_run.recorded(host, files, more, work)


def main() -> None:
    """Parse the arguments and do it."""
    module = AnsibleModule(
        argument_spec={
            "machine": {"type": "dict"},
            "workload": {"type": "dict"},
            "cluster": {"type": "dict"},
            "monitoring": {"type": "list", "elements": "dict", "default": []},
            "state": {"type": "dict"},
            "mode": {"type": "str", "choices": ["sidecar", "bridge"], "default": "sidecar"},
            "token": {"type": "str", "no_log": True},
            "certificate": {"type": "str"},
            "key": {"type": "str", "no_log": True},
            "role_id": {"type": "str", "no_log": True},
            "wrapping_token": {"type": "str", "no_log": True},
            "pushed": {"type": "dict"},
            "clock": {"type": "float", "default": 0.0},
            "confirm": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    if module.params["state"] is None:
        module.fail_json(msg="the action plugin brownfield.mesh.join renders `state`; call it so")
    try:
        module.exit_json(**_join(module.params, module.check_mode))
    except (MachineError, OSError) as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
