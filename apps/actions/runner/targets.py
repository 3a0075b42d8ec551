"""From rows to what executors take, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from apps.catalog.models import Resource
from apps.evidence.redaction import redacted

from ..executors.base import Call, Receipt, Target
from ..models import ActionTarget
from ..plans import FIXED, plain


def targets_of(rows: Sequence[ActionTarget]) -> dict[int, Target | None]:
    """Ordinal → the resource as the catalog knows it; None where it knows it no longer."""
    found = Resource.objects.select_related("document").in_bulk([row.resource_id for row in rows])
    return {row.ordinal: _target(found.get(row.resource_id)) for row in rows}


def _target(resource: Resource | None) -> Target | None:
    if resource is None:
        return None
    document = getattr(resource, "document", None)
    return Target(
        resource_id=resource.pk,
        provider=resource.provider,
        type=resource.type.lower(),
        native_id=resource.display_id,
        name=resource.name,
        account=resource.account,
        location=resource.location,
        tags=resource.tags or {},
        document=document.properties if document is not None else {},
    )


def sealed_target(planned: Mapping[str, Any], known: Target | None) -> Target:
    """The resource that the plan names; tags and document are the catalog's."""
    fixed = {name: planned[name] for name in FIXED}
    return Target(**fixed, tags=known.tags if known else {}, document=known.document if known else {})


def receipt_as_json(receipt: Receipt) -> dict[str, Any]:
    """Without secrets: it is kept in the row and in evidence."""
    kept: dict[str, Any] = redacted(plain(asdict(receipt)))
    return kept


def receipt_of(stored: Mapping[str, Any] | None) -> Receipt:
    stored = stored or {}
    return Receipt(
        calls=tuple(Call(**call) for call in stored.get("calls") or ()), made=dict(stored.get("made") or {})
    )
