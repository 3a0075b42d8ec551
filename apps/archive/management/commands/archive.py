import uuid
from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Any

from django.db import connection

from apps.archive.forecasting import JOB_TYPE as FORECAST
from apps.archive.holds import place_hold, release_hold
from apps.archive.models import LegalHold
from apps.archive.moving import JOB_TYPE, due, overdue
from apps.archive.partitions import partition_problems, partitions
from apps.archive.purging import Progress, purge_tenant
from apps.archive.tables import TABLES
from apps.archive.window import hot_days, set_hot_days
from apps.core.context import current_tenant_id, tenant_transaction
from apps.core.errors import NotFound
from apps.core.management.base import OwnerCommandMixin
from apps.jobs.commands import add_queue_argument, run_as_job
from apps.tenancy.management.base import TenantCommand


class Command(OwnerCommandMixin, TenantCommand):
    help = "The history: move closed rows into it, hold evidence, and take a whole tenant out with a certificate."

    def add_arguments(self, parser: ArgumentParser) -> None:
        sub = parser.add_subparsers(dest="verb", required=True)
        run = sub.add_parser("run", help="move what was closed before the tenant's hot window")
        super().add_arguments(run)
        add_queue_argument(run)
        status = sub.add_parser("status", help="what is hot, what is due, what is in the history")
        super().add_arguments(status)
        ahead = sub.add_parser("forecast", help="what the tenant takes in the stores, and will take")
        super().add_arguments(ahead)
        add_queue_argument(ahead)
        window = sub.add_parser("window", help="set for how many days closed rows stay in the hot tables")
        super().add_arguments(window)
        window.add_argument("days", type=int, help="30 to 90")

        hold = sub.add_parser("hold", help="place a legal hold; its id is printed")
        super().add_arguments(hold)
        hold.add_argument("--reason", required=True)
        hold.add_argument(
            "--area",
            default="",
            help="evidence/<action id>/ or reports/<report id>/; everything unless given",
        )
        release = sub.add_parser("release", help="release a legal hold")
        super().add_arguments(release)
        release.add_argument("hold", help="the hold's id")
        release.add_argument("--reason", required=True)
        purge = sub.add_parser(
            "purge",
            help="take a tenant out for good, as the owner role: rows, objects without a lock; prints a certificate",
        )
        super().add_arguments(purge)
        purge.add_argument("--confirm", default="", metavar="SLUG", help="the tenant's slug, once more")

    def run_command(self, options: dict[str, Any]) -> Mapping[str, Any]:
        if options["verb"] != "purge":
            return super().run_command(options)
        self.require_owner()
        # Not found as others are: a purge that was cut has to be gone on with.
        return purge_tenant(
            handle=options["tenant"], confirm=options["confirm"], progress=self._tell(options)
        )

    def _tell(self, options: dict[str, Any]) -> Progress | None:
        return None if options["json"] else lambda what, n: self.stderr.write(f"{what}: {n}")

    def run_for_tenant(self, options: dict[str, Any]) -> Mapping[str, Any]:
        if options["verb"] in ("run", "forecast"):
            return run_as_job(
                {"run": JOB_TYPE, "forecast": FORECAST}[options["verb"]], {}, queue=options["queue"]
            )
        with tenant_transaction(current_tenant_id()):
            if options["verb"] == "hold":
                return _told(place_hold(reason=options["reason"], area=options["area"]))
            if options["verb"] == "release":
                return _told(release_hold(hold=_hold(options["hold"]), reason=options["reason"]))
            if options["verb"] == "window":
                set_hot_days(days=options["days"])
                return {"hot_days": options["days"]}
            return _status()


def _hold(given: str) -> LegalHold:
    try:
        return LegalHold.objects.get(pk=uuid.UUID(given))
    except (ValueError, LegalHold.DoesNotExist) as error:
        raise NotFound(f"There is no hold {given!r}.") from error


def _told(hold: LegalHold) -> dict[str, Any]:
    return {
        "hold": str(hold.pk), "area": hold.area or "everything", "reason": hold.reason,
        "placed_at": hold.placed_at, "released_at": hold.released_at,
    }  # fmt: skip


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
        "problems": [*partition_problems(), *overdue()],
    }
