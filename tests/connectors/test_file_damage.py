"""Whatever bytes come: reading ends, raises nothing, and agrees with a plain JSON parser on what is whole."""

from __future__ import annotations

import gzip
import io
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.connectors.files import FORMATS, read
from apps.connectors.files.elements import array_elements
from apps.connectors.records import Refusal, ResourceRecord
from apps.connectors.sample import estate

texts = st.text(st.characters(codec="utf-8"), max_size=12)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=20,
)


class Trickle(io.BytesIO):
    """Gives at most `step` bytes a read, so that every token is cut somewhere."""

    def __init__(self, content: bytes, step: int) -> None:
        super().__init__(content)
        self._step = step

    def read1(self, size: int | None = -1, /) -> bytes:
        return super().read1(self._step)

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(self._step if size is None or size < 0 else min(size, self._step))


@settings(max_examples=150, deadline=None)
@given(st.lists(values, max_size=5), st.sampled_from([None, 0, 2]), st.integers(1, 40), st.booleans())
def test_elements_are_those_a_json_parser_finds(
    elements: list[Any], indent: int | None, step: int, ascii_only: bool
) -> None:
    document = {"before": elements, "data": elements, "after": {"data": 1}}
    content = json.dumps(document, indent=indent, ensure_ascii=ascii_only).encode()
    found = list(array_elements(Trickle(content, step), ("data",)))
    assert [json.loads(item[1]) for item in found if isinstance(item, tuple)] == elements
    assert not [item for item in found if isinstance(item, Refusal)]


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_damaged_bytes_are_refused_and_never_raise(data: st.DataObject) -> None:
    good = json.dumps({"data": [{"id": "/subscriptions/s", "type": "T", "name": "n"}] * 3}, indent=1).encode()
    at = data.draw(st.integers(0, len(good)))
    content = good[:at] + data.draw(st.binary(max_size=6)) + good[at + data.draw(st.integers(0, 20)) :]
    for format in FORMATS:
        for item in read(io.BytesIO(content), format):
            assert isinstance(item, ResourceRecord) or item.reason
            assert item.line >= 1


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_give_records_or_refusals(content: bytes) -> None:
    for packed in (content, gzip.compress(content)[: len(content) + 10]):
        items = list(read(io.BytesIO(packed)))
        assert items


@settings(max_examples=100, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["id", "provider", "type", "name", "location", "tags", "properties"]), values
    )
)
def test_any_object_is_a_record_or_a_refusal_that_can_be_stored(row: dict[str, Any]) -> None:
    for provider in ("aws", "azure", row.get("provider")):
        content = json.dumps({"id": "x", **row, "provider": provider}).encode()
        (item,) = read(io.BytesIO(content), "ndjson")
        shown = repr(item)
        assert "\x00" not in shown
        shown.encode()


@pytest.mark.parametrize("step", [1, 7, 4096])
def test_a_stream_that_trickles_gives_the_same_records(step: int) -> None:
    content = "\n".join(json.dumps(row) for row in estate(1, 30)).encode()
    assert list(read(Trickle(content, step))) == list(read(io.BytesIO(content)))
