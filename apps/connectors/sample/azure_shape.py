"""What every Azure row has in common: the ARM resource around its inner properties."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from apps.connectors.sample.dice import Dice, Owner, Row

Builder = Callable[[Dice, Owner], Row]

DIRECTORY = "0d1e2f30-4a5b-4c6d-8e7f-901234567890"
_TAGS = ("environment", "owner", "costCenter", "application")


def group_id(owner: Owner) -> str:
    """The ARM id of the resource group that the owner's resources lie in."""
    return f"/subscriptions/{owner.account}/resourceGroups/rg-{owner.stem}"


def arm_row(
    dice: Dice,
    owner: Owner,
    type_: str,
    name: str,
    properties: dict[str, Any],
    *,
    parent: str | None = None,
    envelope: dict[str, Any] | None = None,
) -> Row:
    """A row whose document is a whole ARM resource; `envelope` holds sku, kind, identity and the like.

    `parent` is the id of the resource that a child (`servers/databases`) belongs to.
    """
    namespace, *kinds = type_.split("/")
    native_id = (
        f"{parent}/{kinds[-1]}/{name}"
        if parent
        else f"{group_id(owner)}/providers/{namespace}/{kinds[0]}/{name}"
    )
    tags = dice.tags(owner, _TAGS)
    return {
        "id": native_id,
        "provider": "azure",
        "account": owner.account,
        "type": type_,
        "name": name,
        "location": owner.region,
        "tags": tags,
        "subscriptionId": owner.account,
        "resourceGroup": f"rg-{owner.stem}",
        **(envelope or {}),
        "properties": {**properties, "provisioningState": "Succeeded"},
    }
