# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""Certificate revocation lists (RFC 5280, section 5), as far as one must know them to choose
between two: whose they are, their number and their time. With the standard library alone; no
signature is looked at here.
"""

from __future__ import annotations

import binascii
import calendar
import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

MAX_LISTS = 32
MAX_NAME = 100
_PEM = re.compile(r"-----BEGIN X509 CRL-----([A-Za-z0-9+/=\s]+)-----END X509 CRL-----")
_INTEGER, _OCTETS, _OID, _UTC, _TIME, _SEQUENCE, _EXTENSIONS = 2, 4, 6, 0x17, 0x18, 0x30, 0xA0
_BOOLEAN = 1
_NUMBER, _AUTHORITY_KEY = b"\x55\x1d\x14", b"\x55\x1d\x23"  # 2.5.29.20 and 2.5.29.35


class ListError(Exception):
    """What is no list that could be used, in words for its reader."""


@dataclass(frozen=True)
class RevocationList:
    """One list. ``name`` is its authority's, for a person; ``authority`` is name and key identifier
    as they are encoded. ``number`` is -1 where there is none; times are in seconds since the epoch,
    ``ends`` being its next update."""

    pem: str
    name: str
    authority: bytes
    number: int
    begins: int
    ends: int

    @property
    def age(self) -> tuple[int, int]:
        """What grows from one list of an authority to its next."""
        return self.number, self.begins

    @property
    def shown(self) -> str:
        """It, in words for a person."""
        number = "" if self.number < 0 else "%d " % self.number
        return "the list %sof %s (%s)" % (number, self.name, utc(self.begins))


def read(text: str) -> tuple[RevocationList, ...]:
    """The lists in a text, in PEM form; what stands between them is passed by. Raises ListError."""
    found = list(_PEM.finditer(text))
    if len(found) != text.count("-----BEGIN X509 CRL") or len(found) > MAX_LISTS:
        raise ListError("is no list in PEM form, or more than %d" % MAX_LISTS)
    return tuple(_read(match.group(0) + "\n", match.group(1)) for match in found)


def newest(lists: Iterable[RevocationList]) -> list[RevocationList]:
    """Of each authority its newest list, in the order in which they came first."""
    found: dict[bytes, RevocationList] = {}
    for one in lists:
        known = found.get(one.authority)
        if known is None or one.age > known.age:
            found[one.authority] = one
    return list(found.values())


def set_back(
    before: Iterable[RevocationList], after: Iterable[RevocationList]
) -> list[tuple[RevocationList, RevocationList]]:
    """The authorities' newest lists that would be replaced by older ones: each with its
    replacement."""
    known = {one.authority: one for one in newest(before)}
    return [
        (known[one.authority], one)
        for one in newest(after)
        if one.authority in known and one.age < known[one.authority].age
    ]


def utc(seconds: float) -> str:
    """A time for a person."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def _read(pem: str, content: str) -> RevocationList:
    try:
        return _parse(pem, binascii.a2b_base64(content))
    except (ValueError, IndexError):  # binascii's errors are ValueErrors
        raise ListError("is no list in PEM form") from None


def _parse(pem: str, der: bytes) -> RevocationList:
    (outer,) = _items(der, _SEQUENCE)
    signed, _, _ = _items(outer[1])
    fields = _items(signed[1])
    if fields[0][0] == _INTEGER:  # the version
        fields = fields[1:]
    _, issuer, begins, *rest = fields
    if not rest or rest[0][0] not in (_UTC, _TIME):
        raise ListError("does not say until when it counts (nextUpdate)")
    ends, number, key = rest[0], -1, b""
    for tag, content in rest[1:]:
        if tag == _EXTENSIONS:
            number, key = _extensions(content)
    name, authority = _name(issuer[1]), issuer[1] + key
    return RevocationList(pem, name, authority, number, _seconds(begins), _seconds(ends))


def _name(content: bytes) -> str:
    """The values of a distinguished name, one after another."""
    values = [
        _items(attribute)[1][1].decode("utf-8", "replace")
        for _, part in _items(content)
        for _, attribute in _items(part, _SEQUENCE)
    ]
    text = "".join(c for c in ", ".join(values) if c.isprintable())
    return text[:MAX_NAME] or "an authority without a name"


def _extensions(content: bytes) -> tuple[int, bytes]:
    number, key = -1, b""
    (sequence,) = _items(content, _SEQUENCE)
    for _, extension in _items(sequence[1], _SEQUENCE):
        (tag, kind), *rest = _items(extension)
        if tag != _OID:
            raise ValueError("no extension")
        if rest[0][0] == _BOOLEAN and any(rest[0][1]):
            # Such as that it is a part or a change only, which Envoy would not take.
            raise ListError("is not a whole list of one authority (it has a critical extension)")
        (value,) = (item for tag, item in rest if tag == _OCTETS)
        if kind == _NUMBER:
            ((_, digits),) = _items(value, _INTEGER)
            number = int.from_bytes(digits, "big")
        elif kind == _AUTHORITY_KEY:
            key = value
    return number, key


def _seconds(item: tuple[int, bytes]) -> int:
    tag, content = item
    if tag not in (_UTC, _TIME):
        raise ValueError("no time")
    text = content.decode("ascii")
    return calendar.timegm(time.strptime(text, "%y%m%d%H%M%SZ" if tag == _UTC else "%Y%m%d%H%M%SZ"))


def _items(der: bytes, only: int = 0) -> list[tuple[int, bytes]]:
    """The values one after another in ``der`` with their tags, which may have to be ``only``.
    Raises ValueError."""
    return list(_each(der, only))


def _each(der: bytes, only: int) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(der):
        tag, length = der[at], der[at + 1]
        at += 2
        if length & 0x80:
            size = length & 0x7F
            if not 0 < size <= 4:
                raise ValueError("no length")
            length = int.from_bytes(der[at : at + size], "big")
            at += size
        if at + length > len(der) or (only and tag != only):
            raise ValueError("no such value")
        yield tag, der[at : at + length]
        at += length
