"""Rows read by the fast decoder are what the strict one gives, and what it refuses is refused in its words."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.connectors.files import strict_json
from apps.connectors.files.strict_json import parse_object, to_text
from apps.connectors.records import Rejected


def strictly(raw: bytes) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(strict_json, "_loaded_fast", lambda raw: None)
        return outcome(raw)


def outcome(raw: bytes) -> Any:
    """The value with the types of its numbers, or the refusal."""
    try:
        return repr(parse_object(raw))
    except Rejected as rejected:
        return (rejected.field, rejected.reason)


# Few keys and texts full of colons, so that repeated keys and what hides them come often.
KEYS = st.sampled_from(["a", "b", ":", 'a":1,"a', "\\u003a", "é"])
NUMBERS = st.one_of(
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([2**63 - 1, 2**63, 2**64 - 1, 2**64, -(2**63), -(2**63) - 1, 10**300]),
)
NUMBER_TEXTS = st.one_of(
    NUMBERS.map(repr), st.sampled_from(["-0", "-0.0", "1E5", "1e400", "0.1e-400", "NaN", "01", "1."])
)
TEXTS = st.one_of(st.sampled_from([":", "e+", "1e+20", "\x7f", "\u2028", "\x00"]), st.text(max_size=5))


@st.composite
def objects(draw: st.DrawFn, depth: int = 0) -> str:
    pairs = draw(st.lists(st.tuples(KEYS, values(depth)), max_size=4))
    blank = draw(st.sampled_from(["", " ", "\t\n"]))
    told = [f"{_string(draw, key)}{blank}:{blank}{value}" for key, value in pairs]
    return "{" + f"{blank},".join(told) + blank + "}"


def values(depth: int) -> st.SearchStrategy[str]:
    leaves = st.one_of(NUMBER_TEXTS, TEXTS.map(json.dumps), st.sampled_from(["true", "null"]))
    if depth > 2:
        return leaves
    inner = objects(depth + 1)
    return st.one_of(
        leaves, inner, st.lists(inner, max_size=2).map(lambda items: "[" + ",".join(items) + "]")
    )


def _string(draw: st.DrawFn, text: str) -> str:
    """As JSON, now and then with its first character as an escape."""
    if draw(st.integers(0, 3)) == 0:
        return '"' + f"\\u{ord(text[0]):04x}" + json.dumps(text[1:])[1:]
    return json.dumps(text, ensure_ascii=draw(st.booleans()))


@given(objects())
def test_any_row_reads_as_the_strict_decoder_reads_it(text: str) -> None:
    raw = text.encode("utf-8", "surrogatepass")
    assert outcome(raw) == strictly(raw)


@pytest.mark.parametrize(
    ("text", "field", "reason"),
    [
        ('{"a": 1, "a": "\\u003a"}', "a", "the key 'a' appears twice in one object"),
        ('{"a": ":", "\\u0061": 1}', "a", "the key 'a' appears twice in one object"),
        ('{"x": {"a:": 1, "a:": 1}}', "a:", "the key 'a:' appears twice in one object"),
    ],
)
def test_a_repeated_key_is_found_whatever_hides_it(text: str, field: str, reason: str) -> None:
    assert outcome(text.encode()) == (field, reason)


@pytest.mark.parametrize("number", [2**63, 2**64, 2**64 + 1, -(2**63) - 1, 10**200 + 1])
def test_an_integer_beyond_64_bits_keeps_its_digits(number: int) -> None:
    value = parse_object(f'{{"a": [{number}]}}'.encode())
    assert value == {"a": [number]}
    assert json.loads(to_text(value)) == value


def test_most_rows_are_read_by_the_fast_decoder() -> None:
    """It is what an import's speed rests on; the strict one is left for what is odd."""
    row = {"id": "a:b", "n": 1.5, "big": 2**63 - 1, "text": "é\n\\", "list": [{"k": None}], "url": "a+b"}
    assert strict_json._loaded_fast(json.dumps(row).encode()) == row
