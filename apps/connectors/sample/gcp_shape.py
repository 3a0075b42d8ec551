"""What every Google Cloud row has in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from apps.connectors.sample.dice import Dice, Owner, Row

Builder = Callable[[Dice, Owner], Row]

_LABELS = ("environment", "owner", "cost_center", "application")


def labels(dice: Dice, owner: Owner) -> dict[str, str]:
    """Labels: lower-case values without an at sign, as the service allows."""
    tags = dice.tags(owner, _LABELS)
    return {key: value.split("@")[0].strip("!").lower() for key, value in tags.items()}


def row(owner: Owner, type_: str, path: str, place: str, document: dict[str, Any]) -> Row:
    """A row of the plain inventory format; Cloud SQL keeps its labels in its settings."""
    settings = document.get("settings", {})
    return {
        "id": f"projects/{owner.account}/{path}",
        "provider": "gcp",
        "account": owner.account,
        "type": type_,
        "name": document.get("displayName") or document["name"].rsplit("/", 1)[-1],
        "location": place,
        "tags": document.get("labels", settings.get("userLabels", {})),
        "properties": document,
    }
