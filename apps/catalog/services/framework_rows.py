"""Writing a framework's rows, without its mappings: what services of both rest on."""

from __future__ import annotations

from typing import Any

from apps.audit.services import record
from apps.core.db.fields import TransactionNow

from ..framework_drafts import ControlDraft, FrameworkDraft
from ..models import Control, Framework
from .framework_files import library

SHOWN = ("title", "version", "publisher", "description")


def write_framework(draft: FrameworkDraft) -> Framework:
    """Insert a framework or bring it up to date: controls that the draft has no more are retired, those that
    policies alone had named stay. Audited with what changed. Call it inside a transaction."""
    framework, changes = _head(draft)
    added, changed, retired = _controls(framework, draft)
    if changes or added or changed or retired:
        told = {"changes": changes, "added": added, "changed": changed, "retired": retired}
        record("catalog.framework.imported", framework, {"key": draft.key, "source": draft.source, **told})
    return framework


def write_named_framework(key: str) -> Framework:
    """The framework that definitions name by `key` and that is not there: the library's, or one without controls."""
    return write_framework(
        library().get(key) or FrameworkDraft(key=key, title=key, controls=(), source="file")
    )


def _head(draft: FrameworkDraft) -> tuple[Framework, dict[str, Any]]:
    framework = Framework.objects.select_for_update().filter(key=draft.key).first()
    if framework is None:
        framework = Framework(
            key=draft.key,
            source=draft.source,
            retention_years=draft.retention_years or 1,
            **{name: getattr(draft, name) for name in SHOWN},
        )
        framework.save(force_insert=True)
        return framework, {"created": True}
    changes: dict[str, Any] = {
        name: getattr(draft, name) for name in SHOWN if getattr(framework, name) != getattr(draft, name)
    }
    if framework.retired_at is not None:
        changes["retired_at"] = None
    if draft.source != framework.source:
        changes["source"] = draft.source
    if changes:
        Framework.objects.filter(pk=framework.pk).update(**changes)
        framework.refresh_from_db()
    return framework, changes


def _controls(framework: Framework, draft: FrameworkDraft) -> tuple[list[str], list[str], list[str]]:
    known = {control.code: control for control in Control.objects.filter(framework=framework)}
    added: list[str] = []
    changed: list[str] = []
    for position, part in enumerate(draft.controls):
        control = known.get(part.code)
        values = _values(part, position, known)
        if control is None:
            known[part.code] = Control.objects.create(framework=framework, code=part.code, **values)
            added.append(part.code)
        elif any(getattr(control, name) != value for name, value in values.items()):
            if any(getattr(control, name) != value for name, value in values.items() if name != "position"):
                changed.append(part.code)
            Control.objects.filter(pk=control.pk).update(**values)
    kept = {part.code for part in draft.controls}
    # Named by policies alone: below a control, without a place in any draft.
    gone = [c for c in known.values() if c.code not in kept and c.retired_at is None and c.position >= 0]
    Control.objects.filter(pk__in=[c.pk for c in gone]).update(retired_at=TransactionNow())
    return added, changed, sorted(c.code for c in gone)


def _values(part: ControlDraft, position: int, known: dict[str, Control]) -> dict[str, Any]:
    return {
        "label": part.label,
        "title": part.title,
        "description": part.description,
        "is_group": part.is_group,
        "parent_id": known[part.parent].pk if part.parent else None,
        "position": position,
        "retired_at": None,
    }
