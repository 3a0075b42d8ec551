"""The sample estate and its costs: the same every time, readable whole, and with faults in a plausible measure."""

from __future__ import annotations

import io
import json
from collections import Counter, defaultdict
from datetime import date, timedelta
from decimal import Decimal
from statistics import median

from apps.connectors.files import read
from apps.connectors.records import ResourceRecord
from apps.connectors.sample import costs, estate

DAY = date(2026, 11, 20)


def test_the_same_seed_and_day_give_the_same_estate() -> None:
    assert list(estate(1, 300, DAY)) == list(estate(1, 300, DAY))
    assert list(estate(1, 300, DAY)) != list(estate(2, 300, DAY))


def test_ids_depend_on_the_seed_alone() -> None:
    later = DAY + timedelta(days=400)
    assert [row["id"] for row in estate(1, 500, DAY)] == [row["id"] for row in estate(1, 500, later)]


def test_a_longer_estate_begins_like_a_shorter_one() -> None:
    assert list(estate(3, 400, DAY))[:100] == list(estate(3, 100, DAY))


def test_every_row_reads_back_as_a_resource_with_its_columns() -> None:
    rows = list(estate(1, 2000, DAY))
    records = list(read(io.BytesIO("\n".join(map(json.dumps, rows)).encode())))
    assert len(records) == len(rows)
    assert len({record.key for record in records if isinstance(record, ResourceRecord)}) == len(rows)
    for record, row in zip(records, rows, strict=True):
        assert isinstance(record, ResourceRecord)
        assert record.account
        assert record.location
        assert record.document
        assert (record.tags, record.name) == (row["tags"], row["name"])


def test_eighty_resources_show_every_type_of_every_cloud() -> None:
    assert {row["type"] for row in estate(5, 80, DAY)} == {row["type"] for row in estate(5, 3000, DAY)}
    assert {row["provider"] for row in estate(5, 9, DAY)} == {"azure", "aws", "gcp", "ibm"}


def test_most_resources_are_tagged_and_some_are_not() -> None:
    tags = [row["tags"] for row in estate(1, 2000, DAY)]
    untagged = sum(not each for each in tags) / len(tags)
    assert 0.03 < untagged < 0.4
    assert sum(len(each) == 4 for each in tags) > len(tags) / 2


def test_an_aws_row_has_the_tags_of_its_document() -> None:
    for row in estate(1, 500, DAY):
        if row["provider"] == "aws":
            listed = {tag["Key"]: tag["Value"] for tag in row["properties"].get("Tags", [])}
            assert listed == row["tags"]


def test_ages_lie_in_the_past() -> None:
    for row in estate(1, 800, DAY):
        if row["type"] == "aws.ebs-snapshot":
            assert row["properties"]["StartTime"][:10] < DAY.isoformat()


def test_costs_are_the_same_every_time_and_cover_every_day() -> None:
    lines = list(costs(1, 60, DAY))
    assert lines == list(costs(1, 60, DAY))
    days = sorted({line["day"] for line in lines})
    assert days == [(DAY - timedelta(days=left)).isoformat() for left in range(59, -1, -1)]
    assert [line["day"] for line in lines] == sorted(line["day"] for line in lines)


def test_costs_are_exact_amounts_for_resources_of_the_estate() -> None:
    ids = {row["id"] for row in estate(1, 1000, DAY)}
    for line in costs(1, 3, DAY):
        assert isinstance(line["amount"], Decimal)
        assert line["amount"] > 0
        assert line["amount"].as_tuple().exponent == -4
        assert line["resource_id"] in ids


def test_a_resource_costs_something_once_a_day() -> None:
    counted = Counter((line["day"], line["resource_id"], line["service"]) for line in costs(1, 10, DAY))
    assert set(counted.values()) == {1}


def test_the_planted_spike_stands_out_and_weekends_are_quiet() -> None:
    by_day: dict[str, Decimal] = defaultdict(Decimal)
    for line in costs(1, 60, DAY):
        if line["service"] == "Amazon EC2":
            by_day[line["day"]] += line["amount"]
    spike = by_day.pop((DAY - timedelta(days=9)).isoformat())
    working = [amount for day, amount in by_day.items() if date.fromisoformat(day).weekday() < 5]
    weekend = [amount for day, amount in by_day.items() if date.fromisoformat(day).weekday() >= 5]
    assert spike > 2 * max(working)
    assert median(weekend) < Decimal("0.8") * median(working)
