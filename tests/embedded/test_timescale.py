import datetime

import pytest
from django.db import connections

pytestmark = [pytest.mark.timescale, pytest.mark.django_db(databases=["default", "owner"])]


def test_hypertable_of_the_owner_splits_rows_into_chunks() -> None:
    with connections["owner"].cursor() as cursor:
        cursor.execute("CREATE EXTENSION IF NOT EXISTS timescaledb")
        cursor.execute("CREATE TABLE trial (day date NOT NULL, amount numeric, PRIMARY KEY (day))")
        cursor.execute("SELECT create_hypertable('trial', by_range('day', interval '30 days'))")
        cursor.execute("INSERT INTO trial VALUES ('2026-01-01', 1), ('2026-06-01', 2)")
        cursor.execute("SELECT count(*) FROM show_chunks('trial')")
        assert cursor.fetchone() == (2,)
        cursor.execute("SELECT time_bucket('1 year', day), sum(amount) FROM trial GROUP BY 1")
        assert cursor.fetchall() == [(datetime.date(2026, 1, 1), 3)]


def test_telemetry_is_off() -> None:
    with connections["default"].cursor() as cursor:
        cursor.execute("SHOW timescaledb.telemetry_level")
        assert cursor.fetchone() == ("off",)
