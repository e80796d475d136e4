# Copyright (c) 2026 the brownfield.mesh authors
# SPDX-License-Identifier: Apache-2.0
"""What Terraform says went wrong, as one readable message with what to do about it. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from ansible_collections.brownfield.mesh.plugins.plugin_utils.terraform.environment import (
    missing_for_azure,
)

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_FRAME = re.compile(r"^[│╷╵] ?", re.MULTILINE)


@dataclass(frozen=True)
class Diagnostic:
    """One error or warning, and where it is (empty, and line 0, where that is unknown)."""

    severity: str
    summary: str
    detail: str = ""
    file: str = ""
    line: int = 0
    address: str = ""

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Diagnostic:
        """From Terraform's JSON. Its snippet of the source is left out: it may show a value."""
        place = data.get("range") or {}
        return cls(
            severity=str(data.get("severity", "error")),
            summary=str(data.get("summary", "")),
            detail=str(data.get("detail", "")),
            file=str(place.get("filename", "")),
            line=int((place.get("start") or {}).get("line", 0)),
            address=str(data.get("address") or ""),
        )

    def map(self, text: Callable[[str], str]) -> Diagnostic:
        """The same, with ``text`` applied to its words."""
        return replace(
            self, summary=text(self.summary), detail=text(self.detail), file=text(self.file)
        )

    def to_data(self) -> dict[str, Any]:
        """As the task returns it."""
        return asdict(self)

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        where = ", ".join(part for part in (self.address, place) if part)
        head = f"{self.summary} ({where})" if where else self.summary
        return f"{head}: {' '.join(self.detail.split())}" if self.detail else head


def of_text(text: str) -> Diagnostic:
    """From what a command without JSON wrote to its standard error."""
    plain = _FRAME.sub("", _COLOUR.sub("", text)).strip()
    # Warnings may stand before it.
    _, error, rest = plain.rpartition("Error: ")
    summary, _, detail = (rest if error else plain).partition("\n")
    return Diagnostic("error", summary.strip(), detail.strip())


def message(what: str, found: Sequence[Diagnostic], environment: Mapping[str, str]) -> str:
    """Each error on a line of its own, then each advice once."""
    errors = [item for item in found if item.severity == "error"] or list(found)
    lines = [f"{what} failed" + (":" if errors else "")]
    lines += dict.fromkeys(f"- {item}" for item in errors)
    lines += [f"What to do: {text}" for text in advice(errors, environment)]
    return "\n".join(lines)


def advice(found: Sequence[Diagnostic], environment: Mapping[str, str]) -> list[str]:
    """What to do about errors that are known, each advice once, in the order of the errors."""
    advices: dict[str, None] = {}
    for item in found:
        text = f"{item.summary}\n{item.detail}"
        for pattern, answer in _KNOWN:
            if matched := pattern.search(text):
                advices[answer if isinstance(answer, str) else answer(matched, text)] = None
                break
        else:
            if _CREDENTIALS.search(text):
                advices[_credentials(environment)] = None
    return list(advices)


def _lock(_matched: re.Match[str], text: str) -> str:
    def of(field: str) -> str:
        found = re.search(rf"^\s*{field}:[ \t]*(\S.*)$", text, re.MULTILINE)
        return found.group(1).strip() if found else "unknown"

    since = re.sub(r"\.\d+ \+0000 UTC$", " UTC", of("Created"))
    operation = of("Operation").removeprefix("OperationType").lower()
    return (
        f"the state is locked by {of('Who')} since {since} ({operation}). Wait for that run, or"
        " raise lock_timeout. Only if nobody runs there any more:"
        f" `terraform force-unlock {of('ID')}` by hand; this collection never does that"
    )


def _authorization(matched: re.Match[str], _text: str) -> str:
    return (
        f"give the identity that Terraform runs as a role with the action {matched.group(1)} on"
        f" {matched.group(2)}; a new role assignment takes some minutes to count"
    )


