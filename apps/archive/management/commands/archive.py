from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Any

from django.db import connection

from apps.archive.moving import JOB_TYPE, due
from apps.archive.partitions import partition_problems, partitions
from apps.archive.tables import TABLES
from apps.archive.window import hot_days, set_hot_days
from apps.core.context import current_tenant_id, tenant_transaction
from apps.jobs.commands import add_queue_argument, run_as_job
from apps.tenancy.management.base import TenantCommand


class Command(TenantCommand):
    help = "Move closed violations and the events of ended actions into the history, and say how that stands."

    def add_arguments(self, parser: ArgumentParser) -> None:
        sub = parser.add_subparsers(dest="verb", required=True)
        run = sub.add_parser("run", help="move what was closed before the tenant's hot window")
        super().add_arguments(run)
        add_queue_argument(run)
        status = sub.add_parser("status", help="what is hot, what is due, what is in the history")
        super().add_arguments(status)
        window = sub.add_parser("window", help="set for how many days closed rows stay in the hot tables")
        super().add_arguments(window)
        window.add_argument("days", type=int, help="30 to 90")

    def run_for_tenant(self, options: dict[str, Any]) -> Mapping[str, Any]:
        if options["verb"] == "run":
            return run_as_job(JOB_TYPE, {}, queue=options["queue"])
        with tenant_transaction(current_tenant_id()):
            if options["verb"] == "window":
                set_hot_days(days=options["days"])
                return {"hot_days": options["days"]}
            return _status()


def _status() -> dict[str, Any]:
    tables = {}
    for table in TABLES:
        waiting = due(table)
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT count(*), min({table.moment}), max({table.moment}) FROM {table.name} WHERE tenant_id = %s",  # noqa: S608
                [current_tenant_id()],
            )
            rows, first, last = cursor.fetchone()
        tables[table.name] = {
            "due": waiting.rows,
            "oldest_due": waiting.oldest,
            "archived": rows,
            "from": first,
            "to": last,
        }
    return {
        "hot_days": hot_days(),
        "tables": tables,
        "partitions": [partition.name for partition in partitions()],
        "problems": partition_problems(),
    }
