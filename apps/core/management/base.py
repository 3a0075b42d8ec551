"""How every management command of ours speaks: `--json`, a non-zero exit on failure, the offending input named."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError
from django.core.serializers.json import DjangoJSONEncoder
from django.db.utils import OperationalError, ProgrammingError
from psycopg import errors as pg_errors

from apps.core.context import Actor, act_as
from apps.core.errors import GovernanceError


class ReportingCommand(BaseCommand):
    """A command gives a result as a mapping; `describe` says it in words, `--json` prints it for machines.

    A result with `"failed": True` is printed and exits with 1, as does a GovernanceError.
    """

    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print the result as one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with act_as(Actor.system(f"command-{self.name}")):
                result = self.run_command(options)
        except GovernanceError as error:
            self._fail(error.code, str(error), getattr(error, "field", None), options)
        except OperationalError as error:
            first = (str(error).splitlines() or [""])[0]
            self._fail("database-away", f"PostgreSQL could not be reached: {first}", "DATABASE_URL", options)
        except ProgrammingError as error:
            if not isinstance(error.__cause__, pg_errors.UndefinedTable | pg_errors.UndefinedFunction):
                raise
            self._fail(
                "no-schema", "The database has not this schema yet: run manage.py migrate.", None, options
            )
        except OSError as error:
            self._fail("file", str(error), getattr(error, "filename", None), options)
        else:
            self._print(result, options)
            if result.get("failed"):
                sys.exit(1)

    @property
    def name(self) -> str:
        return type(self).__module__.rsplit(".", 1)[-1]

    def run_command(self, options: dict[str, Any]) -> Mapping[str, Any]:
        raise NotImplementedError

    def describe(self, result: Mapping[str, Any]) -> str:
        return "\n".join(f"{key.replace('_', ' ')}: {value}" for key, value in result.items())

    def _print(self, result: Mapping[str, Any], options: dict[str, Any]) -> None:
        text = json.dumps(result, cls=DjangoJSONEncoder) if options["json"] else self.describe(result)
        self.stdout.write(text)

    def _fail(self, code: str, message: str, field: str | None, options: dict[str, Any]) -> None:
        if options["json"]:
            self.stdout.write(json.dumps({"error": {"code": code, "message": message, "field": field}}))
            sys.exit(1)
        raise CommandError(message)


class OwnerCommandMixin:
    """For platform jobs that act as the owner role: DATABASE_OWNER_URL must be there."""

    @staticmethod
    def require_owner() -> None:
        from django.conf import settings

        if not settings.DATABASES["owner"].get("USER"):
            raise ImproperlyConfigured("This command acts as the owner role: set DATABASE_OWNER_URL.")
