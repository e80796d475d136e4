# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""How the texts of an inventory must look: names, addresses, ranges, URLs, digests."""

from __future__ import annotations

import ipaddress
import re

from ansible_collections.brownfield.mesh.plugins.module_utils.field_types import Form
from ansible_collections.brownfield.mesh.plugins.module_utils.spec import seconds

# The prefixes of port names that Istio knows (istio.io, "Protocol Selection"), but for udp.
PROTOCOLS = (
    "http", "http2", "https", "grpc", "grpc-web", "tcp", "tls", "mongo", "mysql", "redis",
)  # fmt: skip

YEAR_SECONDS = 365 * 86400

_OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_IPV4 = r"%s(?:\.%s){3}" % (_OCTET, _OCTET)
_LABEL = "[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?"
_NAME = r"%s(?:\.%s)*" % (_LABEL, _LABEL)
_QUALIFIED = "[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"


def _as_label(text: str) -> str:
    return re.sub("[^a-z0-9]+", "-", text.lower()).strip("-")[:63]


def _bad_address(text: str) -> str:
    if ":" in text and not re.search(r"[^0-9a-fA-F:.%/\[\]a-z]", text):
        return "'%s' is an IPv6 address, which this collection does not support" % text
    if not re.fullmatch(_IPV4, text):
        return ""
    first = int(text.split(".")[0])
    if first in (0, 127) or first >= 224:
        return "%s is no address at which others reach a machine" % text
    return ""


def _bad_ipv6(text: str) -> str:
    if not re.fullmatch(OPTIONAL_IPV6.pattern, text) or not text:
        return ""
    try:
        address = ipaddress.IPv6Address(text)
    except ValueError:
        return "'%s' is no IPv6 address" % text
    local = address.is_loopback or address.is_link_local or address.is_unspecified
    if local or address.is_multicast:
        return "%s is no address at which others reach a machine" % text
    return ""


def _bad_cidr(text: str) -> str:
    if ":" in text:
        return _bad_address(text)
    if not re.fullmatch(CIDR.pattern, text):
        return ""
    network = _network(text)
    return "" if network == text else "%s has bits beyond its prefix" % text


def _network(text: str) -> str:
    """``10.1.2.3/8`` as ``10.0.0.0/8``; an address alone gets ``/32``."""
    address, _, prefix = text.partition("/")
    if not re.fullmatch(_IPV4, address) or not re.fullmatch("|[0-9]|[12][0-9]|3[0-2]", prefix):
        return ""
    size = int(prefix or 32)
    bits = int.from_bytes(bytes(int(octet) for octet in address.split(".")), "big")
    bits = bits >> (32 - size) << (32 - size)
    return "%s/%d" % (".".join(str(octet) for octet in bits.to_bytes(4, "big")), size)


def _bad_url(text: str) -> str:
    if re.match("https?://[^/]*@", text) or re.match("https?://[^#]*[?]", text):
        # The value is not repeated: it may hold a password.
        return "has credentials or a query in it, which would show in logs"
    return ""


def _bad_label_key(text: str) -> str:
    domain, slash, _ = text.partition("/")
    if text == "app" or (slash and (domain == "istio.io" or domain.endswith(".istio.io"))):
        return "is a label that this collection and Istio set themselves"
    return ""


def _bad_port_name(text: str) -> str:
    if text == "udp" or text.startswith("udp-"):
        return "is UDP, which Istio does not carry"
    return ""


def _bad_token_path(text: str) -> str:
    if re.match("/(?:home|root|tmp|var/tmp|run/user)/", text):
        return "is in a folder that the renewal's sandbox hides"
    return ""


def _bad_duration(text: str) -> str:
    if re.fullmatch("[1-9][0-9]{0,7}[smh]", text) and not 60 <= seconds(text) <= YEAR_SECONDS:
        return "%s is less than a minute or more than a year" % text
    return ""


_LABEL_FIX = (
    "write at most 63 lower-case letters, digits and '-', with a letter or digit at both ends"
)

