"""Posture day by day: what is known is read once, in order of time, and each day is judged as of its end."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection

from apps.catalog.models import Control, PolicyControl, PolicyState
from apps.core.context import current_tenant_id

from ..history import daily_changes, midnight
from .facts import Cell, Facts, PolicyFacts, evaluation_of
from .judging import STATES
from .standing import postures_of


@dataclass(frozen=True)
class Day:
    """A day's end: controls by state, and checks that fail or are excepted."""

    day: date
    by_state: dict[str, int]
    failing: int
    excepted: int


def trend_of(controls: Sequence[Control], first: date, last: date) -> list[Day]:
    """A point for each day from `first` to `last`, both included, for these controls together."""
    return list(_Walk(controls, last).days(first, last))


class _Walk:
    def __init__(self, controls: Sequence[Control], last: date) -> None:
        self._controls = controls
        self._end = midnight(last + timedelta(days=1))
        ids = [control.pk for control in controls]
        self._mappings = list(
            PolicyControl.objects.filter(control__in=ids, added_at__lt=self._end).values_list(
                "control_id", "policy_id", "added_at", "removed_at"
            )
        )
        self._policies = sorted({row[1] for row in self._mappings})
        self._counts: dict[str, list[int]] = {}
        self._states: dict[str, PolicyState] = {}
        self._evaluations: dict[str, Any] = {}
        self._population: dict[Cell, int] = {}

    def days(self, first: date, last: date) -> Iterator[Day]:
        changes = _Reader(daily_changes(last), key=lambda row: midnight(row[0]))
        states = _Reader(self._read_states(), key=lambda row: row.at)
        evaluations = _Reader(self._read_evaluations(), key=lambda row: row[-1])
        populations = _Reader(self._read_populations(), key=lambda row: row[0])
        day = first
        while day <= last:
            bound = midnight(day + timedelta(days=1))
            for _, policy_id, status, delta in changes.before(bound):
                if status in ("open", "suppressed"):
                    self._counts.setdefault(policy_id, [0, 0])[status == "suppressed"] += delta
            for state in states.before(bound):
                self._states[state.policy_id] = state
            for policy_id, *evaluation in evaluations.before(bound):
                self._evaluations[policy_id] = evaluation_of(tuple(evaluation))
            for _, population in populations.before(bound):
                self._population = {(p, t): n for p, types in population.items() for t, n in types.items()}
            yield self._judge(day, bound)
            day += timedelta(days=1)

    def _judge(self, day: date, bound: datetime) -> Day:
        serving: dict[UUID, list[str]] = {}
        for control_id, policy_id, added_at, removed_at in self._mappings:
            if added_at < bound and (removed_at is None or removed_at >= bound):
                serving.setdefault(control_id, []).append(policy_id)
        there = [
            c.pk for c in self._controls
            if c.created_at < bound and (c.retired_at is None or c.retired_at >= bound)
        ]  # fmt: skip
        by_state = dict.fromkeys(STATES, 0)
        failing = excepted = 0
        for posture in postures_of(there, serving, self._facts()).values():
            by_state[posture.state] += 1
            failing += posture.failing
            excepted += posture.excepted
        return Day(day, by_state, failing, excepted)

    def _facts(self) -> Facts:
        policies = {
            policy_id: PolicyFacts(state.status, state.ruled_at, self._evaluations.get(policy_id))
            for policy_id, state in self._states.items()
        }
        counts = {policy_id: (open_, excepted) for policy_id, (open_, excepted) in self._counts.items()}
        return Facts(policies, counts, self._population)

    def _read_states(self) -> Iterable[PolicyState]:
        return PolicyState.objects.filter(policy_id__in=self._policies, at__lt=self._end).order_by("at", "id")

    def _read_evaluations(self) -> list[tuple[Any, ...]]:
        """The last evaluation of each policy on each day."""
        return _fetch(
            """
            SELECT * FROM (
                SELECT DISTINCT ON (policy_id, (at AT TIME ZONE 'UTC')::date)
                       policy_id, outcome, provider, types, evaluated, undecided, at
                FROM policy_evaluations WHERE tenant_id = %s AND policy_id = ANY(%s) AND at < %s
                ORDER BY policy_id, (at AT TIME ZONE 'UTC')::date, at DESC, id DESC
            ) last ORDER BY at
            """,
            [current_tenant_id(), self._policies, self._end],
        )

    def _read_populations(self) -> list[tuple[Any, ...]]:
        """The last population of each day."""
        rows = _fetch(
            """
            SELECT * FROM (
                SELECT DISTINCT ON ((finished_at AT TIME ZONE 'UTC')::date) finished_at, population::text
                FROM scan_runs WHERE tenant_id = %s AND population <> '{}'::jsonb AND finished_at < %s
                ORDER BY (finished_at AT TIME ZONE 'UTC')::date, finished_at DESC, id DESC
            ) last ORDER BY finished_at
            """,
            [current_tenant_id(), self._end],
        )
        return [(at, _loaded(population)) for at, population in rows]


class _Reader:
    """Rows in the order of time, handed out up to a bound, once."""

    def __init__(self, rows: Iterable[Any], key: Any) -> None:
        self._rows, self._key = iter(rows), key
        self._next: Any = next(self._rows, None)

    def before(self, bound: datetime) -> Iterator[Any]:
        while self._next is not None and self._key(self._next) < bound:
            row, self._next = self._next, next(self._rows, None)
            yield row


def _fetch(sql: str, values: list[Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return list(cursor.fetchall())


def _loaded(text: str) -> dict[str, dict[str, int]]:
    loaded: dict[str, dict[str, int]] = json.loads(text)
    return loaded


def days_back(days: int, today: date | None = None) -> tuple[date, date]:
    """(first, last) of the `days` days up to today, UTC."""
    last = today or datetime.now(UTC).date()
    return last - timedelta(days=days - 1), last
