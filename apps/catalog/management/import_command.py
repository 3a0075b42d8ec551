"""The two import commands share all but what they import."""

from __future__ import annotations

import uuid
from argparse import ArgumentParser
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from apps.catalog.models import ImportRefusal
from apps.catalog.services.buckets import split_address
from apps.catalog.sources import stage
from apps.core.context import current_tenant_id, tenant_transaction
from apps.core.errors import InvalidInput
from apps.jobs.commands import add_queue_argument, run_as_job
from apps.tenancy.management.base import TenantCommand

SHOWN_REFUSALS = 1_000


class ImportCommand(TenantCommand):
    job_type: ClassVar[str]
    formats: ClassVar[tuple[str, ...]] = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        sub = parser.add_subparsers(dest="verb", required=True)
        command = sub.add_parser("import", help="import a file")
        self.add_common_arguments(command)
        if self.formats:
            command.add_argument(
                "--format", help=f"{', '.join(self.formats)}; told from the file unless given"
            )
        add_queue_argument(command)
        command.add_argument(
            "path",
            metavar="PATH",
            help="a file or folder of this machine, or s3://BUCKET/KEY in a connected AWS account, or s3://BUCKET/PREFIX/",
        )
        command.add_argument("--account", help="the AWS account that reads s3://…, if several are connected")
        self.add_verbs(sub)

    def add_common_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)

    def add_verbs(self, sub: Any) -> None:
        """For a command that does more than import."""

    def run_for_tenant(self, options: dict[str, Any]) -> Mapping[str, Any]:
        format_ = options.get("format")
        if format_ and format_ not in self.formats:
            raise InvalidInput(
                f"There is no format {format_!r}; known: {', '.join(self.formats)}.", field="format"
            )
        params = {**self._source(options), "format": format_}
        result = run_as_job(self.job_type, params, queue=options["queue"])
        if "import_run" in result:
            result["refusals"] = self._refusals(uuid.UUID(result["import_run"]))
        return result

    @staticmethod
    def _source(options: dict[str, Any]) -> dict[str, Any]:
        """What the job's params say of where to read: see sources.open_source."""
        if options["path"].startswith("s3://"):
            split_address(options["path"])
            return {"name": options["path"], "address": options["path"], "account": options["account"]}
        path = Path(options["path"])
        if not path.exists():
            raise InvalidInput(f"There is no file {path}.", field="path")
        if not options["queue"]:
            return {"name": path.name, "path": str(path.resolve())}
        if path.is_dir():
            raise InvalidInput("A folder can't be queued: a worker may run elsewhere.", field="path")
        with path.open("rb") as file:
            return {"name": path.name, "object_key": stage(path.name, file)}

    @staticmethod
    def _refusals(run_id: uuid.UUID) -> list[dict[str, Any]]:
        with tenant_transaction(current_tenant_id()):
            rows = ImportRefusal.objects.filter(run_id=run_id).order_by("pk")[:SHOWN_REFUSALS]
            return [
                {"line": r.line, "field": r.field, "reason": r.reason, "native_id": r.native_id} for r in rows
            ]

    def describe(self, result: Mapping[str, Any]) -> str:
        lines = [_refusal_line(refusal) for refusal in result.get("refusals", [])]
        if "read" in result:
            lines.append(
                f"read {result['read']}, written {result['written']}, unchanged {result['unchanged']}, "
                f"refused {result['refused']}"
            )
        if "compiled" in result:
            counts = ("compiled", "unsupported", "failed")
            lines.append(", ".join(f"{name} {result[name]}" for name in counts))
        if result.get("error"):
            lines.append(f"failed: {result['error']}")
        return "\n".join(lines) or super().describe(result)


def _refusal_line(refusal: Mapping[str, Any]) -> str:
    line = refusal["line"] if refusal["line"] is not None else "-"
    field = f"{refusal['field']}: " if refusal["field"] else ""
    return f"line {line}: {field}{refusal['reason']}"
