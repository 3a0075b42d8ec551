"""Frameworks: installed from the library, read from files and initiatives, kept for the years that they ask for."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import transaction
from django.db.models import Max

from apps.audit.services import record
from apps.core.errors import InvalidInput

from ..framework_drafts import FrameworkDraft
from ..models import Framework
from ..models_frameworks import RETENTION_YEARS
from .framework_files import library
from .framework_rows import write_framework
from .mappings import sync_mappings


def install_framework(*, key: str) -> Framework:
    """The starter framework `key`, brought up to date, with its mappings. Raises InvalidInput for an unknown one."""
    draft = library().get(key)
    if draft is None:
        raise InvalidInput(f"The library has no {key!r}; it has {', '.join(library())}.", field="key")
    return save_framework(draft=draft)


def save_framework(*, draft: FrameworkDraft) -> Framework:
    """Insert a framework or bring it up to date: controls that the draft has no more are retired, those that
    policies alone had named stay. Audited with what changed; mappings follow."""
    with transaction.atomic():
        framework = write_framework(draft)
        sync_mappings()
    return framework


def evidence_years(policy_ids: Iterable[str]) -> int:
    """For how many years evidence on these policies is kept: the longest class among the frameworks that they are
    mapped to, and the longest there is where they are mapped to none."""
    mapped = Framework.objects.filter(
        retired_at=None,
        controls__mappings__policy_id__in=list(policy_ids),
        controls__mappings__removed_at=None,
    )
    years: int | None = mapped.aggregate(years=Max("retention_years"))["years"]
    return years or max(RETENTION_YEARS)


def set_retention(*, framework: Framework, years: int) -> Framework:
    """The class by which evidence for this framework is kept: 1, 2 or 3 years. Audited with both values."""
    if years not in RETENTION_YEARS:
        raise InvalidInput("Evidence is kept for 1, 2 or 3 years.", field="retention_years")
    with transaction.atomic():
        before = framework.retention_years
        Framework.objects.filter(pk=framework.pk).update(retention_years=years)
        record("catalog.framework.retention_set", framework, {"before": before, "after": years})
        framework.refresh_from_db()
    return framework
