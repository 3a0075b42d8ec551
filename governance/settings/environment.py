"""Reading the environment: a missing or malformed variable fails loudly with its name."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dj_database_url
from django.core.exceptions import ImproperlyConfigured

ROOT = Path(__file__).resolve().parent.parent.parent


class Environment:
    """Variables by name: the process's own, or those completed by the embedded default."""

    def __init__(self, variables: Mapping[str, str] = os.environ) -> None:
        self._variables = variables

    def text(self, name: str, default: str | None = None) -> str:
        value = self._variables.get(name) or default
        if value is None:
            raise ImproperlyConfigured(f"The environment variable {name} is not set.")
        return value

    def flag(self, name: str, default: bool) -> bool:
        value = self._variables.get(name, "").lower()
        if not value:
            return default
        if value not in ("0", "1", "true", "false"):
            raise ImproperlyConfigured(f"{name} must be 1 or 0, not {value!r}.")
        return value in ("1", "true")

    def number(self, name: str, default: int) -> int:
        value = self._variables.get(name, "")
        try:
            return int(value) if value else default
        except ValueError as error:
            raise ImproperlyConfigured(f"{name} must be a whole number, not {value!r}.") from error

    def names(self, name: str, default: str = "") -> list[str]:
        return [part.strip() for part in self.text(name, default).split(",") if part.strip()]

    def database(self, name: str) -> dict[str, Any]:
        """Django's settings of the PostgreSQL that the URL in `name` names."""
        try:
            parsed = dict(dj_database_url.parse(self.text(name), engine="governance.db"))
        except (ValueError, dj_database_url.ParseError) as error:
            raise ImproperlyConfigured(f"{name} is not a database URL: {error}") from error
        if not parsed.get("USER") or not parsed.get("NAME"):
            raise ImproperlyConfigured(f"{name} must name a user and a database.")
        return parsed
