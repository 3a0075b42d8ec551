"""The starter library: whole in its metadata, compiled by the engine, and true of some of the sample and not of all."""

from __future__ import annotations

import io
import json
import re
from collections import Counter
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from apps.connectors.files import read
from apps.connectors.records import ResourceRecord
from apps.connectors.sample import estate
from apps.rules.compile import CompiledRule, compile_policy, split_document
from apps.rules.custodian.resource_types import resources_of
from apps.rules.evaluate import Resource, evaluate

STARTER = Path(__file__).resolve().parents[2] / "apps" / "catalog" / "starter"
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
LEAST = {"azure": 40, "aws": 40, "gcp": 40, "ibm": 15}
CATEGORIES = {"tagging", "encryption", "public-exposure", "identity", "logging", "cost", "resilience"}
# Families of NIST SP 800-53 revision 5, and the themes of ISO/IEC 27001:2022 Annex A.
NIST = re.compile(
    r"(AC|AT|AU|CA|CM|CP|IA|IR|MA|MP|PE|PL|PM|PS|PT|RA|SA|SC|SI|SR)-[1-9][0-9]?(\([1-9][0-9]?\))?"
)
ISO = re.compile(r"A\.(5\.([1-9]|[12][0-9]|3[0-7])|6\.[1-8]|7\.([1-9]|1[0-4])|8\.([1-9]|[12][0-9]|3[0-4]))")


def metadata_of(document: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = document.get("properties", document)["metadata"]
    return found


def title_of(document: dict[str, Any]) -> str:
    """Azure has a place for it, Custodian only its free metadata."""
    return str(metadata_of(document).get("title") or document["properties"]["displayName"])


def loaded() -> list[tuple[Path, Any]]:
    """Every definition of the library with its file."""
    found = []
    for path in sorted(STARTER.rglob("*")):
        if path.is_file():
            text = path.read_text(encoding="utf-8")
            content = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
            found += [(path, definition) for definition in split_document(content)]
    return found


LIBRARY = loaded()
every_policy = pytest.mark.parametrize(("path", "definition"), LIBRARY, ids=[d.name for _, d in LIBRARY])


@cache
def sample() -> dict[str, list[Resource]]:
    """Resources of the sample estate by type, as the import makes them."""
    text = "\n".join(json.dumps(row) for row in estate(seed=7, resources=3000, today=NOW.date()))
    found: dict[str, list[Resource]] = {}
    for record in read(io.BytesIO(text.encode())):
        assert isinstance(record, ResourceRecord)
        resource = Resource(
            type=record.type,
            properties=record.document,
            tags=record.tags,
            id=record.native_id,
            native_id=record.native_id,
            provider=record.provider,
            name=record.name,
            group_name=record.group_name,
            location=record.location,
            account=record.account,
            status=record.status,
        )
        found.setdefault(record.type, []).append(resource)
    return found


def candidates(rule: CompiledRule) -> list[Resource]:
    types = sample() if rule.resource_types is None else rule.resource_types
    every = [resource for name in types for resource in sample().get(name, [])]
    return [resource for resource in every if rule.provider in (None, resource.provider)]


def test_each_cloud_has_its_share_of_policies() -> None:
    counted = Counter(path.relative_to(STARTER).parts[0] for path, _ in LIBRARY)
    assert set(counted) == set(LEAST)
    assert all(counted[cloud] >= least for cloud, least in LEAST.items())


def test_each_large_cloud_covers_every_category() -> None:
    for cloud in ("azure", "aws", "gcp"):
        of_cloud = (d for path, d in LIBRARY if path.relative_to(STARTER).parts[0] == cloud)
        assert {metadata_of(d.document)["category"] for d in of_cloud} == CATEGORIES


def test_names_are_unique_and_say_their_cloud() -> None:
    names = [definition.name for _, definition in LIBRARY]
    assert len(names) == len(set(names))
    for path, definition in LIBRARY:
        assert definition.name.startswith(path.relative_to(STARTER).parts[0] + "-")
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)+", definition.name)


def test_titles_and_rationales_within_a_cloud_are_their_own() -> None:
    for cloud in LEAST:
        of_cloud = [d.document for path, d in LIBRARY if path.relative_to(STARTER).parts[0] == cloud]
        titles = [title_of(document) for document in of_cloud]
        assert [title for title, count in Counter(titles).items() if count > 1] == []


def test_custodian_knows_the_resources_of_the_large_clouds() -> None:
    for path, definition in LIBRARY:
        if path.parent.name in ("aws", "gcp"):
            assert resources_of(definition.document["resource"]).is_known, definition.name


@every_policy
def test_a_starter_policy_says_why_how_bad_and_what_to_do(path: Path, definition: Any) -> None:
    document, told = definition.document, metadata_of(definition.document)
    assert len(title_of(document)) > 15
    assert told["severity"] in ("low", "medium", "high", "critical")
    assert told["category"] in CATEGORIES
    assert told["category"] in (path.stem, path.parent.name)
    assert told["rationale"].endswith(".")
    assert told["remediation"].endswith(".")
    assert told["controls"]["nist-800-53-r5"]
    assert told["controls"]["iso-27001-2022"]
    assert all(NIST.fullmatch(control) for control in told["controls"]["nist-800-53-r5"])
    assert all(ISO.fullmatch(control) for control in told["controls"]["iso-27001-2022"])


@every_policy
def test_a_starter_policy_is_true_of_some_of_the_sample_and_not_of_all(path: Path, definition: Any) -> None:
    rule = compile_policy(definition.document, language=definition.language, now=NOW)
    assert rule.provider in (None, path.relative_to(STARTER).parts[0])
    resources = candidates(rule)
    hits = sum(evaluate(rule.tree, resource) for resource in resources)
    assert 0 < hits < len(resources)


@pytest.mark.slow
def test_the_custodian_policies_of_amazon_satisfy_custodian_itself() -> None:
    schema = pytest.importorskip("c7n.schema")
    files = [
        yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted((STARTER / "aws").glob("*.yml"))
    ]
    names = {policy["resource"] for content in files for policy in content["policies"]}
    pytest.importorskip("c7n.resources").load_resources(tuple(names))
    assert [schema.validate(content) for content in files] == [[]] * len(files)
