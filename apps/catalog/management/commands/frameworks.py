from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from apps.catalog.services.framework_files import library
from apps.catalog.services.framework_import import import_framework_file
from apps.catalog.services.frameworks import install_framework
from apps.core.context import current_tenant_id, tenant_transaction
from apps.core.errors import InvalidInput
from apps.tenancy.management.base import TenantCommand


class Command(TenantCommand):
    help = (
        "Frameworks and their mappings. import: a framework of ours, an OSCAL catalogue, an Azure initiative with "
        "control groups, or a mapping (CSV or JSON with framework, control, policy). install: starter frameworks "
        "from the library, all of them unless some are named."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        sub = parser.add_subparsers(dest="verb", required=True)
        command = sub.add_parser("import", help="import a file")
        super().add_arguments(command)
        command.add_argument(
            "--replace",
            action="store_true",
            help="of a mapping: end those made by hand or file for its frameworks that it does not hold",
        )
        command.add_argument("path", metavar="PATH", type=Path)
        command = sub.add_parser("install", help="install starter frameworks")
        super().add_arguments(command)
        command.add_argument("keys", metavar="KEY", nargs="*", help=", ".join(library()))

    def run_for_tenant(self, options: dict[str, Any]) -> Mapping[str, Any]:
        if options["verb"] == "install":
            with tenant_transaction(current_tenant_id()):
                keys = options["keys"] or list(library())
                return {"frameworks": [install_framework(key=key).key for key in keys]}
        path: Path = options["path"]
        if not path.is_file():
            raise InvalidInput(f"There is no file {path}.", field="path")
        with tenant_transaction(current_tenant_id()):
            return import_framework_file(raw=path.read_bytes(), name=path.name, replace=options["replace"])

    def describe(self, result: Mapping[str, Any]) -> str:
        if "frameworks" in result:
            return f"imported {', '.join(result['frameworks'])}"
        lines = [f"line {r['line']}: {r['field']}: {r['reason']}" for r in result["refusals"]]
        counts = ", ".join(f"{name} {result[name]}" for name in ("read", "added", "unchanged", "removed"))
        return "\n".join([*lines, f"{counts}, refused {len(result['refusals'])}"])
