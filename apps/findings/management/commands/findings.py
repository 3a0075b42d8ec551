from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from django.http import QueryDict

from apps.catalog.management.import_command import ImportCommand
from apps.connectors.findings import FORMATS
from apps.core.errors import InvalidInput
from apps.findings.ocsf import FORMAT as OCSF
from apps.findings.services.findings_export import export_findings


class Command(ImportCommand):
    help = (
        "Findings of other tools, and ours for them. import: OCSF (Prowler), ASFF (Security Hub) or SARIF, plain or "
        "gzip; what fails is opened as a violation with its source, what passes closes it; a finding older than what "
        "is stored changes nothing. export: violations as OCSF, a line of JSON each."
    )
    job_type: ClassVar[str] = "findings.import"
    formats: ClassVar[tuple[str, ...]] = tuple(FORMATS)

    def add_verbs(self, sub: Any) -> None:
        command = sub.add_parser("export", help="write violations to a file")
        self.add_common_arguments(command)
        command.add_argument("--format", choices=(OCSF,), default=OCSF)
        command.add_argument("--out", required=True, metavar="FILE", type=Path)
        command.add_argument(
            "--filter",
            action="append",
            default=[],
            metavar="NAME=VALUE",
            help="as in the address of the list of violations, e.g. source=prowler; may be given several times",
        )

    def run_for_tenant(self, options: dict[str, Any]) -> Mapping[str, Any]:
        if options["verb"] != "export":
            return super().run_for_tenant(options)
        out: Path = options["out"]
        if not out.parent.is_dir():
            raise InvalidInput(f"There is no folder {out.parent}.", field="out")
        # Whole or not at all: a reader never meets half a file.
        handle, part = tempfile.mkstemp(dir=out.parent, prefix=f".{out.name}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                rows = export_findings(file=file, filters=_filters(options["filter"]))
            Path(part).replace(out)
        except BaseException:
            Path(part).unlink(missing_ok=True)
            raise
        return {"written": rows, "format": options["format"], "out": str(out)}

    def describe(self, result: Mapping[str, Any]) -> str:
        if "out" in result:
            return f"{result['written']} violations written to {result['out']}"
        return super().describe(result)


def _filters(given: list[str]) -> QueryDict:
    query = QueryDict(mutable=True)
    for one in given:
        name, equals, value = one.partition("=")
        if not equals or not name:
            raise InvalidInput(f"A filter is NAME=VALUE, not {one!r}.", field="filter")
        query.appendlist(name, value)
    return query
