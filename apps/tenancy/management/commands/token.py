from argparse import ArgumentParser
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from apps.core.errors import InvalidInput, NotFound
from apps.tenancy.management.base import TenantCommand
from apps.tenancy.models import User
from apps.tenancy.services import create_token
from apps.tenancy.tokens import SCOPES


class Command(TenantCommand):
    help = "Make an API token that acts as a user. Its text is printed once and stored nowhere."

    def add_arguments(self, parser: ArgumentParser) -> None:
        sub = parser.add_subparsers(dest="verb", required=True)
        create = sub.add_parser("create", help="make a token")
        super().add_arguments(create)
        create.add_argument("--user", "--upn", dest="upn", required=True, help="the upn it acts as")
        create.add_argument("--name", default="command line", help="what it is for")
        create.add_argument("--scopes", default="read", help=f"comma-separated: {', '.join(SCOPES)}")
        create.add_argument("--days", type=int, default=90, help="valid for so many days")

    def run_for_tenant(self, options: dict[str, Any]) -> Mapping[str, Any]:
        if not 1 <= options["days"] <= 3650:
            raise InvalidInput("days must be from 1 to 3650.", field="days")
        with transaction.atomic():
            user = User.objects.filter(upn=options["upn"], is_active=True).first()
            if user is None:
                raise NotFound(f"There is no user {options['upn']!r} in this tenant.")
            made = create_token(
                user=user,
                name=options["name"],
                scopes=[s.strip() for s in options["scopes"].split(",") if s.strip()],
                expires_at=timezone.now() + timedelta(days=options["days"]),
            )
        return {
            "id": str(made.token.pk),
            "token": made.text,
            "user": user.upn,
            "scopes": made.token.scopes,
            "expires_at": made.token.expires_at.isoformat(),
        }
