"""The plain format and the Azure answer: good rows land, each bad one is refused with its line and reason."""

from __future__ import annotations

import gzip
import io
import json
import tracemalloc
from typing import Any

import pytest

from apps.connectors.bounds import MAX_DEPTH, MAX_ROW_BYTES
from apps.connectors.files import FORMATS, UnknownFormat, detect, read
from apps.connectors.records import Refusal, ResourceRecord


def row(**changes: Any) -> dict[str, Any]:
    given = {
        "id": "vol-1",
        "provider": "aws",
        "type": "aws.EBS",
        "name": "disk",
        "location": "us-east-1a",
        "tags": {"env": "prod"},
        "properties": {"VolumeId": "vol-1", "State": "in-use", "Encrypted": True},
    }
    given.update(changes)
    return {key: value for key, value in given.items() if value is not ...}


def arm(**changes: Any) -> dict[str, Any]:
    name = "/subscriptions/SUB-1/resourceGroups/Web-RG/providers/Microsoft.Compute/disks/d1"
    given = {"id": name, "name": "d1", "type": "Microsoft.Compute/disks", "location": "East US 2"}
    return {**given, "tags": None, "properties": {"diskState": "Unattached"}, **changes}


def lines(*rows: dict[str, Any] | bytes) -> bytes:
    return b"\n".join(item if isinstance(item, bytes) else json.dumps(item).encode() for item in rows)


def read_bytes(content: bytes, format: str | None = None) -> list[ResourceRecord | Refusal]:
    return list(read(io.BytesIO(content), format))


def refusal_between_good_rows(bad: dict[str, Any] | bytes) -> Refusal:
    """Reads good, bad, good: both good rows must land, and the bad one be refused on line 2."""
    first, second, third = read_bytes(lines(row(), bad, row(id="vol-2")))
    assert isinstance(first, ResourceRecord)
    assert isinstance(third, ResourceRecord)
    assert (first.native_id, third.native_id, third.line) == ("vol-1", "vol-2", 3)
    assert isinstance(second, Refusal)
    assert second.line == 2
    return second


def test_a_plain_row_becomes_a_normalised_record() -> None:
    (record,) = read_bytes(lines(row()))
    assert record == ResourceRecord(
        native_id="vol-1",
        provider="aws",
        type="aws.ebs",
        name="disk",
        group_name=None,
        location="us-east-1a",
        account=None,
        tags={"env": "prod"},
        status="in-use",
        document={"VolumeId": "vol-1", "State": "in-use", "Encrypted": True},
        line=1,
        part="whole",
    )


def test_an_arm_resource_is_kept_whole_with_its_line() -> None:
    content = json.dumps({"count": 2, "data": [arm(), arm(id=arm()["id"] + "b")]}, indent=1).encode()
    first, second = read_bytes(content)
    assert isinstance(first, ResourceRecord)
    assert first.document == arm()
    assert (first.type, first.location, first.group_name) == ("microsoft.compute/disks", "eastus2", "web-rg")
    assert (first.account, first.status, first.tags) == ("sub-1", "unattached", {})
    assert first.line == 4
    assert second.line == 4 + json.dumps(arm(), indent=1).count("\n") + 1


@pytest.mark.parametrize("wrap", [lambda data: data, lambda data: {"value": data, "nextLink": None}])
def test_a_bare_list_and_an_arm_list_answer_are_read(wrap: Any) -> None:
    (record,) = read_bytes(json.dumps(wrap([arm()])).encode())
    assert isinstance(record, ResourceRecord)
    assert record.document == arm()


def test_pages_of_an_answer_one_after_the_other_are_read() -> None:
    page = json.dumps({"count": 1, "data": [arm()]}).encode()
    assert [item.line for item in read_bytes(page + b"\n" + page)] == [1, 2]


@pytest.mark.parametrize("inner", [arm(), arm()["properties"]], ids=["whole", "inner"])
def test_an_azure_row_gives_the_same_paths_whichever_properties_it_has(inner: dict[str, Any]) -> None:
    (record,) = read_bytes(lines({**arm(), "provider": "azure", "properties": inner}))
    assert isinstance(record, ResourceRecord)
    assert record.document == arm()


