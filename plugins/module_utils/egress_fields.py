# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""The table of what users write in ``mesh.egress`` (see ``fields``)."""

from __future__ import annotations

from ansible_collections.brownfield.mesh.plugins.module_utils.egress import (
    Egress,
    EgressGateway,
    ExternalService,
    Origination,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.field_types import (
    Choice,
    Text,
    Whole,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.forms import (
    DNS_NAME,
    IPV4,
    LABEL,
    LABEL_KEY,
    OPTIONAL_DNS_NAME,
    OPTIONAL_IPV4,
    OPTIONAL_QUALIFIED,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.record_types import (
    Field,
    ListOf,
    Record,
    TextMap,
)

_PORT = Whole(1, 65535)

_GATEWAY = Record(
    EgressGateway,
    (
        Field("service", Text(LABEL), "Name of its Service."),
        Field("namespace", Text(LABEL), "Namespace of its Service and its proxies."),
        Field(
            "address",
            Text(OPTIONAL_IPV4),
            "The address at which bridges reach it. Empty: the Service's.",
        ),
        Field("port", _PORT, "The port of the Service at which the mesh reaches it."),
        Field("labels", TextMap(Text(LABEL_KEY), Text(OPTIONAL_QUALIFIED)), "Its proxies' labels."),
        Field(
            "service_account",
            Text(OPTIONAL_DNS_NAME),
            "Its proxies' service account, by which bridges believe it. Empty: named as the"
            " Service.",
        ),
    ),
)

_TLS = Record(
    Origination,
    (
        Field("mode", Choice(("none", "simple", "mutual")), "What the gateway adds."),
        Field(
            "credential_name",
            Text(OPTIONAL_DNS_NAME),
            "The Secret in the gateway's namespace with the server's authority, and with the"
            " client's certificate and key (mutual). Empty (simple): the system's authorities.",
        ),
        Field("sni", Text(OPTIONAL_DNS_NAME), "The name it asks for. Empty: the host."),
    ),
)

_SERVICE = Record(
    ExternalService,
    (
        Field("host", Text(DNS_NAME), "The name by which workloads call it.", required=True),
        Field("port", _PORT, "The port at which workloads call it.", required=True),
        Field(
            "protocol",
            Choice(("http", "tls", "tcp")),
            "What workloads speak: tls is TLS of their own, such as HTTPS.",
        ),
        Field(
            "via",
            Choice(("gateway", "direct")),
            "Through the egress gateway, which judges each caller, or directly.",
        ),
        Field(
            "addresses",
            ListOf(Text(IPV4), (("",),)),
            "Where it is. None: what its name resolves to.",
        ),
        Field("target_port", Whole(0, 65535), "The port at which it is reached. 0: the same."),
        Field("tls", _TLS, "The TLS that the gateway adds on the way out."),
    ),
)

EGRESS = Record(
    Egress,
    (
        Field(
            "undeclared",
            Choice(("allow", "refuse")),
            "Whether calls of what is not declared fail (REGISTRY_ONLY) or are left to the mesh.",
        ),
        Field("gateway", _GATEWAY, "The egress gateway."),
        Field("services", ListOf(_SERVICE, (("host", "port"),)), "The external services."),
    ),
)
