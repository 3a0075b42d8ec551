"""Mappings as CSV or JSON: what the list of mappings exports comes in again. Refusals name the line."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction
from django.db.models import Q

from apps.core.errors import InvalidInput

from ..framework_drafts import control_code
from ..models import Control, Policy, PolicyControl
from .mappings import map_policy, unmap_policy

COLUMNS = ("framework", "control", "policy")
MAX_ROWS = 100_000


@dataclass(frozen=True)
class MappingRefusal:
    """A row that did not land. `line` is the file's line (CSV) or the element's number (JSON), from 1."""

    line: int
    field: str
    reason: str


@dataclass
class MappingImport:
    """What an import of mappings did."""

    read: int = 0
    added: int = 0
    unchanged: int = 0
    removed: int = 0
    refusals: list[MappingRefusal] = field(default_factory=list)


def import_mappings(*, raw: bytes, replace: bool = False) -> MappingImport:
    """Add the mappings of a CSV (columns framework, control, policy; others are passed over) or JSON file (a list
    of objects with those keys).

    `policy` is its id here or the provider's. Good rows land whatever becomes of others. With `replace`, mappings
    that administrators or files have made for the frameworks named in the file and that it does not hold end; then a
    single refusal leaves everything as it was. Raises InvalidInput for a file that holds no such rows.
    """
    done = MappingImport()
    with transaction.atomic():
        named = _Named(done)
        rows = [pair for number, row in _rows(raw) if (pair := named.pair(number, row)) is not None]
        if replace and done.refusals:
            return MappingImport(read=done.read, refusals=done.refusals)
        active = set(PolicyControl.objects.filter(removed_at=None).values_list("control_id", "policy_id"))
        for control, policy in rows:
            if (control.pk, policy.pk) in active:
                done.unchanged += 1
                continue
            map_policy(control=control, policy=policy, source="file")
            active.add((control.pk, policy.pk))
            done.added += 1
        if replace:
            done.removed = _end_others({(c.pk, p.pk) for c, p in rows}, named.frameworks)
    return done


class _Named:
    """Rows' names looked up; what is not there is refused with the row's line."""

    def __init__(self, done: MappingImport) -> None:
        self._done = done
        self._policies: dict[str, Policy | None] = {}
        self.frameworks: set[str] = set()
        in_force = Control.objects.filter(retired_at=None, framework__retired_at=None)
        self._controls: dict[str, dict[str, Control]] = {}
        for control in in_force.select_related("framework"):
            self._controls.setdefault(control.framework.key, {})[control.code] = control

    def pair(self, line: int, row: Mapping[str, Any]) -> tuple[Control, Policy] | None:
        self._done.read += 1
        values = {name: row.get(name) for name in COLUMNS}
        for name, value in values.items():
            if not isinstance(value, str) or not value.strip() or "\x00" in value:
                return self._refuse(line, name, "is missing")
        framework, label, policy_id = (str(values[name]).strip().removeprefix("'") for name in COLUMNS)
        if framework not in self._controls:
            return self._refuse(line, "framework", f"there is no framework {framework[:80]!r}")
        self.frameworks.add(framework)
        of_framework = self._controls[framework]
        control = of_framework.get(label) or of_framework.get(control_code(label))
        if control is None:
            return self._refuse(line, "control", f"{framework} has no control {label[:80]!r}")
        if control.is_group:
            return self._refuse(line, "control", f"{label[:80]!r} is a group; name one of its controls")
        policy = self._policy(policy_id)
        if policy is None:
            return self._refuse(line, "policy", f"there is no policy {policy_id[:80]!r}, or more than one")
        return control, policy

    def _policy(self, name: str) -> Policy | None:
        if name not in self._policies:
            found = list(Policy.objects.filter(Q(pk=name) | Q(metadata__provider_id=name))[:2])
            self._policies[name] = found[0] if len(found) == 1 else None
        return self._policies[name]

    def _refuse(self, line: int, field: str, reason: str) -> tuple[Control, Policy] | None:
        self._done.refusals.append(MappingRefusal(line, field, reason))
        return None


def _end_others(kept: set[tuple[Any, str]], frameworks: set[str]) -> int:
    made = PolicyControl.objects.filter(
        removed_at=None, source__in=("manual", "file"), control__framework__key__in=frameworks
    ).select_related("control__framework", "policy")
    others = [mapping for mapping in made if (mapping.control_id, mapping.policy_id) not in kept]
    for mapping in others:
        unmap_policy(mapping=mapping)
    return len(others)


def _rows(raw: bytes) -> Iterator[tuple[int, Mapping[str, Any]]]:
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInput(f"The file is no UTF-8: byte {error.start}.", field="file") from error
    rows = _json_rows(text) if text.lstrip()[:1] in ("[", "{") else _csv_rows(text)
    for count, row in enumerate(rows, start=1):
        if count > MAX_ROWS:
            raise InvalidInput(f"A mapping has at most {MAX_ROWS:,} rows.", field="file")
        yield row


def _json_rows(text: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"This is no JSON: {error}", field="file") from error
    if not isinstance(document, list):
        raise InvalidInput("A mapping is a JSON list of objects.", field="file")
    for number, row in enumerate(document, start=1):
        yield number, row if isinstance(row, Mapping) else {}


def _csv_rows(text: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    reader = csv.DictReader(io.StringIO(text, newline=""))
    missing = [name for name in COLUMNS if name not in (reader.fieldnames or [])]
    if missing:
        raise InvalidInput(f"The first line lacks {', '.join(missing)}.", field="file")
    try:
        for row in reader:
            yield reader.line_num, row
    except csv.Error as error:
        raise InvalidInput(f"Line {reader.line_num}: {error}", field="file") from error
