"""Commands that act for one tenant: `--tenant` takes an id, a slug or an unambiguous name."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Any

from apps.core.context import tenant_scope
from apps.core.management.base import ReportingCommand
from apps.tenancy.services import find_tenant


class TenantCommand(ReportingCommand):
    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        self.add_tenant_argument(parser)

    @staticmethod
    def add_tenant_argument(parser: ArgumentParser) -> None:
        parser.add_argument("--tenant", required=True, metavar="T", help="id, slug or unambiguous name")

    def run_command(self, options: dict[str, Any]) -> Mapping[str, Any]:
        """Runs `run_for_tenant` in the tenant's context, with no transaction open yet."""
        with tenant_scope(find_tenant(options["tenant"], by_name=True)):
            return self.run_for_tenant(options)

    def run_for_tenant(self, options: dict[str, Any]) -> Mapping[str, Any]:
        raise NotImplementedError
