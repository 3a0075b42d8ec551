"""The tenant's rules of approval: changed by admins, checked field by field, audited with both states."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import transaction

from apps.audit.services import record
from apps.catalog.models import SEVERITIES
from apps.core.db.fields import TransactionNow
from apps.core.errors import InvalidInput

from ..models import MOST_TARGETS, OVER_LIMIT, ActionRule
from ..ports import find_executor
from ..rules import SAFE

NUMBERS = ("approvals", "risky_approvals", "severe_approvals", "many_approvals", "production_approvals")
TEXTS = ("environment_tags", "production_values")
FIELDS = tuple(name for name in SAFE if name != "kind")


def set_rule(*, kind: str, values: Mapping[str, Any]) -> ActionRule:
    """Make or change the rule of a kind ("" for every kind without one of its own). Raises InvalidInput by field."""
    if kind and find_executor(kind) is None:
        raise InvalidInput(f"There is no kind of action {kind!r}.", field="kind")
    unknown = sorted(set(values) - set(FIELDS))
    if unknown:
        raise InvalidInput(f"A rule has no {unknown[0]}.", field=unknown[0])
    with transaction.atomic():
        rule = ActionRule.objects.select_for_update().filter(kind=kind).first()
        before = facts_of(rule) if rule is not None else None
        rule = rule or ActionRule(**{**SAFE, "kind": kind})
        for name, value in values.items():
            setattr(rule, name, value)
        _check(rule)
        rule.updated_at = TransactionNow()
        rule.save(force_insert=before is None)
        rule.refresh_from_db()
        record("actions.rule.set", rule, {"kind": kind, "before": before, "after": facts_of(rule)})
    return rule


def facts_of(rule: ActionRule) -> dict[str, Any]:
    return {name: getattr(rule, name) for name in FIELDS}


def _check(rule: ActionRule) -> None:
    for name in NUMBERS:
        if not _is_number(getattr(rule, name), 0, 2):
            raise InvalidInput("This is 0, 1 or 2 people.", field=name)
    if not _is_number(rule.many_from, 1, MOST_TARGETS):
        raise InvalidInput(f"This is a number from 1 to {MOST_TARGETS}.", field="many_from")
    if not _is_number(rule.blast_limit, 1, MOST_TARGETS):
        raise InvalidInput(f"This is a number from 1 to {MOST_TARGETS}.", field="blast_limit")
    if rule.over_limit not in OVER_LIMIT:
        raise InvalidInput(f"This is one of {', '.join(OVER_LIMIT)}.", field="over_limit")
    if rule.severe_from not in ("", *SEVERITIES):
        raise InvalidInput(f"This is one of {', '.join(SEVERITIES)}, or empty.", field="severe_from")
    for name in TEXTS:
        _check_texts(name, getattr(rule, name))


def _is_number(value: Any, least: int, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def _check_texts(name: str, texts: Sequence[str]) -> None:
    if len(texts) > 50 or any(not text.strip() or len(text) > 200 for text in texts):
        raise InvalidInput("At most 50 words of at most 200 characters each, none empty.", field=name)
