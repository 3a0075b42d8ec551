"""What every list does: filters in the URL, orderings, keyset pages, and reasons for being empty."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from apps.catalog.models import Resource
from apps.findings.models import ScanRun, Violation
from apps.tenancy.models import User
from apps.tenancy.roles import Role
from tests.fixtures.estate import acting_as
from tests.fixtures.rows import make_policy, make_resource, make_violation

pytestmark = pytest.mark.django_db
RESOURCES = "/resources/"
VIOLATIONS = "/violations/"


def names(html: str) -> list[str]:
    return re.findall(r">(bucket-\d+)</a>", html)


def body(client: Client, url: str, status: int = 200) -> str:
    answer = client.get(url)
    assert answer.status_code == status, answer.content
    return answer.content.decode()


def link(html: str, rel: str) -> str:
    found = re.search(rf'rel="{rel}" href="([^"]+)"', html)
    assert found is not None, f"no {rel} link"
    return found[1].replace("&amp;", "&")


@pytest.fixture
def estate(users: dict[Role, User]) -> None:
    """Twelve buckets, each with a violation, the severities in turn."""
    with acting_as(users[Role.OPERATOR]):
        policy = make_policy()
        for number in range(12):
            severity = ("low", "medium", "high", "critical")[number % 4]
            make_violation(make_resource(number), policy, severity=severity)


def test_pages_follow_each_other_without_gap_or_overlap_and_lead_back(viewer: Client, estate: None) -> None:
    first = body(viewer, f"{RESOURCES}?page_size=5")
    second = body(viewer, RESOURCES + link(first, "next"))
    third = body(viewer, RESOURCES + link(second, "next"))
    seen = names(first) + names(second) + names(third)
    assert len(seen) == len(set(seen)) == 12
    assert 'rel="next"' not in third
    assert names(body(viewer, RESOURCES + link(third, "prev"))) == names(second)
    assert "12 rows" in first


def test_worst_comes_first_and_the_head_of_the_column_turns_it_round(viewer: Client, estate: None) -> None:
    def severities(html: str) -> list[str]:
        return re.findall(r"</i>(\w+)</span></td>", html)

    worst = body(viewer, VIOLATIONS)
    assert severities(worst) == ["critical"] * 3 + ["high"] * 3 + ["medium"] * 3 + ["low"] * 3
    assert 'aria-sort="descending"' in worst and "?sort=mildest" in worst
    mildest = body(viewer, f"{VIOLATIONS}?sort=mildest")
    assert severities(mildest) == list(reversed(severities(worst)))


def test_filters_of_the_url_narrow_the_list_and_stay_on_its_links(viewer: Client, estate: None) -> None:
    html = body(viewer, f"{VIOLATIONS}?severity=critical&severity=high&page_size=4")
    assert "6 rows" in html
    assert "severity=critical" in link(html, "next") and "severity=high" in link(html, "next")
    assert re.search(r'value="critical" checked', html)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("sevrity=high", "There is no filter “sevrity”"),
        ("severity=purple", "Select a valid choice"),
        ("sort=colour", "can&#x27;t be ordered by “colour”"),
        ("cursor=nonsense", "The cursor does not belong to this list"),
        ("page_size=0", "page_size must be from 1 to"),
        ("page_size=many", "page_size must be a whole number"),
        ("first_seen_after=yesterday", "Enter a valid date/time"),
    ],
)
def test_what_the_url_has_wrong_is_said_with_400(query: str, said: str, viewer: Client, estate: None) -> None:
    assert said in body(viewer, f"{VIOLATIONS}?{query}", 400)


def test_a_wrong_filter_shows_no_rows_rather_than_all_of_them(viewer: Client, estate: None) -> None:
    assert names(body(viewer, f"{VIOLATIONS}?severity=purple", 400)) == []
    export = viewer.get(f"{VIOLATIONS}?severity=purple&export=csv")
    assert export.status_code == 400 and b"bucket" not in export.content


def test_text_from_a_cloud_is_escaped(viewer: Client, users: dict[Role, User]) -> None:
    with acting_as(users[Role.OPERATOR]):
        evil = make_resource(1, name="<script>alert(1)</script>", tags={"<b>": "<i>"}, account='"><u>')
    for url in (RESOURCES, reverse("catalog:resource-detail", args=[evil.pk]), "/search/?q=script"):
        html = body(viewer, url)
        assert "<script>alert" not in html and "&lt;script&gt;alert(1)" in html
        assert "<b>" not in html and "<u>" not in html


def test_an_empty_list_says_why_step_by_step(viewer: Client, users: dict[Role, User]) -> None:
    assert "Nothing has been imported" in body(viewer, VIOLATIONS)
    with acting_as(users[Role.OPERATOR]):
        resource: Resource = make_resource()
    assert "There are no policies" in body(viewer, VIOLATIONS)
    with acting_as(users[Role.OPERATOR]):
        policy = make_policy(status="disabled")
    assert "No policy is active" in body(viewer, VIOLATIONS)
    with acting_as(users[Role.OPERATOR]):
        make_policy("second")
    assert "Never scanned" in body(viewer, VIOLATIONS)
    with acting_as(users[Role.OPERATOR]):
        run = ScanRun.objects.create(status="failed", error="the server went away")
    assert "the server went away" in body(viewer, VIOLATIONS)
    with acting_as(users[Role.OPERATOR]):
        ScanRun.objects.filter(pk=run.pk).update(status="succeeded", resources=1, policies=1)
    assert "all of them comply" in body(viewer, VIOLATIONS)
    with acting_as(users[Role.OPERATOR]):
        make_violation(resource, policy)
    assert "Nothing matches" in body(viewer, f"{VIOLATIONS}?severity=low")


def test_the_overview_counts_what_people_see(viewer: Client, estate: None) -> None:
    html = body(viewer, "/")
    counts = re.findall(r"<strong>(\d+)</strong>", html.split('class="tiles"')[1].split("</ul>")[0])
    assert counts == ["3", "3", "3", "3", "0", "0"]


def test_search_finds_by_the_beginning_and_by_the_middle(viewer: Client, estate: None) -> None:
    assert "bucket-7" in body(viewer, "/search/?q=ucket-7")
    assert "arn:aws:s3:::bucket-3" in body(viewer, "/search/?q=arn:aws:s3:::bucket-3")
    assert "Nothing found" in body(viewer, "/search/?q=zzzz")
    assert "at least 3" in body(viewer, "/search/?q=zz")
    assert "has-owner" in body(viewer, "/search/?q=has-o")


def test_latest_open_is_the_specifications_sample_query(
    viewer: Client, users: dict[Role, User], rows: dict[str, Any]
) -> None:
    with acting_as(users[Role.OPERATOR]):
        fixed = make_violation(rows["resource"], make_policy("other"), reason="fixed long ago")
        Violation.objects.filter(pk=fixed.pk).update(status="fixed", last_seen="2020-01-01T00:00Z")
    html = body(viewer, "/violations/latest/")
    assert "has no owner" in html and "fixed long ago" not in html


def test_a_resource_that_is_gone_is_marked(viewer: Client, estate: None, users: dict[Role, User]) -> None:
    with acting_as(users[Role.OPERATOR]):
        Resource.objects.filter(name="bucket-3").update(status="deleted")
    html = body(viewer, f"{RESOURCES}?search=bucket-3")
    assert ">deleted</span>" in html
    assert ">deleted</span>" not in body(viewer, f"{RESOURCES}?search=bucket-4")
