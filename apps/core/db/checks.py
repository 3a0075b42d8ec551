"""Check constraints in the specification's form: a column of text and a list of values."""

from collections.abc import Sequence

from django.db import models


def one_of(column: str, values: Sequence[str], name: str) -> models.CheckConstraint:
    """`check (column in (…))`; PostgreSQL enums are avoided, their `=` is not leakproof under RLS."""
    return models.CheckConstraint(condition=models.Q(**{f"{column}__in": list(values)}), name=name)
