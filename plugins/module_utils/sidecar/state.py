# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""What the controller tells a machine in mode ``sidecar``: pure data, without secrets."""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.brownfield.mesh.plugins.module_utils.desired import DesiredState
from ansible_collections.brownfield.mesh.plugins.module_utils.spec import Artifact

USER = "istio-proxy"
CONFIG = "/etc/mesh-proxy"
STATE = "/var/lib/mesh-proxy"
RUNTIME = "/run/mesh-proxy"
UNITS = "/etc/systemd/system"
PROXY_UNIT = "mesh-proxy.service"
CAPTURE_UNIT = "mesh-capture.service"
# What the agent writes: certificates, Envoy's bootstrap and sockets.
WRITABLE = (
    STATE + "/etc/certs",
    STATE + "/etc/istio/proxy",
    STATE + "/var/run/secrets/workload-spiffe-uds",
)
TOKEN = RUNTIME + "/istio-token"
CERTIFICATES = STATE + "/etc/certs"
CERTIFICATE = CERTIFICATES + "/cert-chain.pem"
CAPTURE_ENV = CONFIG + "/capture.env"
CAPTURE_APPLIED = "/run/mesh-capture/applied"
# Capture comes with the proxy, at boot too: what only a confirmed capture may do.
CAPTURE_ENABLED = "%s/%s.wants/%s" % (UNITS, PROXY_UNIT, CAPTURE_UNIT)
# Istio's own unit: stopping it removes the rules, so that traffic goes around the proxy.
UPSTREAM_UNIT = "istio.service"


@dataclass(frozen=True)
class SidecarState:
    """A machine's desired state.

    ``digest`` stands for everything the running proxy depends on: a proxy started with another one
    is restarted. ``capture_env`` is the environment of ``pilot-agent istio-iptables``;
    ``capture_method`` (auto, nftables, iptables) is decided on the machine. ``ssh_port`` must be
    among the excluded inbound ports. ``excluded_outbound`` are the ports and ranges that the user
    keeps from capture.
    """

    files: DesiredState
    package: str
    artifacts: tuple[Artifact, ...]
    https_proxy: str
    spiffe_id: str
    address: str
    ssh_port: int
    digest: str
    agent: str
    capture_env: str
    capture_method: str
    dns: str
    excluded_outbound: tuple[str, ...]
