"""Patience with a cloud, and what its "no" is called."""

import random
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from apps.connectors import answers
from apps.connectors.access import AccountAccess, CredentialReference
from apps.connectors.clouds import connect
from apps.connectors.errors import (
    CloudAway,
    CloudConflict,
    CloudDenied,
    CloudError,
    CloudGone,
    CloudInvalid,
    CloudThrottled,
    CloudUnsupported,
)
from apps.connectors.files.azure_resource_graph import record_of_arm_resource
from apps.connectors.listing import ATTEMPTS, LONGEST_WAIT_SECONDS, patiently, records_of
from apps.connectors.records import Refusal


def _failing(errors):
    left = list(errors)

    def call():
        if left:
            raise left.pop(0)
        return "done"

    return call


def test_a_cloud_that_asks_to_wait_is_waited_for_that_long_and_a_little() -> None:
    waits: list[float] = []
    call = _failing([CloudThrottled("slow", retry_after=7), CloudAway("gone")])
    assert patiently(call, sleep=waits.append) == "done"
    assert 7 <= waits[0] <= 8
    assert 1 <= waits[1] <= 2


def test_waits_double_up_to_a_bound_and_end_in_the_error() -> None:
    random.seed(1)
    waits: list[float] = []
    with pytest.raises(CloudAway):
        patiently(_failing([CloudAway("away")] * ATTEMPTS), sleep=waits.append)
    assert len(waits) == ATTEMPTS - 1
    assert max(waits) <= LONGEST_WAIT_SECONDS
    assert waits[-1] > 4 * waits[0]


@pytest.mark.parametrize(
    "error", [CloudDenied("no"), CloudInvalid("wrong"), CloudThrottled("later", retry_after=3600)]
)
def test_what_no_short_wait_mends_is_not_waited_for(error: CloudError) -> None:
    waits: list[float] = []
    with pytest.raises(type(error)):
        patiently(_failing([error]), sleep=waits.append)
    assert waits == []


@pytest.mark.parametrize(
    ("status", "kind", "retryable"),
    [
        (400, CloudInvalid, False),
        (401, CloudDenied, False),
        (403, CloudDenied, False),
        (404, CloudGone, False),
        (409, CloudConflict, False),
        (412, CloudConflict, False),
        (429, CloudThrottled, True),
        (500, CloudAway, True),
        (503, CloudAway, True),
    ],
)
def test_each_status_has_its_error_and_its_words(
    status: int, kind: type[CloudError], retryable: bool
) -> None:
    error = answers.error_for(
        cloud="Azure", doing="stop the machine", status=status, said="It says so.", code="Code"
    )
    assert type(error) is kind
    assert error.retryable is retryable
    assert "stop the machine" in str(error)
    assert "It says so" in str(error)
    assert "(Code)" in str(error)


def test_a_message_repeats_no_token() -> None:
    said = "bad header Bearer abc.def.ghi and client_secret=hunter2 and apikey: hunter3"
    message = str(answers.error_for(cloud="X", doing="read", status=400, said=said))
    assert "abc.def" not in message
    assert "hunter" not in message


def test_the_wait_is_read_from_each_form_of_header() -> None:
    assert answers.retry_after_of({"Retry-After": "12"}) == 12
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=30))
    assert 25 < answers.retry_after_of({"retry-after": soon}) <= 30  # type: ignore[operator]
    assert answers.retry_after_of({"x-ms-user-quota-resets-after": "00:01:05"}) == 65
    assert answers.retry_after_of({"retry-after": "soon"}) is None
    assert answers.retry_after_of({}) is None
    assert answers.retry_after_of(None) is None


def test_rows_of_an_api_are_checked_as_those_of_a_file() -> None:
    rows = [
        {"id": "/subscriptions/a/x", "type": "T", "name": "n"},
        {"id": "/subscriptions/a/y", "type": "T", "properties": {"text": "a\x00b"}},
        {"id": None, "type": "T"},
    ]
    good, bad, missing = records_of(rows, record_of_arm_resource)
    assert good.type == "t"
    assert isinstance(bad, Refusal)
    assert "NUL" in bad.reason
    assert isinstance(missing, Refusal)
    assert missing.line == 3


def test_a_cloud_without_connector_says_so() -> None:
    with pytest.raises(CloudUnsupported, match="no connector for oracle"):
        connect(AccountAccess("oracle", "a", CredentialReference("file")))
