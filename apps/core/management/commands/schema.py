from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Any

from django.db import connections
from django.db.migrations.executor import MigrationExecutor

from apps.core.management.base import ReportingCommand
from apps.core.schema_sql import schema_sql, schema_version


class Command(ReportingCommand):
    help = "The schema's semantic version, or the SQL that makes it from nothing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        sub = parser.add_subparsers(dest="verb", required=True)
        super().add_arguments(sub.add_parser("version", help="the version that the migrations make"))
        super().add_arguments(sub.add_parser("sql", help="the SQL of all migrations, in order"))

    def run_command(self, options: dict[str, Any]) -> Mapping[str, Any]:
        loader = MigrationExecutor(connections["default"]).loader
        if options["verb"] == "version":
            return {"version": schema_version(loader)}
        return {"version": schema_version(loader), "sql": schema_sql(loader)}

    def describe(self, result: Mapping[str, Any]) -> str:
        return str(result.get("sql") or result["version"])
