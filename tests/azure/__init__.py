"""A stand-in for Azure's resource manager, for tests. It is no Azure.

It speaks enough of the resource manager's protocol over HTTPS for the real azurerm provider and the
real Azure SDKs: discovery, tokens, a store of resources with PUT, GET, PATCH, DELETE and lists in
pages, asynchronous operations, and for the types that this collection uses the properties that
Azure itself adds, hides or refuses (written from Azure's REST reference and from what the provider
reads). It checks no permissions, no quotas, no names and no types that it does not know. What
passes here has not been seen to pass in Azure.

    with StandIn(folder) as azure:
        run(["terraform", "apply"], env={**os.environ, **azure.environment()})
        azure.fault("PUT", r"/virtualMachines/", throttled(seconds=1))
        assert azure.count("PUT", r"/virtualMachines/") == 3
"""

from tests.azure.faults import (
    Fault,
    conflict,
    credential_expired,
    cut,
    failed,
    forbidden,
    malformed,
    never_ends,
    secret_expired,
    server_error,
    throttled,
    truncated,
)
from tests.azure.fleet import add_fleet, add_scale_set
from tests.azure.server import CLIENT, StandIn
from tests.azure.store import Store

__all__ = [
    "CLIENT",
    "Fault",
    "StandIn",
    "Store",
    "add_fleet",
    "add_scale_set",
    "conflict",
    "credential_expired",
    "cut",
    "failed",
    "forbidden",
    "malformed",
    "never_ends",
    "secret_expired",
    "server_error",
    "throttled",
    "truncated",
]
