"""Keys that are derived, and rows in COPY's text form: both are kept by what was stored before."""

from __future__ import annotations

import base64
import hashlib

import pytest
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from apps.core.db.copying import copy_json, copy_text, from_copy_text
from apps.core.ids import derived_key

PARTS = st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=20), min_size=1, max_size=5)


@given(PARTS)
def test_a_derived_key_is_base32_of_the_digest_of_its_length_prefixed_parts(parts: list[str]) -> None:
    told = b"".join(len(part.encode()).to_bytes(4, "big") + part.encode() for part in parts)
    expected = base64.b32encode(hashlib.sha256(told).digest()[:16]).decode().rstrip("=").lower()
    assert derived_key("r", *parts) == f"r-{expected}"


def test_keys_of_parts_cut_elsewhere_differ() -> None:
    assert derived_key("r", "ab", "c") != derived_key("r", "a", "bc")


@pytest.mark.django_db
@pytest.mark.parametrize(
    "values",
    [
        ["plain", None, "é"],
        ["a\tb", "c\\d", "e\nf", "g\rh"],
        ["\\N", None, "\\", "\\t", ""],
        ["\\.", "\x7f", "\u2028"],
    ],
)
def test_what_is_copied_is_what_was_given(values: list[str | None]) -> None:
    with connection.cursor() as cursor:
        columns = ", ".join(f"c{n} text" for n in range(len(values)))
        cursor.execute(f"CREATE TEMPORARY TABLE copied ({columns}, j jsonb)")
        with cursor.copy("COPY copied FROM STDIN") as copy:
            copy.write(
                copy_text(values).encode() + b"\t" + copy_json(b'{"a":"\\\\ \\n \\t \\u0001"}') + b"\n"
            )
        cursor.execute("SELECT * FROM copied")
        (row,) = cursor.fetchall()
        cursor.execute("DROP TABLE copied")
    assert list(row[:-1]) == values
    assert "\\u0001" in str(row[-1]) or "\x01" in str(row[-1])


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_value_in_copys_form_reads_back(text: str) -> None:
    assert from_copy_text(copy_text([text])) == text
