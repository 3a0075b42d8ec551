"""Secrets never reach evidence; what only names one does."""

from __future__ import annotations

from typing import Any

import pytest

from apps.evidence.redaction import REDACTED, redacted


@pytest.mark.parametrize(
    "key",
    ["password", "MasterUserPassword", "SecretString", "client_secret", "db-password", "SessionToken", "authorization",
     "SecretAccessKey", "privateKey", "connection_string", "UserData", "apiKey", "X-Api-Key"],
)  # fmt: skip
def test_by_name(key: str) -> None:
    assert redacted({"a": [{key: "hunter2"}]}) == {"a": [{key: REDACTED}]}


@pytest.mark.parametrize(
    "key",
    ["HttpTokens", "SecretArn", "PasswordLastUsed", "ClientToken", "NextToken", "AccessKeyId", "KeyName", "author",
     "tokenizer", "password_policy", "SecretVersion"],
)  # fmt: skip
def test_what_only_tells_about_one_stays(key: str) -> None:
    assert redacted({key: "value"}) == {key: "value"}


@pytest.mark.parametrize(
    "text",
    [
        "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTYifQ.c2lnbmF0dXJl",
        "postgres://ada:hunter2@db.example.org/x",
        "https://s3/x?X-Amz-Signature=abcdef0123",
        "Endpoint=sb://x;SharedAccessKey=abc123=",
        "Bearer abcdefghijklmnopqrst",
    ],
)
def test_by_form(text: str) -> None:
    found: Any = redacted({"output": f"before {text} after"})["output"]
    assert REDACTED in found
    for secret in ("MIIE", "hunter2", "c2lnbmF0dXJl", "abcdef0123", "abc123", "abcdefghijklmnopqrst"):
        assert secret not in found
    assert found.startswith("before ")


def test_everything_else_is_left_as_it_is() -> None:
    document = {"a": 1, "b": None, "c": [True, 2.5, "text"], "d": {"public": False}}
    assert redacted(document) == document