def _credentials(environment: Mapping[str, str]) -> str:
    missing = missing_for_azure(environment)
    if not missing:
        return (
            "the ARM_* variables are there, but Azure does not take them: check tenant, client,"
            " and that the secret or federation has not expired"
        )
    return (
        f"give Azure's credentials by environment; not set: {', '.join(missing)}"
        " (or log in with the Azure CLI)"
    )


_CREDENTIALS = re.compile(
    r"unable to build authorizer|could not configure \w+ ?\w* ?authorizer|building account"
    r"|subscription_id. is a required provider property|subscription ID could not be determined"
    r"|obtain(ing)? (a )?(access )?token|AADSTS\d+|InvalidAuthenticationToken|ExpiredAuthentication"
    r"|building AzureR[Mm] Client|could not acquire access token",
    re.IGNORECASE,
)
_Answer = str | Callable[[re.Match[str], str], str]
_KNOWN: tuple[tuple[re.Pattern[str], _Answer], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), answer)
    for pattern, answer in (
        (r"Error acquiring the state lock|state blob is already locked", _lock),
        (
            r"Saved plan is stale",
            "something was applied since this plan was made. Plan again, and have that approved",
        ),
        (
            r"plan file (was|is) .*(version|different)|Saved plan .*version",
            "apply with the same version of Terraform that planned",
        ),
        (
            r"dependency lock file|Provider dependency changes detected|does ?n.t match any of the"
            r" checksums|locked provider|read-only.*lock|lock file.*read-?only",
            "the lock file is never changed by a run: make it with `terraform providers lock"
            " -platform=linux_amd64` (each platform that runs it), and commit .terraform.lock.hcl",
        ),
        (
            r"state migration|migrating existing state",
            "a state lies in the folder itself (terraform.tfstate, terraform.tfstate.d), or was"
            " kept elsewhere before; no run moves a state. Move it by hand (`init"
            " -migrate-state`), or take those files away",
        ),
        (
            r"Unsupported (Terraform|OpenTofu) Core version|required_version",
            "install a version that the configuration allows, or name its path in `binary`",
        ),
        (
            r"Failed to query available provider packages|could not connect to registry"
            r"|Failed to install provider|failed to request discovery document"
            r"|could not query provider registry|Failed to resolve provider packages",
            "the registry or mirror did not give the provider. Is it reachable from the controller?"
            " Without the internet: a provider_installation block with a mirror, in the file that"
            " TF_CLI_CONFIG_FILE names",
        ),
        (
            r"does not have authorization to perform action '([^']+)' over scope '([^']+)'",
            _authorization,
        ),
        (
            r"AuthorizationFailed|LinkedAuthorizationFailed|StatusCode=403|status 403"
            r"|unexpected status 403|AuthorizationPermissionMismatch",
            "the identity that Terraform runs as lacks a role there (RBAC of Azure, or a firewall"
            " of the storage account that holds the state)",
        ),
        (
            r"QuotaExceeded|exceeding approved .* quota|OperationNotAllowed.*quota|quota limit",
            "ask for more quota in the subscription (Usage + quotas), or choose another size or"
            " region",
        ),
        (
            r"SkuNotAvailable|not available in location|ZonalAllocationFailed|AllocationFailed"
            r"|OverconstrainedAllocationRequest",
            "Azure has none of this size there now: choose another size, zone or region",
        ),
        (
            r"to be managed via Terraform this resource needs to be imported",
            "it exists and is not in the state: import it (an `import` block), or remove it in"
            " Azure if it is left over",
        ),
        (
            r"StatusCode=409|unexpected status 409|AnotherOperationInProgress|Conflict\b",
            "Azure works on the same object for somebody else. Run again when that has ended;"
            " what is done already is not repeated",
        ),
        (
            r"StatusCode=429|unexpected status 429|TooManyRequests|throttled",
            "Azure limits the number of calls. Run again in some minutes",
        ),
        (
            r"No value for required variable",
            "give it in `variables`, or in a file of `variable_files`",
        ),
    )
)