LABEL = Form(_LABEL, "DNS-1123 label", _LABEL_FIX, 63, correct=_as_label)
SERVICE_NAME = Form(
    "[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?",
    "DNS-1123 label that begins with a letter",
    _LABEL_FIX,
    63,
    correct=_as_label,
)
DNS_NAME = Form(
    _NAME,
    "DNS-1123 name",
    "write DNS-1123 labels (lower-case letters, digits and '-') with '.' between them",
    correct=lambda text: text.lower().rstrip("."),
)
OPTIONAL_DNS_NAME = Form("(?:%s)?" % _NAME, DNS_NAME.what, DNS_NAME.fix)
SUBJECT_ALT_NAME = Form(
    "(?:spiffe://[a-z0-9][-a-z0-9_./]*[a-z0-9]|%s)?" % _NAME,
    "SPIFFE ID or DNS name",
    "write the name in the certificate, such as gateway.example.com or spiffe://...",
    2048,
)
PORT_NAME = Form(
    "(?:%s)(?:-[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)?" % "|".join(PROTOCOLS),
    "port name that begins with a protocol",
    "begin it with one of %s, as in tcp-postgres" % ", ".join(PROTOCOLS),
    63,
    objection=_bad_port_name,
    correct=lambda text: "" if _bad_port_name(text) else "tcp-%s" % _as_label(text),
)
IPV4 = Form(
    _IPV4, "IPv4 address", "write an IPv4 address, such as 10.20.0.4", 64, objection=_bad_address
)
OPTIONAL_IPV6 = Form(
    "(?:[0-9a-fA-F:]{2,39})?",
    "IPv6 address",
    "write an IPv6 address by which others reach it, such as fd00:20::4",
    39,
    objection=_bad_ipv6,
)
OPTIONAL_IPV4 = Form("(?:%s)?" % _IPV4, IPV4.what, IPV4.fix, 64, objection=_bad_address)
HOST_OR_IPV4 = Form(
    _NAME,
    "DNS name or IPv4 address",
    "write a DNS name or an IPv4 address",
    objection=_bad_address,
)
CIDR = Form(
    r"%s/(?:[0-9]|[12][0-9]|3[0-2])" % _IPV4,
    "IPv4 range",
    "write an IPv4 range, such as 10.0.0.0/8",
    64,
    objection=_bad_cidr,
    correct=_network,
)
URL = Form(
    r"https?://[^\s/@?#]+(?:/[^\s?#]*)?",
    "http or https address",
    "write http:// or https://, host and path, without user, password, '?' and '#'",
    2048,
    objection=_bad_url,
)
OPTIONAL_PROXY = Form(
    r"(?:https?://[^\s/@?#]+/?)?",
    "address of a proxy",
    "write http://HOST:PORT, without user and password",
    2048,
    objection=_bad_url,
)
VAULT_ADDRESS = Form(
    r"https://[A-Za-z0-9](?:[-A-Za-z0-9.]*[A-Za-z0-9])?(?::[0-9]{1,5})?",
    "address of Vault",
    "write https://HOST:PORT, without a path",
    objection=_bad_url,
)
URI = Form(
    r"[a-z][-a-z0-9+.]*://[!-~]+",
    "URI",
    "write a URI, such as https://management.azure.com/",
    2048,
    objection=_bad_url,
)
OPTIONAL_UUID = Form(
    "(?:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})?",
    "UUID",
    "write it as the Azure portal shows it, in lower-case letters",
    36,
    correct=lambda text: text.lower().strip(),
)
MOUNT = Form(
    "[A-Za-z0-9_][-A-Za-z0-9_.]*(?:/[A-Za-z0-9_][-A-Za-z0-9_.]*)*",
    "path of a mount",
    "write the path as `vault secrets list` or `vault auth list` shows it, without '/' at the end",
    correct=lambda text: text.strip("/"),
)
OPTIONAL_MOUNT = Form("(?:%s)?" % MOUNT.pattern, MOUNT.what, MOUNT.fix, correct=MOUNT.correct)
VAULT_ROLE = Form(
    "[A-Za-z0-9_](?:[-A-Za-z0-9_.]*[A-Za-z0-9_])?",
    "name of a role",
    "write letters, digits, '-', '_' and '.'",
)
KIND = Form(
    "[A-Z][A-Za-z0-9]*",
    "kind of Kubernetes objects",
    "write the kind as objects do, such as ClusterIssuer",
    63,
)
# A sandboxed unit reads it, which sees neither homes nor temporary files.
TOKEN_PATH = Form(
    r"(?:/[^\x00\s]+)?",
    "absolute path",
    "write the absolute path of a file on the machine",
    4096,
    objection=_bad_token_path,
)
DURATION = Form(
    "[1-9][0-9]{0,7}[smh]",
    "duration",
    "write a number with s, m or h behind it, such as 24h",
    9,
    objection=_bad_duration,
)
PATH = Form(r"[^\x00]*", "path", "write a path", 4096)
REQUIRED_PATH = Form(r"[^\x00]+", "path", "write a path", 4096)
SHA256 = Form(
    "[0-9a-f]{64}",
    "SHA-256 digest",
    "write the 64 hexadecimal digits (0-9, a-f) that sha256sum prints",
    256,
    correct=lambda text: text.lower().strip().split(":")[-1],
)
TRUST_DOMAIN = Form(
    r"[a-z0-9](?:[-a-z0-9_.]*[a-z0-9])?",
    "SPIFFE trust domain",
    "write lower-case letters, digits, '-', '_' and '.'",
    correct=lambda text: text.lower(),
)
OPTIONAL_QUALIFIED = Form(
    "(?:%s)?" % _QUALIFIED,
    "label value",
    "write at most 63 letters, digits, '-', '_' and '.', with a letter or digit at both ends",
    63,
)
LABEL_KEY = Form(
    "(?:%s/)?%s" % (_NAME, _QUALIFIED),
    "label key",
    "write a key of your own, such as tier or example.com/tier",
    317,
    objection=_bad_label_key,
)
ANNOTATION_KEY = Form(
    LABEL_KEY.pattern, "annotation key", "write a key, such as example.com/owner", 317
)
ANNOTATION_VALUE = Form(r"[^\x00]*", "annotation", "write text without NUL characters", 65536)
LOCALITY = Form(
    r"(?:[A-Za-z0-9][-A-Za-z0-9_.]*(?:/[A-Za-z0-9][-A-Za-z0-9_.]*){0,2})?",
    "locality",
    "write REGION, REGION/ZONE or REGION/ZONE/SUBZONE",
)
HTTP_PATH = Form(
    r"/[!-~]*", "path of a URL", "write a path that begins with '/', such as /healthz", 2048
)
CONTEXT = Form(r"[^\x00-\x1f]*", "context", "write the name of a context of the kubeconfig")
