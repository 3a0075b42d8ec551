from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Any

from django.conf import settings

from apps.core.management.base import ReportingCommand
from apps.desk.demo.cloud import connect_cloud
from apps.desk.demo.filling import fill, is_filled
from apps.desk.demo.people import TENANTS, USERS, demo_password, upn


class Command(ReportingCommand):
    help = "The demo: fill it, or say who can sign in. Filling acts as the owner role to make its tenants."

    def add_arguments(self, parser: ArgumentParser) -> None:
        sub = parser.add_subparsers(dest="verb", required=True)
        filling = sub.add_parser("fill", help="make the demo's tenants, people and data")
        super().add_arguments(filling)
        filling.add_argument("--if-empty", action="store_true", help="do nothing where the demo is there")
        super().add_arguments(sub.add_parser("signins", help="print who can sign in"))

    def run_command(self, options: dict[str, Any]) -> Mapping[str, Any]:
        if options["verb"] == "fill":
            return self._fill(options)
        return {
            "password": demo_password(settings.DATA_DIR),
            "signins": [
                {"tenant": tenant.slug, "user": upn(user, tenant), "role": str(user.role)}
                for tenant in TENANTS
                for user in USERS
            ],
        }

    def _fill(self, options: dict[str, Any]) -> Mapping[str, Any]:
        def say(line: str) -> None:
            if not options["json"]:
                self.stdout.write(line)

        there = options["if_empty"] and is_filled()
        if not there:
            fill(say)
        connect_cloud(say)
        return {"filled": False, "why": "the demo is already there"} if there else {"filled": True}

    def describe(self, result: Mapping[str, Any]) -> str:
        if "signins" not in result:
            return super().describe(result)
        lines = [f"  tenant {s['tenant']:<10} user {s['user']:<26} {s['role']:<9}" for s in result["signins"]]
        return "\n".join(["Sign in with the password " + result["password"] + " as", *lines])
