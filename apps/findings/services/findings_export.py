"""Violations written to a file, all that the filters let through, in flat memory."""

from __future__ import annotations

from typing import TextIO

from django.http import QueryDict

from apps.core.context import current_tenant_id, tenant_transaction
from apps.core.errors import InvalidInput
from apps.core.exports import Export
from apps.core.pagination import Keyset
from apps.core.recording import record

from ..filters import ViolationFilter
from ..ocsf import OCSF_LINES, with_documents
from ..queries import violation_records


def export_findings(*, file: TextIO, filters: QueryDict) -> int:
    """Write the violations as OCSF, a line each, and return how many. Audited. Raises InvalidInput naming a filter
    that there is not, or its value. Not inside a transaction."""
    told = {name: list(values) for name, values in filters.lists()}
    with tenant_transaction(current_tenant_id()):
        filterset = ViolationFilter(filters, queryset=with_documents(violation_records()))
        unknown = sorted(set(filters) - set(filterset.base_filters))
        if unknown:
            raise InvalidInput(f"There is no filter {unknown[0]!r}.", field="filter")
        if not filterset.is_valid():
            name, errors = next(iter(filterset.errors.items()))
            raise InvalidInput(f"{name}: {' '.join(errors)}", field="filter")
        rows = filterset.qs
        record("findings.violations.exported", None, {"format": "ocsf", "filters": told})
    keyset = Keyset("-severity_rank", "-last_seen", "-id")
    export = Export("findings.violations", rows, keyset, (), told, lambda _: None)
    written = 0
    for batch in export.batches():
        file.writelines(OCSF_LINES.lines(batch))
        written += len(batch)
    with tenant_transaction(current_tenant_id()):
        record("findings.violations.export_finished", None, {"rows": written, "filters": told})
    return written
