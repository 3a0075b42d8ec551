import getpass
import os
import sys
from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Any

from django.db import transaction

from apps.core.errors import InvalidInput
from apps.tenancy.management.base import TenantCommand
from apps.tenancy.roles import Role
from apps.tenancy.services import create_user

PASSWORD_VARIABLE = "USER_PASSWORD"  # noqa: S105  (the name of a variable)


class Command(TenantCommand):
    help = "Make a user of a tenant."

    def add_arguments(self, parser: ArgumentParser) -> None:
        sub = parser.add_subparsers(dest="verb", required=True)
        create = sub.add_parser("create", help="make a user")
        super().add_arguments(create)
        create.add_argument("--upn", required=True, help="name to sign in with, such as an e-mail address")
        create.add_argument("--role", required=True, help=", ".join(Role))
        create.add_argument("--display-name", default="")
        create.add_argument("--email", default="")
        create.add_argument(
            "--password", help=f"better left out: then {PASSWORD_VARIABLE} is read, or the terminal asked"
        )

    def run_for_tenant(self, options: dict[str, Any]) -> Mapping[str, Any]:
        with transaction.atomic():
            user = create_user(
                upn=options["upn"],
                role=options["role"],
                password=self._password(options),
                display_name=options["display_name"],
                email=options["email"],
            )
        return {"id": str(user.pk), "upn": user.upn, "role": user.role, "tenant_id": str(user.tenant_id)}

    @staticmethod
    def _password(options: dict[str, Any]) -> str | None:
        given = options["password"] or os.environ.get(PASSWORD_VARIABLE)
        if given:
            return str(given)
        if not sys.stdin.isatty():
            return None
        password = getpass.getpass("Password: ")
        if password != getpass.getpass("Again: "):
            raise InvalidInput("The two passwords differ.", field="password")
        return password
