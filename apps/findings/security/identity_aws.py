"""AWS: keys, passwords and second factors, from what the connector records of each user and of the account."""

from __future__ import annotations

from .base import Check, documents

MAX_KEY_AGE_DAYS = 90
UNUSED_DAYS = 90

USERS = documents("users", "aws.iam-user")
KEYS = """keys AS MATERIALIZED (
    SELECT u.resource_id, u.name AS user_name, key->>'AccessKeyId' AS key_id,
           left(key->>'CreateDate', 10) AS made, left(key#>>'{LastUsed,LastUsedDate}', 10) AS used,
           key ? 'LastUsed' AS use_known
    FROM users u, jsonb_path_query(u.doc, 'lax $.AccessKeyMetadata[*] ? (@.Status == "Active")') key
)"""
PASSWORDS = """passwords AS MATERIALIZED (
    SELECT resource_id, name AS user_name, left(doc->>'PasswordLastUsed', 10) AS used,
           left(doc#>>'{LoginProfile,CreateDate}', 10) AS made
    FROM users WHERE jsonb_typeof(doc->'LoginProfile') = 'object'
)"""
ACCOUNTS = documents("accounts", "aws.account")


def _before(column: str, days: int) -> str:
    """Whether an ISO date lies more than `days` days back."""
    return f"({column} COLLATE \"C\" < to_char((now() AT TIME ZONE 'UTC')::date - {days}, 'YYYY-MM-DD'))"


CHECKS = (
    Check(
        id="aws-access-key-old",
        title=f"An access key is older than {MAX_KEY_AGE_DAYS} days",
        severity="medium",
        provider="aws",
        description="The longer a key is valid, the more places know it.",
        remediation="Make a new key, put it where the old one is used, and deactivate the old one.",
        action={"type": "aws.iam.deactivate_access_key", "params": {"older_than_days": MAX_KEY_AGE_DAYS}},
        controls={"CIS-AWS-3.0": ("1.14",)},
        facts=(USERS, KEYS),
        hits=f"""SELECT resource_id, 'Access key ' || key_id || ' of user ' || user_name || ' is active since ' || made
            || ', over {MAX_KEY_AGE_DAYS} days.' AS reason
        FROM keys WHERE {_before("made", MAX_KEY_AGE_DAYS)}""",
    ),
    Check(
        id="aws-access-key-unused",
        title=f"An access key has not been used for {UNUSED_DAYS} days",
        severity="medium",
        provider="aws",
        description="A key that nobody uses can only be misused.",
        remediation="Deactivate the key, and delete it when nothing misses it.",
        facts=(USERS, KEYS),
        hits=f"""SELECT resource_id, 'Access key ' || key_id || ' of user ' || user_name || ' is active and was '
            || CASE WHEN used IS NULL THEN 'never used since ' || made ELSE 'last used on ' || used END || '.' AS reason
        FROM keys WHERE use_known AND {_before("coalesce(used, made)", UNUSED_DAYS)}""",
    ),
    Check(
        id="aws-password-unused",
        title=f"A user's password has not been used for {UNUSED_DAYS} days",
        severity="low",
        provider="aws",
        description="Who does not sign in needs no password.",
        remediation="Delete the user's login profile.",
        facts=(USERS, PASSWORDS),
        hits=f"""SELECT resource_id, 'User ' || user_name || ' has a password that was '
            || CASE WHEN used IS NULL THEN 'never used since ' || made ELSE 'last used on ' || used END || '.' AS reason
        FROM passwords WHERE {_before("coalesce(used, made)", UNUSED_DAYS)}""",
    ),
    Check(
        id="aws-console-without-second-factor",
        title="A user signs in to the console without a second factor",
        severity="high",
        provider="aws",
        description="The password alone is enough to sign in.",
        remediation="Have the user register a second factor, or delete the login profile.",
        controls={"CIS-AWS-3.0": ("1.10",)},
        facts=(USERS, PASSWORDS),
        hits="""SELECT p.resource_id, 'User ' || p.user_name || ' has a password for the console'
            || coalesce(' since ' || p.made, '') || ' and no second factor.' AS reason
        FROM passwords p JOIN users u ON u.resource_id = p.resource_id
        WHERE jsonb_typeof(u.doc->'MFADevices') = 'array' AND NOT jsonb_path_exists(u.doc, 'lax $.MFADevices[0]')""",
    ),
    Check(
        id="aws-root-has-keys",
        title="The root user has access keys",
        severity="critical",
        provider="aws",
        description="Nothing can restrict what these keys may do.",
        remediation="Sign in as root and delete its access keys.",
        controls={"CIS-AWS-3.0": ("1.4",)},
        facts=(ACCOUNTS,),
        hits="""SELECT resource_id, 'The root user of account ' || account || ' has an access key, which may do '
            || 'everything and can''t be restricted.' AS reason
        FROM accounts WHERE (doc->>'AccountAccessKeysPresent') ~ '^[1-9]'""",
    ),
    Check(
        id="aws-root-without-second-factor",
        title="The root user has no second factor",
        severity="critical",
        provider="aws",
        description="Root's password alone gives the whole account away.",
        remediation="Sign in as root and register a second factor.",
        controls={"CIS-AWS-3.0": ("1.5",)},
        facts=(ACCOUNTS,),
        hits="""SELECT resource_id, 'The root user of account ' || account || ' has no second factor.' AS reason
        FROM accounts WHERE (doc->>'AccountMFAEnabled') = '0'""",
    ),
)
