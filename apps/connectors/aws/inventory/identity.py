"""IAM: users with their keys and second factors, and roles; global, by GetAccountAuthorizationDetails."""

from __future__ import annotations

from typing import Any

from apps.connectors.aws.names import partition_of

from .rows import GLOBAL, Ask, Listed, Lister, Row, row, token_request, with_details


def _details(ask: Ask, kind: str, token: str | None) -> dict[str, Any]:
    request = {"Filter": [kind], "MaxItems": 100, **token_request("Marker", token)}
    return ask("iam", "get_account_authorization_details", **request)


def _users(ask: Ask, token: str | None) -> Listed:
    told = _details(ask, "User", token)
    rows = [
        row(
            ask,
            "aws.iam-user",
            one["Arn"],
            {"UserPolicyList": [], "GroupList": [], "AttachedManagedPolicies": [], **one},
            name=one["UserName"],
            location=GLOBAL,
        )
        for one in told["UserDetailList"]
    ]
    return Listed(rows, told.get("Marker") if told.get("IsTruncated") else None)


def _user(ask: Ask, found: Row) -> Row:
    """Keys with their last use, second factors, whether there is a password and when it was used."""
    name = found["name"]
    keys = []
    for key in ask("iam", "list_access_keys", UserName=name)["AccessKeyMetadata"]:
        used = ask("iam", "get_access_key_last_used", AccessKeyId=key["AccessKeyId"]).get(
            "AccessKeyLastUsed", {}
        )
        keys.append({**key, "LastUsed": used})
    about = ask("iam", "get_user", UserName=name)["User"]
    login = ask.or_none("iam", "get_login_profile", UserName=name)
    return with_details(
        found,
        about.get("Tags", found["tags"]),
        AccessKeyMetadata=keys,
        MFADevices=ask("iam", "list_mfa_devices", UserName=name)["MFADevices"],
        LoginProfile=login and login["LoginProfile"],
        PasswordLastUsed=about.get("PasswordLastUsed"),
    )


def _roles(ask: Ask, token: str | None) -> Listed:
    told = _details(ask, "Role", token)
    rows = [
        row(ask, "aws.iam-role", one["Arn"], one, name=one["RoleName"], location=GLOBAL)
        for one in told["RoleDetailList"]
    ]
    return Listed(rows, told.get("Marker") if told.get("IsTruncated") else None)


def _accounts(ask: Ask, token: str | None) -> Listed:
    """The account itself: IAM's summary of it, its alias, and the rules of its passwords."""
    account = ask.cloud.access.account
    summary = ask("iam", "get_account_summary")["SummaryMap"]
    aliases = ask("iam", "list_account_aliases")["AccountAliases"]
    rules = ask.or_none("iam", "get_account_password_policy")
    document = {
        "account_id": account,
        "account_name": aliases[0] if aliases else None,
        **summary,
        "PasswordPolicy": rules and rules["PasswordPolicy"],
    }
    arn = f"arn:{partition_of(ask.region)}:iam::{account}:root"
    return Listed(
        [row(ask, "aws.account", arn, document, name=document["account_name"] or account, location=GLOBAL)],
        None,
    )


IDENTITY: dict[str, Lister] = {
    "aws.account": Lister(_accounts, is_global=True),
    "aws.iam-user": Lister(_users, _user, is_global=True),
    "aws.iam-role": Lister(_roles, is_global=True),
}