@pytest.mark.parametrize(
    ("bad", "field", "reason"),
    [
        (row(id=...), "id", "id is missing"),
        (row(id=7), "id", "id is a number, not a string"),
        (row(id="  "), "id", "id is empty"),
        (row(id="é" * 513), "id", "1,026 bytes"),
        (row(provider="oracle"), "provider", "'oracle' is not one of azure, aws, gcp, ibm"),
        (row(provider=...), "provider", "provider 'None'"),
        (row(type=["x"]), "type", "type is an array"),
        (row(name={"value": 1}), "name", "name is an object"),
        (row(properties=[1]), "properties", "properties is an array, not an object"),
        (row(tags={"a": {"b": 1}}), "tags.a", "tags.a is an object"),
        (row(tags="env"), "tags", "neither an object nor a list"),
        (row(tags={str(n): "" for n in range(1025)}), "tags", "1,025 tags"),
        (row(tags={"a": "x" * 5000}), "tags.a", "tags.a has 5,000 bytes"),
        (row(name="a\x00b"), "name", "NUL"),
        (row(properties={"a": [{"b": "\ud800"}]}), "properties.a[0].b", "surrogate"),
        (row(properties={"\x00": 1}), "properties.�", "NUL"),
        (b'{"id": "x", "id": "y"}', "id", "appears twice"),
        (b'{"id": NaN}', None, "NaN is not JSON"),
        (b'{"id": -Infinity}', None, "-Infinity is not JSON"),
        (b'{"id": 1e999}', None, "beyond the range"),
        (b'{"id": ' + b"9" * 5000 + b"}", None, "5000 digits"),
        (b'{"a": ' + b"[" * 101 + b"]" * 101 + b"}", None, f"deeper than {MAX_DEPTH} levels"),
        (b'{"a": ' + b"[" * 99999 + b"]" * 99999 + b"}", None, f"deeper than {MAX_DEPTH} levels"),
        (b"[1, 2]", None, "an array, not an object"),
        (b"nonsense", None, "not JSON: Expecting value at column 1"),
        (b'{"id": "x"', None, "not JSON"),
        ('{"id": "é"}'.encode("latin-1"), None, "not UTF-8: byte 0xe9 at column 9"),
        (b'{"id": "' + b"x" * MAX_ROW_BYTES + b'"}', None, "longer than 4,194,304 bytes"),
    ],
)
def test_a_bad_row_is_refused_and_its_neighbours_land(bad: Any, field: str | None, reason: str) -> None:
    refusal = refusal_between_good_rows(bad)
    assert refusal.field == field
    assert reason in refusal.reason


def test_nesting_up_to_the_bound_and_a_pair_of_surrogates_are_taken() -> None:
    deep: Any = "🎉"
    for _ in range(MAX_DEPTH - 2):
        deep = [deep]
    (record,) = read_bytes(lines(row(properties={"a": deep})))
    assert isinstance(record, ResourceRecord)


def test_a_refusal_names_the_resource_where_the_row_tells_it() -> None:
    assert refusal_between_good_rows(row(id="vol-9", tags=3)).native_id == "vol-9"


def test_a_cut_file_lands_its_good_rows_and_tells_where_it_breaks() -> None:
    content = lines(row(), row(id="vol-2"), row(id="vol-3"))
    first, second, refusal = read_bytes(content[:-40])
    assert isinstance(first, ResourceRecord)
    assert isinstance(second, ResourceRecord)
    assert isinstance(refusal, Refusal)
    assert refusal.line == 3


