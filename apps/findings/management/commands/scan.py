from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Any

from apps.core.errors import InvalidInput
from apps.findings.services.scan_sql import FULL, INCREMENTAL
from apps.jobs.commands import add_queue_argument, run_as_job
from apps.jobs.registry import is_registered
from apps.tenancy.management.base import TenantCommand


class Command(TenantCommand):
    help = (
        "Scan a tenant's estate: policy (every active policy over every resource), finops (what can be saved) or "
        "security (what no single resource shows)."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("kind", choices=("policy", "finops", "security"))
        super().add_arguments(parser)
        parser.add_argument(
            "--mode", choices=(FULL, INCREMENTAL), help="of a policy or security scan; full by default"
        )
        add_queue_argument(parser)

    def run_for_tenant(self, options: dict[str, Any]) -> Mapping[str, Any]:
        type_ = f"scans.{options['kind']}"
        if not is_registered(type_):
            raise InvalidInput(f"The {options['kind']} scan is not part of this version yet.", field="kind")
        if options["mode"] and options["kind"] == "finops":
            raise InvalidInput(f"The {options['kind']} scan has no modes.", field="mode")
        params = {} if options["kind"] == "finops" else {"mode": options["mode"] or FULL}
        return run_as_job(type_, params, queue=options["queue"])
