"""Where the object store is, from the settings."""

from __future__ import annotations

from dataclasses import dataclass, field

from django.conf import settings


@dataclass(frozen=True)
class StoreOptions:
    """settings.EVIDENCE. Without an endpoint it is AWS; without keys boto3 finds its own (an instance's role).

    `bucket` has object lock and versions; `staging_bucket` has neither. `public_endpoint` is the address that
    browsers see, where it is another.
    """

    endpoint: str | None
    public_endpoint: str | None
    bucket: str
    staging_bucket: str
    access_key: str | None
    secret_key: str | None = field(repr=False)
    region: str


def options() -> StoreOptions:
    return StoreOptions(**settings.EVIDENCE)  # type: ignore[misc]  # settings read the environment