def test_a_cut_document_lands_its_good_elements_and_tells_where_it_breaks() -> None:
    content = json.dumps({"data": [arm(), arm(), arm()]}, indent=0).encode()
    for cut in range(len(content) // 2, len(content) - 1, 7):
        *good, refusal = read_bytes(content[:cut])
        assert all(isinstance(item, ResourceRecord) for item in good)
        assert isinstance(refusal, Refusal)
        assert "cut short" in refusal.reason
        assert 1 <= refusal.line <= content[:cut].count(b"\n") + 1


def test_a_bad_element_is_refused_and_its_neighbours_land() -> None:
    text = json.dumps([arm(), arm(), arm()]).replace('"Unattached"', "nul", 1)
    refusal, second, third = read_bytes(text.encode())
    assert isinstance(refusal, Refusal)
    assert "not JSON" in refusal.reason
    assert isinstance(second, ResourceRecord)
    assert isinstance(third, ResourceRecord)


@pytest.mark.parametrize("element", ["5", '"text"', "null", "[]"])
def test_an_element_that_is_no_object_is_refused(element: str) -> None:
    refusal, record = read_bytes(f'{{"data": [{element}, {json.dumps(arm())}]}}'.encode())
    assert isinstance(refusal, Refusal)
    assert "not an object" in refusal.reason
    assert isinstance(record, ResourceRecord)


@pytest.mark.parametrize(
    "text",
    ['{"data": [{}', '{"data": [{},]}', '{"data": [{} {}]}', '{"data": [}', '{"data" [', "{5: 1}", "5"],
)
def test_wrong_brackets_end_the_reading_with_a_refusal(text: str) -> None:
    last = read_bytes(text.encode(), "azure-resource-graph")[-1]
    assert isinstance(last, Refusal)
    assert last.field is None


def test_a_table_answer_is_refused_by_its_key() -> None:
    (refusal,) = read_bytes(b'{"count": 1, "data": {"columns": [], "rows": [[1]]}}')
    assert isinstance(refusal, Refusal)
    assert refusal.field == "data"


def test_an_element_that_is_too_long_is_passed_over_in_flat_memory() -> None:
    blob = 'x\\"[{' * (16 * 1024 * 1024 // 6)
    head = json.dumps({"data": [arm()]}).encode()[:-2]
    content = head + b',\n{"tags": {"a": "' + blob.encode() + b'"}},\n' + json.dumps(arm()).encode() + b"]}"
    tracemalloc.start()
    first, refusal, last = read_bytes(content)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert isinstance(first, ResourceRecord)
    assert isinstance(refusal, Refusal)
    assert (refusal.line, last.line) == (2, 3)
    assert isinstance(last, ResourceRecord)
    assert peak < 20 * 1024 * 1024


def test_a_line_that_is_too_long_is_passed_over_in_flat_memory() -> None:
    content = lines(row(), row(tags={"a": "x" * 50_000_000}), row())
    tracemalloc.start()
    first, refusal, last = read_bytes(content)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert isinstance(first, ResourceRecord)
    assert isinstance(refusal, Refusal)
    assert (refusal.line, last.line) == (2, 3)
    assert peak < 20 * 1024 * 1024


def test_gzip_is_read_like_the_plain_file() -> None:
    content = lines(row(), row(id="vol-2"))
    assert read_bytes(gzip.compress(content)) == read_bytes(content)
    assert detect(io.BytesIO(gzip.compress(content))) == "ndjson"


def test_a_cut_gzip_lands_what_came_before_the_break() -> None:
    content = lines(*(row(id=f"vol-{n}", name=str(hash(n * 77))) for n in range(5000)))
    packed = gzip.compress(content)
    *good, refusal = read_bytes(packed[: len(packed) // 2])
    assert len(good) > 1000
    assert all(isinstance(item, ResourceRecord) for item in good)
    assert isinstance(refusal, Refusal)
    assert refusal.line == len(good) + 1
    assert "cut short" in refusal.reason


def test_a_damaged_gzip_is_refused() -> None:
    packed = bytearray(gzip.compress(lines(row()) * 100))
    packed[20:30] = b"\xff" * 10
    last = read_bytes(bytes(packed))[-1]
    assert isinstance(last, Refusal)
    assert "gzip" in last.reason


def test_a_gzip_bomb_is_broken_off() -> None:
    content = lines(row()) + b"\n" + b" " * (200 * 1024 * 1024)
    first, refusal = read_bytes(gzip.compress(content))
    assert isinstance(first, ResourceRecord)
    assert isinstance(refusal, Refusal)
    assert "250 times" in refusal.reason


@pytest.mark.parametrize("empty", [b"", b"\n\n  \n", b"\xef\xbb\xbf"])
def test_an_empty_file_is_refused(empty: bytes) -> None:
    assert read_bytes(empty) == [Refusal(1, None, "the file is empty")]


def test_a_list_without_elements_is_refused() -> None:
    assert read_bytes(b'{"count": 0, "data": []}') == [Refusal(1, None, "the file holds no resource")]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_another_encoding_is_refused_by_name(encoding: str) -> None:
    (refusal,) = read_bytes(lines(row()).decode().encode(encoding))
    assert isinstance(refusal, Refusal)
    assert "UTF-16" in refusal.reason


def test_a_byte_order_mark_and_windows_line_ends_are_taken() -> None:
    content = b"\xef\xbb\xbf" + lines(row(), row()).replace(b"\n", b"\r\n") + b"\r\n"
    assert [item.line for item in read_bytes(content) if isinstance(item, ResourceRecord)] == [1, 2]


def test_a_file_in_no_known_format_is_refused() -> None:
    (refusal,) = read_bytes(b"hello world\nthis is text\n")
    assert refusal == Refusal(1, None, "the file is in no known format")
    with pytest.raises(UnknownFormat):
        detect(io.BytesIO(b"hello"))


def test_detecting_leaves_the_stream_where_it_was() -> None:
    stream = io.BytesIO(b"xx" + lines(row()))
    stream.seek(2)
    assert detect(stream) == "ndjson"
    assert stream.tell() == 2


def test_a_file_whose_first_row_is_damaged_is_still_told_by_the_next() -> None:
    refusal, record = read_bytes(lines(b'{"broken', row()))
    assert isinstance(refusal, Refusal)
    assert isinstance(record, ResourceRecord)


def test_an_unknown_format_name_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        read(io.BytesIO(b""), "xml")


def test_a_long_file_streams_in_flat_memory() -> None:
    one = lines(row()) + b"\n"

    class Long(io.RawIOBase):
        left = 30_000 * len(one)

        def read(self, size: int = -1) -> bytes:
            start = -self.left % len(one)
            given = (one * (size // len(one) + 2))[start : start + min(size, self.left)]
            self.left -= len(given)
            return given

    tracemalloc.start()
    count = sum(1 for _ in read(Long(), "ndjson"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 30_000
    assert peak < 4 * 1024 * 1024
    assert set(FORMATS) >= {"ndjson", "azure-resource-graph"}
