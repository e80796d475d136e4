"""Faults: what goes wrong with which requests, and how often."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import Enum

from tests.azure.store import Document


class Kind(Enum):
    """Where in a request's life the fault strikes."""

    REFUSE = "refuse"  # instead of an answer; the store is untouched
    OPERATION = "operation"  # the request is taken, and its operation ends as ``body`` says
    STUCK = "stuck"  # the request is taken, and its operation never ends
    CUT = "cut"  # the request is carried out, and the answer's connection closes half way
    TRUNCATED = "truncated"  # the answer ends half way through its JSON, with an honest length
    MALFORMED = "malformed"  # the answer is a web page with status 200


@dataclass(frozen=True)
class Answer:
    """What a fault does. Made by the functions below."""

    kind: Kind
    status: int = 200
    body: Document = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Fault:
    """An answer for the requests that match, after ``skip`` of them, ``times`` times."""

    method: str
    pattern: re.Pattern[str]  # searched for in path and query, without regard to case
    answer: Answer
    times: int = 1
    skip: int = 0
    struck: int = 0

    def strikes(self, method: str, target: str) -> bool:
        """Whether this request is hit; counts it."""
        if self.method != method or not self.pattern.search(target):
            return False
        if self.skip:
            self.skip -= 1
            return False
        if self.struck >= self.times:
            return False
        self.struck += 1
        return True


def refuse(status: int, code: str, message: str, **headers: str) -> Answer:
    """A refusal with Azure's error body."""
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(Kind.REFUSE, status, {"error": {"code": code, "message": message}}, names)


def throttled(seconds: int = 1) -> Answer:
    """Too many requests, with Retry-After."""
    return refuse(
        429,
        "TooManyRequests",
        "The request is being throttled as the limit has been reached for operation type "
        "- Write_ObservationWindow_00:01:00. For more information, see "
        "https://aka.ms/srpthrottlinglimits",
        Retry_After=str(seconds),
    )


def conflict() -> Answer:
    """Another operation holds the resource."""
    return refuse(
        409,
        "AnotherOperationInProgress",
        "Another operation on this or dependent resource is in progress. To retrieve status of "
        "the operation use the URI in the Azure-AsyncOperation header.",
    )


def forbidden(action: str = "Microsoft.Compute/virtualMachines/write") -> Answer:
    """The client has no role that allows the action."""
    return refuse(
        403,
        "AuthorizationFailed",
        "The client '22222222-2222-4222-8222-222222222222' with object id "
        "'33333333-3333-4333-8333-333333333333' does not have authorization to perform action "
        f"'{action}' over scope '/subscriptions/…' or the scope is invalid. If access was "
        "recently granted, please refresh your credentials.",
    )


def server_error(status: int = 500) -> Answer:
    """The resource manager itself fails."""
    return refuse(status, "InternalServerError", "An internal execution error occurred.")


def credential_expired() -> Answer:
    """The bearer token is no longer good."""
    return refuse(
        401,
        "ExpiredAuthenticationToken",
        "The access token expiry UTC time is earlier than current UTC time.",
        WWW_Authenticate='Bearer error="invalid_token", error_description="The token expired"',
    )


def secret_expired() -> Answer:
    """The login service's refusal of a client secret past its end."""
    return Answer(
        Kind.REFUSE,
        401,
        {
            "error": "invalid_client",
            "error_description": "AADSTS7000222: The provided client secret keys for app "
            "'22222222-2222-4222-8222-222222222222' are expired.",
            "error_codes": [7000222],
        },
    )


def failed(
    code: str = "SkuNotAvailable",
    message: str = "The requested VM size is currently not available in location 'westeurope'.",
) -> Answer:
    """The request is accepted; its operation ends as Failed, and so does the resource."""
    return Answer(Kind.OPERATION, body={"code": code, "message": message})


def never_ends() -> Answer:
    """The request is accepted; its operation stays in progress."""
    return Answer(Kind.STUCK)


def cut() -> Answer:
    """Carried out, but the connection closes half way through the answer."""
    return Answer(Kind.CUT)


def truncated() -> Answer:
    """An answer that ends in the middle of its JSON."""
    return Answer(Kind.TRUNCATED)


def malformed() -> Answer:
    """A proxy's page in place of JSON, with status 200."""
    return Answer(Kind.MALFORMED)
