from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Any

from apps.core.context import current_tenant_id, tenant_transaction
from apps.core.management.base import OwnerCommandMixin
from apps.findings.services.reconciling import differences, rebuild_posture, told
from apps.tenancy.management.base import TenantCommand


class Command(OwnerCommandMixin, TenantCommand):
    help = "Count again what screens show as sums: violations by policy, severity and state, now and on each day."

    def add_arguments(self, parser: ArgumentParser) -> None:
        sub = parser.add_subparsers(dest="verb", required=True)
        for verb, help_ in (
            ("verify", "name every sum that is not what its rows say; exits with 1 where one is not"),
            ("rebuild", "bring every sum to what its rows say, as the owner role (DATABASE_OWNER_URL)"),
        ):
            super().add_arguments(sub.add_parser(verb, help=help_, description=help_))

    def run_for_tenant(self, options: dict[str, Any]) -> Mapping[str, Any]:
        if options["verb"] == "rebuild":
            self.require_owner()
            return rebuild_posture()
        with tenant_transaction(current_tenant_id()):
            return told(differences())
