"""How a cloud account is reached: which account, and where its credentials are to be found, never what they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

# describe: calls to each service, in depth. config: AWS Config's aggregator. explorer: describe, and Resource
# Explorer for whatever else there is.
DESCRIBE, CONFIG, EXPLORER = "describe", "config", "explorer"
LISTINGS = (DESCRIBE, CONFIG, EXPLORER)
CREDENTIAL_KINDS = ("environment", "file", "assume_role", "workload_identity")


@dataclass(frozen=True)
class CredentialReference:
    """Where a connector finds credentials. `values` are names and addresses, never secrets.

    environment: `prefix` of the variables; file: `path`; assume_role: `role_arn`, with `external_id` that is
    ours to choose; workload_identity: what the cloud's SDK asks for by name.
    """

    kind: str
    values: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class AccountAccess:
    """A cloud account as connectors see it.

    `account` is the cloud's own id (AWS account, Azure subscription, GCP project, IBM account); `endpoint_url`
    is the platform's alone to set (an emulator, a private endpoint); `regions` empty means the SDK's default.
    `listing` says by which service AWS is listed: see LISTINGS.
    """

    provider: str
    account: str
    credential: CredentialReference
    regions: tuple[str, ...] = ()
    endpoint_url: str | None = None
    listing: str = DESCRIBE
