# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""The tables of what users write in ``mesh.bridge`` (see ``fields``)."""

from __future__ import annotations

from ansible_collections.brownfield.mesh.plugins.module_utils.field_types import (
    Choice,
    Text,
    Whole,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.forms import (
    LABEL,
    LABEL_KEY,
    OPTIONAL_DNS_NAME,
    OPTIONAL_IPV4,
    OPTIONAL_QUALIFIED,
    REQUIRED_PATH,
    SUBJECT_ALT_NAME,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.record_types import (
    Field,
    ListOf,
    Record,
    TextMap,
)
from ansible_collections.brownfield.mesh.plugins.module_utils.spec import (
    IngressGateway,
    Revocation,
)

REVOCATION = Record(
    Revocation,
    (
        Field(
            "lists",
            ListOf(Text(REQUIRED_PATH), (("",),)),
            "PEM files on the controller: certificate revocation lists, each with the certificate"
            " of its authority where that is not a root of the mesh.",
        ),
        Field(
            "interval_seconds",
            Whole(5, 3600),
            "How often a machine fetches the lists of its PKI in Vault (provider vault).",
        ),
        Field(
            "when_stale",
            Choice(("refuse", "ignore")),
            "When a list is over, whether peers of its authority are refused, or no list is looked"
            " at.",
        ),
        Field(
            "peers",
            Choice(("bridges", "all")),
            "Who is looked for in the lists: peers that the inventory has as bridges, or all, for"
            " which every authority of the mesh must have a list.",
        ),
    ),
)

INGRESS_GATEWAY = Record(
    IngressGateway,
    (
        Field("service", Text(LABEL), "Name of its Service."),
        Field("namespace", Text(LABEL), "Namespace of its Service and its proxies."),
        Field(
            "address",
            Text(OPTIONAL_IPV4),
            "The address at which machines reach it. Empty: the Service's.",
        ),
        Field("port", Whole(1, 65535), "The port of the Service at which machines reach it."),
        Field("labels", TextMap(Text(LABEL_KEY), Text(OPTIONAL_QUALIFIED)), "Its proxies' labels."),
        Field(
            "service_account",
            Text(OPTIONAL_DNS_NAME),
            "Its proxies' service account. Empty: named as the Service.",
        ),
        Field(
            "credential_name",
            Text(OPTIONAL_DNS_NAME),
            "The Secret in its namespace with its certificate and key. Empty: those that istiod"
            " gives it.",
        ),
        Field(
            "subject_alt_name",
            Text(SUBJECT_ALT_NAME),
            "The name in its certificate that machines ask for. Empty: its SPIFFE ID.",
        ),
    ),
)
