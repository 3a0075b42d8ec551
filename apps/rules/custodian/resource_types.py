"""Which types of the inventory a Custodian resource name means.

`resource_types.json` maps a name to the lower-cased types of rows: the name itself, the type of AWS
CloudFormation, ARM or Cloud Asset Inventory, and the `kind` of Google's APIs. Facts from c7n's provider
registries (c7n 0.9.53, c7n-azure and c7n-gcp of 2026-08).
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from apps.rules.errors import InvalidPolicy, Unsupported
from apps.rules.tree import PROVIDERS

_NAME = re.compile(r"([a-z0-9]+\.)?[A-Za-z0-9_-]+")
_EVERY_TYPE = "azure.armresource"


@dataclass(frozen=True, slots=True)
class Resources:
    """What a policy's `resource` stands for. `types` is None for every type of the provider."""

    name: str
    types: frozenset[str] | None
    provider: str | None
    is_known: bool


@cache
def _table() -> dict[str, list[str]]:
    found: dict[str, list[str]] = json.loads(Path(__file__).with_name("resource_types.json").read_text())
    return found


def full_name(name: str) -> str:
    """`ec2` is `aws.ec2`: c7n's first provider needs no prefix."""
    return name if "." in name else f"aws.{name}"


def resources_of(value: object, at: str = "resource") -> Resources:
    """The types that a policy is about. Raises `InvalidPolicy` and `Unsupported`."""
    listed = value if isinstance(value, list) else [value]
    names = [name for name in listed if isinstance(name, str)]
    if not names or len(names) < len(listed):
        raise InvalidPolicy(at, "a policy names the resource it is about")
    for name in names:
        if "*" in name:
            raise Unsupported(at, "a resource name with * is not supported")
        if not _NAME.fullmatch(name):
            raise InvalidPolicy(at, f'"{name[:100]}" is no name of a resource')
    full = [full_name(name) for name in names]
    providers = {name.split(".", 1)[0] for name in full}
    if len(providers) > 1:
        raise InvalidPolicy(at, "the resources of a policy are of one provider")
    provider = providers.pop()
    types = frozenset(kind for name in full for kind in _table().get(name, [name.lower()]))
    return Resources(
        full[0] if len(full) == 1 else "",
        None if _EVERY_TYPE in full else types,
        provider if provider in PROVIDERS else None,
        all(name in _table() for name in full),
    )
