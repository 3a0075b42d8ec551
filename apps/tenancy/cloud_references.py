"""Credential references: how they are written, and which of them the platform lets a tenant use."""

from __future__ import annotations

import re

from apps.core.errors import InvalidInput

from .models_clouds import CREDENTIAL_KINDS, LISTINGS, PROVIDERS

_ACCOUNTS = {
    "aws": (re.compile(r"^\d{12}$"), "an AWS account is 12 digits"),
    "azure": (
        re.compile(r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"),
        "an Azure subscription is a UUID",
    ),
    "gcp": (re.compile(r"^[a-z][a-z0-9:.-]{4,61}[a-z0-9]$"), "a Google Cloud project is its project id"),
    "ibm": (re.compile(r"^[0-9a-f]{32}$"), "an IBM Cloud account is 32 hexadecimal digits"),
}
_VALUES = {
    "environment": (re.compile(r"^[A-Z][A-Z0-9_]{0,99}$"), "a prefix of variables, such as NORTHWIND_AWS"),
    "file": (re.compile(r"^/[^\x00]{1,1000}$"), "an absolute path"),
    "assume_role": (
        re.compile(r"^arn:aws[a-z-]*:iam::(\d{12}|\*):role/[\w+=,.@/-]{1,512}$"),
        "a role's ARN",
    ),
    "workload_identity": (re.compile(r"^[\w./:@-]{1,500}$"), "a name"),
}
# Under these stand the platform's own credentials, for the evidence and staging buckets.
_OUR_OWN = ("AWS", "EVIDENCE", "DATABASE", "REDIS", "DJANGO", "GOVERNANCE_SEAL")
REGION = re.compile(r"^[a-z0-9-]{2,40}$")


def clean_provider(provider: str) -> str:
    if provider not in PROVIDERS:
        raise InvalidInput(f"provider must be one of {', '.join(PROVIDERS)}.", field="provider")
    return provider


def clean_account(provider: str, account: str) -> str:
    """The cloud's own id in its usual writing. Raises InvalidInput naming the field."""
    account = account.strip().lower()
    pattern, words = _ACCOUNTS[clean_provider(provider)]
    if not pattern.match(account):
        raise InvalidInput(f"{account!r}: {words}.", field="account")
    return account


def clean_listing(provider: str, listing: str) -> str:
    """How the account is listed; only AWS has a choice. Raises InvalidInput naming the field."""
    if listing not in LISTINGS:
        raise InvalidInput(f"listing must be one of {', '.join(LISTINGS)}.", field="listing")
    if provider != "aws" and listing != LISTINGS[0]:
        raise InvalidInput(f"{provider} is listed in one way only.", field="listing")
    return listing


def clean_regions(regions: list[str]) -> list[str]:
    cleaned = sorted({region.strip().lower() for region in regions if region.strip()})
    for region in cleaned:
        if not REGION.match(region):
            raise InvalidInput(f"{region!r} is no region's name.", field="regions")
    return cleaned


def split_reference(reference: str, *, pattern: bool = False) -> tuple[str, str]:
    """(kind, what follows it) of `KIND:VALUE`; `*` as a role's account only in a `pattern`.

    Raises InvalidInput, which does not repeat what follows: somebody may have pasted a secret.
    """
    kind, colon, value = reference.strip().partition(":")
    if kind not in CREDENTIAL_KINDS or not colon:
        raise InvalidInput(
            f"A credential is a reference: {', '.join(f'{k}:…' for k in CREDENTIAL_KINDS)}; never a secret.",
            field="credential",
        )
    form, words = _VALUES[kind]
    if not form.match(value) or ("*" in value and not pattern):
        raise InvalidInput(f"After {kind}: comes {words}.", field="credential")
    if kind == "environment" and any(value == own or value.startswith(f"{own}_") for own in _OUR_OWN):
        raise InvalidInput(
            "Variables under this prefix are the platform's own: choose another prefix.", field="credential"
        )
    if kind == "file" and ".." in value.split("/"):
        raise InvalidInput("The path has a .. in it.", field="credential")
    return kind, value


def reference_matches(pattern: str, value: str) -> bool:
    """Equal, but for a `*` in place of a role's account number."""
    if "::*:role/" not in pattern:
        return pattern == value
    head, _, tail = pattern.partition("*")
    middle = value[len(head) : len(value) - len(tail)]
    return value.startswith(head) and value.endswith(tail) and len(middle) == 12 and middle.isdigit()
