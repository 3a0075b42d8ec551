"""All checks, in the order in which they run."""

from __future__ import annotations

from apps.connectors.secret_places import PLACES

from . import identity_aws, network_aws, network_azure, network_gcp
from .base import TEXT, Check

CHECKS: tuple[Check, ...] = (
    *network_aws.CHECKS,
    *identity_aws.CHECKS,
    *network_azure.CHECKS,
    *network_gcp.CHECKS,
)

_SECRET_WORDS = {
    "user-data": (
        "user data of a machine",
        "Everybody on the machine, and whoever may describe it, can read it.",
    ),
    "environment": ("environment of a function", "Whoever may describe the function can read it."),
    "container": ("definition of a container", "Whoever may describe the container can read it."),
}


def _secret_check(provider: str, place: str) -> Check:
    where, why = _SECRET_WORDS[place]
    return Check(
        id=f"{provider}-secret-in-{place}",
        title=f"A secret stands in the {where}",
        severity="high",
        provider=provider,
        description=why,
        remediation="Keep the secret in a secret store, let the program fetch it there, and change it: it is known.",
        confidence=TEXT,
    )


# What places.py looks for in texts: (provider, place) to its check.
SECRET_CHECKS: dict[tuple[str, str], Check] = {
    (place.provider, place.kind): _secret_check(place.provider, place.kind) for place in PLACES
}
