"""YAML of any kind: plain data within bounds, or a refusal that names the line."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.rules.custodian.loading import load_yaml
from apps.rules.errors import InvalidPolicy


def refused(source: str | bytes) -> InvalidPolicy:
    started = time.perf_counter()
    with pytest.raises(InvalidPolicy) as caught:
        load_yaml(source.encode() if isinstance(source, str) else source)
    assert time.perf_counter() - started < 30
    return caught.value


def test_a_policy_file_is_plain_data() -> None:
    source = b"""
vars:
  common: &common
    - tag:Owner: absent
policies:
  - name: a
    resource: aws.ec2
    filters:
      - or: *common
      - {type: value, key: LaunchTime, value: 2026-01-31, flag: yes, n: 0x10, f: 1e3}
"""
    loaded = load_yaml(source)
    assert loaded["policies"][0]["filters"] == [
        {"or": [{"tag:Owner": "absent"}]},
        {"type": "value", "key": "LaunchTime", "value": "2026-01-31", "flag": True, "n": 16, "f": "1e3"},
    ]


def test_merged_keys_give_way_to_the_objects_own() -> None:
    source = b"a: &a {x: 1, y: 2}\nb: &b {y: 3, z: 4}\nc: {<<: [*a, *b], x: 9}\n"
    assert load_yaml(source)["c"] == {"x": 9, "y": 2, "z": 4}


def test_keys_are_texts() -> None:
    assert load_yaml(b"{1: a, true: b, null: c}") == {"1": "a", "true": "b", "null": "c"}


def test_json_is_read_as_well() -> None:
    assert load_yaml(b'{"policies": [{"name": "a", "n": 1.5}]}') == {"policies": [{"name": "a", "n": 1.5}]}


def test_an_empty_file_is_nothing() -> None:
    assert load_yaml(b"") is None


def test_a_key_that_stands_twice_is_refused_with_its_line() -> None:
    error = refused("a: 1\nb: 2\na: 3\n")
    assert error.path == "line 3"
    assert '"a" stands twice' in error.reason


def test_billion_laughs_are_refused() -> None:
    lines = ['a0: &a0 ["lol", "lol", "lol", "lol", "lol", "lol", "lol", "lol", "lol"]']
    lines += [f"a{n}: &a{n} [" + ", ".join([f"*a{n - 1}"] * 9) + "]" for n in range(1, 12)]
    assert "references repeat" in refused("\n".join(lines)).reason


def test_a_merge_bomb_is_refused() -> None:
    lines = ["a0: &a0 {k: 1}"]
    lines += [f"a{n}: &a{n} {{<<: [*a{n - 1}, *a{n - 1}, *a{n - 1}]}}" for n in range(1, 30)]
    assert "references repeat" in refused("\n".join(lines)).reason


def test_a_reference_to_itself_is_refused() -> None:
    assert "leads back to itself" in refused("a: &a [*a]").reason


@pytest.mark.parametrize("source", ["[" * 5000, "{a: " * 5000, "- " * 5000, "a: " + "[" * 101 + "]" * 101])
def test_deep_nesting_is_refused(source) -> None:
    assert "nested" in refused(source).reason


def test_too_many_values_are_refused() -> None:
    assert "more than" in refused("- 1\n" * 260_000).reason


def test_a_file_that_is_too_large_is_refused() -> None:
    assert "larger" in refused(b"a" * (21 * 1024 * 1024)).reason


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("a: [1, 2", "no YAML"),
        ("a: !!python/object/apply:os.system ['true']", "not supported"),
        ("a: !!python/name:os.system x", "no YAML"),
        ("a: !!binary aGVsbG8=", "not supported"),
        ("a: !custom 1", "no YAML"),
        ("a: .inf", "infinite"),
        ("a: .nan", "infinite"),
        ("a: *missing", "no YAML"),
        ("a: 1\n---\nb: 2", "more than one document"),
        ("? [a]\n: b", "a key is no text"),
        ("a: \x00", "no YAML"),
        (b"a: \xff\xfe", "not UTF-8"),
        ("a: !!int nonsense", "cannot be read"),
        ("<<: 5", "only an object"),
        ("a: 0o" + "7" * 6000, None),
        ("a: " + "9" * 6000, "cannot be read"),
    ],
)
def test_what_is_no_plain_yaml_is_refused(source, reason) -> None:
    if reason is None:
        load_yaml(source.encode())
    else:
        assert reason in refused(source).reason


@given(
    st.one_of(
        st.binary(max_size=60), st.text(alphabet="ab:-[]{}&*!<>|'\"#?, \n%@`0", max_size=60).map(str.encode)
    )
)
@settings(max_examples=1000, deadline=None)
def test_no_file_brings_the_loader_down(source) -> None:
    try:
        load_yaml(source)
    except InvalidPolicy as error:
        assert error.reason
