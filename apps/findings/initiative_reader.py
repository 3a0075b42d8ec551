"""The control groups of Azure initiatives, as frameworks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from apps.catalog.framework_drafts import (
    LIMIT_TEXT,
    LIMIT_TITLE,
    ControlDraft,
    FrameworkDraft,
    control_code,
    framework_key,
)
from apps.rules.azure.initiatives import Group, Initiative, is_initiative, read_initiative
from apps.rules.errors import PolicyError


def initiative_frameworks(document: Any) -> Iterator[FrameworkDraft]:
    """One for each initiative with groups in a loaded file: a set, a list of sets, or a set inside a resource."""
    for part in document if isinstance(document, list) else [document]:
        if not is_initiative(part):
            continue
        try:
            initiative = read_initiative(part)
        except PolicyError:
            continue  # refused with its reason where it is imported as policies
        controls = _controls(initiative)
        if controls:
            title = initiative.title or initiative.name or "Initiative"
            yield FrameworkDraft(
                key=framework_key(initiative.name or title),
                title=title[:LIMIT_TITLE],
                description=initiative.description[:LIMIT_TEXT],
                controls=tuple(controls),
                source="initiative",
            )


def _controls(initiative: Initiative) -> list[ControlDraft]:
    """The groups, below a group for each category; groups that members name and nobody declares come last."""
    declared = {group.name: group for group in initiative.groups if group.name}
    named = {name for reference in initiative.references for name in reference.controls}
    groups = [*declared.values(), *(Group(name) for name in sorted(named - declared.keys()))]
    controls: list[ControlDraft] = []
    codes: set[str] = set()
    for category in dict.fromkeys(group.category for group in groups):
        parent = ""
        if category:
            parent = _unused(control_code(f"category-{category}"), codes)
            controls.append(ControlDraft(parent, category[:LIMIT_TITLE], is_group=True))
        controls += [
            ControlDraft(
                code=_unused(control_code(group.name), codes),
                label=group.name[:LIMIT_TITLE],
                title=group.title[:LIMIT_TITLE],
                description=group.description[:LIMIT_TEXT],
                parent=parent,
            )
            for group in groups
            if group.category == category
        ]
    return controls


def _unused(code: str, codes: set[str]) -> str:
    """`code`, or with a number where two names give the same."""
    number, free = 1, code
    while free in codes:
        number += 1
        free = f"{code[:75]}-{number}"
    codes.add(free)
    return free
