"""Documents are kept without values that may be secret: the tenant's key of fingerprints, and what is there already."""

from __future__ import annotations

import uuid
from functools import lru_cache

from django.utils.crypto import salted_hmac

from apps.audit.services import record
from apps.connectors.masking import masked_document
from apps.connectors.secret_places import TYPES
from apps.core.context import current_tenant_id, tenant_transaction

from ..models import ResourceProperties

BATCH_DOCUMENTS = 200


@lru_cache(maxsize=1024)
def fingerprint_key(tenant_id: uuid.UUID) -> bytes:
    """The key of the tenant's fingerprints: who has not SECRET_KEY can't try words against them."""
    return salted_hmac("security", str(tenant_id), algorithm="sha256").digest()


def mask_documents() -> int:
    """Mask what earlier versions have kept in clear in the context's tenant; returns the documents changed.

    In batches, each a transaction of its own; a second time changes nothing. Not inside a transaction.
    """
    tenant_id, changed, after = current_tenant_id(), 0, ""
    key = fingerprint_key(tenant_id)
    while True:
        with tenant_transaction(tenant_id):
            rows = list(
                ResourceProperties.objects.select_for_update()
                .filter(type__in=TYPES, resource_id__gt=after)
                .order_by("resource_id")[:BATCH_DOCUMENTS]
            )
            for row in rows:
                document = masked_document(row.type, row.properties, key)
                if document is not None:
                    row.properties = document
                    row.save(update_fields=["properties"])
                    changed += 1
        if len(rows) < BATCH_DOCUMENTS:
            break
        after = rows[-1].resource_id
    with tenant_transaction(tenant_id):
        record("catalog.documents.masked", ("tenant", str(tenant_id)), {"documents": changed})
    return changed
