from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Any

from django.db import transaction

from apps.core.context import tenant_scope
from apps.core.management.base import ReportingCommand
from apps.tenancy.services import create_tenant


class Command(ReportingCommand):
    help = "Make a tenant. Acts as the owner role (DATABASE_OWNER_URL)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        sub = parser.add_subparsers(dest="verb", required=True)
        create = sub.add_parser("create", help="make a tenant")
        super().add_arguments(create)
        create.add_argument("name", nargs="?", default="", help="the tenant's name")
        create.add_argument("--name", dest="name_option", default="", help="the same, as an option")
        create.add_argument("--slug", help="short name for sign-in; made from the name unless given")

    def run_command(self, options: dict[str, Any]) -> Mapping[str, Any]:
        tenant = create_tenant(name=options["name_option"] or options["name"], slug=options["slug"])
        with tenant_scope(tenant.pk), transaction.atomic():
            return {"id": str(tenant.pk), "slug": tenant.slug, "name": tenant.name}
