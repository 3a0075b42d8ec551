from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Any

from django.conf import settings

from apps.catalog.services import check_account
from apps.core.context import current_tenant_id, tenant_transaction
from apps.core.errors import InvalidInput, Refused
from apps.tenancy.cloud_accounts import (
    allow_credential,
    allowed_credential,
    change_account,
    create_account,
    disconnect_account,
    find_account,
    revoke_credential,
)
from apps.tenancy.management.base import TenantCommand
from apps.tenancy.models import CloudAccount
from apps.tenancy.models_clouds import CREDENTIAL_KINDS, LISTINGS, PROVIDERS

REFERENCE = (
    f"where the credentials are: {', '.join(f'{kind}:…' for kind in CREDENTIAL_KINDS)}; never a secret"
)


class Command(TenantCommand):
    help = (
        "Connect cloud accounts. Who has DATABASE_OWNER_URL is the platform: create then allows the reference "
        "as well, and only so an endpoint is set."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        sub = parser.add_subparsers(dest="verb", required=True)
        create = self._verb(sub, "create", "connect an account, and test it")
        self._reference(create)
        create.add_argument("--account", required=True, help="the cloud's own id of it")
        create.add_argument("--name", default="", help="what people call it")
        create.add_argument(
            "--region", action="append", default=[], help="repeatable; without it all regions"
        )
        create.add_argument("--listing", choices=LISTINGS, default=LISTINGS[0], help="how AWS is listed")
        create.add_argument("--every", type=int, metavar="MINUTES", help="discover it on this schedule")
        create.add_argument("--no-test", action="store_true", help="leave it unproven for now")
        allow = self._verb(sub, "allow", "let the tenant use a credential reference (platform)")
        self._reference(allow)
        revoke = self._verb(sub, "revoke", "take a credential reference away again (platform)")
        self._reference(revoke, endpoint=False)
        for verb, words in (("test", "ask the cloud whose the credentials are"), ("disconnect", "end it")):
            self._verb(sub, verb, words).add_argument(
                "--account", required=True, help="its id, ours or the cloud's"
            )
        change = self._verb(sub, "change", "change what is given; what is not stays")
        change.add_argument("--account", required=True, help="its id, ours or the cloud's")
        change.add_argument("--credential", metavar="KIND:…", help=REFERENCE)
        change.add_argument("--name", help="what people call it")
        change.add_argument("--region", action="append", help="repeatable, in place of those it has")
        change.add_argument("--all-regions", action="store_true", help="all that are enabled")
        change.add_argument("--listing", choices=LISTINGS, help="how AWS is listed")
        schedule = change.add_mutually_exclusive_group()
        schedule.add_argument("--every", type=int, metavar="MINUTES", help="discover it on this schedule")
        schedule.add_argument("--by-hand", action="store_true", help="take its schedule away")
        self._verb(sub, "list", "the tenant's accounts, and why there is no data")

    def _verb(self, sub: Any, name: str, words: str) -> ArgumentParser:
        parser: ArgumentParser = sub.add_parser(name, help=words)
        super().add_arguments(parser)
        return parser

    @staticmethod
    def _reference(parser: ArgumentParser, *, endpoint: bool = True) -> None:
        parser.add_argument("--provider", required=True, choices=PROVIDERS)
        parser.add_argument("--credential", required=True, metavar="KIND:…", help=REFERENCE)
        if endpoint:
            parser.add_argument(
                "--endpoint-url", default="", help="another endpoint than the cloud's (platform)"
            )
            parser.add_argument("--source", default="", help="reference that assumes the role (platform)")

    def run_for_tenant(self, options: dict[str, Any]) -> Mapping[str, Any]:
        verb: str = options["verb"]
        result: Mapping[str, Any] = getattr(self, f"_{verb}")(options)
        return result

    def _create(self, options: dict[str, Any]) -> Mapping[str, Any]:
        if _is_platform() and (options["endpoint_url"] or options["source"] or not _is_allowed(options)):
            self._allow(options)
        if not _is_platform() and (options["endpoint_url"] or options["source"]):
            raise InvalidInput("Only the platform sets an endpoint or a source.", field="endpoint_url")
        with tenant_transaction(current_tenant_id()):
            account = create_account(
                provider=options["provider"],
                account=options["account"],
                credential=options["credential"],
                name=options["name"],
                regions=options["region"],
                listing=options["listing"],
                discover_every_minutes=options["every"],
            )
        if not options["no_test"]:
            account = check_account(account_id=account.pk)
        return _row(account) | ({"failed": True} if account.problem else {})

    def _allow(self, options: dict[str, Any]) -> Mapping[str, Any]:
        _require_platform()
        allowed = allow_credential(
            provider=options["provider"],
            reference=options["credential"],
            endpoint_url=options["endpoint_url"],
            source=options["source"],
        )
        return {"id": str(allowed.pk), "provider": allowed.provider, "allowed": str(allowed)}

    def _revoke(self, options: dict[str, Any]) -> Mapping[str, Any]:
        _require_platform()
        revoke_credential(provider=options["provider"], reference=options["credential"])
        return {"provider": options["provider"], "revoked": options["credential"]}

    def _test(self, options: dict[str, Any]) -> Mapping[str, Any]:
        with tenant_transaction(current_tenant_id()):
            account = find_account(options["account"])
        account = check_account(account_id=account.pk)
        return _row(account) | ({"failed": True} if account.problem else {})

    def _change(self, options: dict[str, Any]) -> Mapping[str, Any]:
        given: dict[str, Any] = {"name": options["name"], "credential": options["credential"]}
        given["listing"] = options["listing"]
        given["regions"] = [] if options["all_regions"] else options["region"]
        if options["every"] is not None or options["by_hand"]:
            given["discover_every_minutes"] = options["every"]
        with tenant_transaction(current_tenant_id()):
            return _row(change_account(account=find_account(options["account"]), **given))

    def _disconnect(self, options: dict[str, Any]) -> Mapping[str, Any]:
        with tenant_transaction(current_tenant_id()):
            return _row(disconnect_account(account=find_account(options["account"])))

    def _list(self, options: dict[str, Any]) -> Mapping[str, Any]:
        with tenant_transaction(current_tenant_id()):
            rows = CloudAccount.objects.order_by("provider", "account")
            return {"accounts": [_row(row) for row in rows]}

    def describe(self, result: Mapping[str, Any]) -> str:
        if "accounts" in result:
            return "\n".join(
                f"{r['provider']:6} {r['account']:36} {r['status']:12} {r['problem'] or r['name']}"
                for r in result["accounts"]
            )
        return super().describe(result)


def _row(account: CloudAccount) -> dict[str, Any]:
    return {
        "id": str(account.pk),
        "provider": account.provider,
        "account": account.account,
        "name": account.name,
        "status": account.status,
        "credential": account.reference,
        "external_id": account.external_id,
        "regions": list(account.regions),
        "listing": account.listing,
        "every_minutes": account.discover_every_minutes,
        "discovered_at": account.discovered_at,
        "last_result": account.last_result,
        "problem": account.problem,
    }


def _is_allowed(options: dict[str, Any]) -> bool:
    with tenant_transaction(current_tenant_id()):
        try:
            allowed_credential(options["provider"], options["credential"])
        except Refused:
            return False
        return True


def _is_platform() -> bool:
    return bool(settings.DATABASES["owner"].get("USER"))


def _require_platform() -> None:
    if not _is_platform():
        raise InvalidInput(
            "This is the platform's to do: set DATABASE_OWNER_URL.", field="DATABASE_OWNER_URL"
        )
