"""Public inventories read whole: each of their rows lands or is refused with a line and a reason."""

from __future__ import annotations

import itertools
import json
import os
from pathlib import Path

import pytest

from apps.connectors.files import detect, read
from apps.connectors.records import Refusal

ROOT = Path(__file__).resolve().parents[2]
INVENTORY = Path(os.environ.get("CORPORA_DIR", ROOT.parent / "shared" / "corpora")) / "inventory"

pytestmark = pytest.mark.skipif(not INVENTORY.is_dir(), reason="the corpora are not here")

FILES = {
    "aws.ndjson": ("ndjson", 0),
    "gcp.ndjson": ("ndjson", 0),
    "azure_resource_graph.json": ("azure-resource-graph", 4),  # four metrics, whose name is an object
    "gcp_cloud_assets_1.ndjson": ("gcp-asset", 0),
    "gcp_cloud_assets_2.ndjson": ("gcp-asset", 0),
}


def rows_of(path: Path) -> int:
    if path.suffix == ".json":
        return len(json.loads(path.read_bytes())["data"])
    return sum(1 for line in path.read_bytes().split(b"\n") if line.strip())


@pytest.mark.parametrize("name", FILES)
def test_every_row_of_a_public_inventory_is_read_or_refused(name: str) -> None:
    path = INVENTORY / name
    format, refused = FILES[name]
    assert detect(path) == format
    items = list(read(path))
    refusals = [item for item in items if isinstance(item, Refusal)]
    assert len(items) == rows_of(path)
    assert [(item.field, bool(item.reason), bool(item.native_id)) for item in refusals] == [
        ("name", True, True)
    ] * refused
    assert len({item.line for item in items}) == len(items)


def test_an_azure_element_is_found_on_the_line_it_begins_on() -> None:
    path = INVENTORY / "azure_resource_graph.json"
    text = path.read_text()
    lines = text.split("\n")
    starts = list(itertools.accumulate((len(line) + 1 for line in lines), initial=0))
    for item in read(path):
        element, _ = json.JSONDecoder().raw_decode(text, starts[item.line - 1])
        assert isinstance(item, Refusal) or element == item.document
