from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Any

from apps.core.errors import InvalidInput
from apps.findings.services.scan_sql import FULL, INCREMENTAL
from apps.jobs.commands import add_queue_argument, run_as_job
from apps.jobs.registry import is_registered
from apps.tenancy.management.base import TenantCommand


class Command(TenantCommand):
    help = "Scan a tenant's estate: every active policy over every resource."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("kind", choices=("policy", "finops", "security"))
        super().add_arguments(parser)
        parser.add_argument("--mode", choices=(FULL, INCREMENTAL), default=FULL)
        add_queue_argument(parser)

    def run_for_tenant(self, options: dict[str, Any]) -> Mapping[str, Any]:
        type_ = f"scans.{options['kind']}"
        if not is_registered(type_):
            raise InvalidInput(f"The {options['kind']} scan is not part of this version yet.", field="kind")
        return run_as_job(type_, {"mode": options["mode"]}, queue=options["queue"])
