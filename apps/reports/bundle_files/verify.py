#!/usr/bin/env python3
"""Checks the evidence report that it lies in: `python3 verify.py [FOLDER] [--public-key KEY]`.

The key, NAME+ID+BASE64, is the one that the desk's sealer signs with. It travels by another way than the bundle:
ask the desk's operator (`manage.py audit key --show`). Without it everything but the signature is checked.

Python 3.9 or newer, its standard library alone, no network. Exit code 0: all is as it was written; 1: not,
and each thing that is wrong is named.
"""
# ruff: noqa: T201, UP017, B905 (the house writes for 3.11, this file for 3.9)

from __future__ import annotations

import argparse
import base64
import csv
import hashlib
import heapq
import importlib.util
import json
import os
import sys
import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

MANIFEST, RECEIPT, CHECKPOINT, PLACES = "manifest.json", "receipt.json", "checkpoint.txt", "places.json"
AUDIT_TABLE, LEAVES = "audit.csv", "audit/leaves.jsonl"
SAMPLE_TABLE, VIOLATIONS = "sample.csv", "violations.jsonl"
SAMPLE_SIZE = 25
EVIDENCE_TABLE, EVIDENCE = "evidence.csv", "evidence/"
PROOFS = "tlog.py"
UNSEALED = (
    "Compare it with the one the desk shows for this report: nothing here can vouch for the manifest itself."
)
UNKNOWN = "who signed it was not checked: give --public-key, from another source than this bundle."
SCHEMA = "governance.evidence-report"
EPOCH = datetime(2000, 1, 1, tzinfo=timezone.utc)
NONE = 0xFFFFFFFF
FORMULA = ("=", "+", "-", "@", "\t", "\r", "'")
FIELDS = ("id", "tenant", "created_at", "actor", "action", "target_type", "target_id", "payload")
MAX_NAMED = 1000

Row = dict[str, Any]


class Findings:
    """What is wrong, in the order found; beyond a thousand things only their number grows."""

    def __init__(self) -> None:
        self.number = 0

    def add(self, where: str, what: str) -> None:
        self.number += 1
        if self.number <= MAX_NAMED:
            print(f"WRONG  {where}: {what}")


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", nargs="?", type=Path, default=Path(__file__).resolve().parent)
    parser.add_argument("--public-key", metavar="KEY", help="NAME+ID+BASE64")
    asked = parser.parse_args(arguments)
    folder: Path = asked.folder
    found = Findings()
    manifest = read_manifest(folder, found)
    rows, sealed = 0, ""
    if manifest is not None:
        intact = check_files(folder, manifest["files"], found)
        if LEAVES in intact:
            rows = check_audit(folder, manifest, AUDIT_TABLE in intact, found)
        if EVIDENCE_TABLE in intact:
            check_evidence(folder, manifest, found)
        if SAMPLE_TABLE in intact and VIOLATIONS in intact:
            check_sample(folder, str(manifest.get("sample_seed")), found)
        if PROOFS in intact:
            sealed = check_receipt(folder, manifest, asked.public_key, LEAVES in intact, found)
    if manifest is None or found.number:
        print(f"NOT VERIFIED: {found.number} things are wrong in {folder}.")
        return 1
    print(f"OK: {len(manifest['files'])} files and {rows} audit rows are as they were written.")
    print(f"SHA-256 of {MANIFEST}: {hash_file(folder / MANIFEST)[0]}")
    print(sealed)
    return 0


def read_manifest(folder: Path, found: Findings) -> Row | None:
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except OSError as error:
        found.add(MANIFEST, f"can't be read: {error.strerror}")
        return None
    except ValueError as error:
        found.add(MANIFEST, f"is not JSON: {error}")
        return None
    if not isinstance(manifest, dict) or manifest.get("schema") != SCHEMA:
        found.add(MANIFEST, f"is not the manifest of an evidence report ({SCHEMA})")
        return None
    version = str(manifest.get("schema_version", ""))
    if version.split(".")[0] != "1":
        found.add(MANIFEST, f"has schema version {version!r}, which this verify.py does not know")
        return None
    problem = shape_problem(manifest)
    if problem:
        found.add(MANIFEST, problem)
        return None
    checked: Row = manifest
    return checked


def shape_problem(manifest: Row) -> str | None:
    if not isinstance(manifest.get("tenant"), dict) or "id" not in manifest["tenant"]:
        return "names no tenant"
    if not isinstance(manifest.get("files"), list) or not manifest["files"]:
        return "lists no files"
    for entry in manifest["files"]:
        if not isinstance(entry, dict) or not {"path", "sha256", "size"} <= set(entry):
            return f"has an entry without path, sha256 or size: {entry!r}"
    paths = [entry["path"] for entry in manifest["files"]]
    if len(set(paths)) != len(paths):
        return "lists a file twice"
    return None


def check_files(folder: Path, files: list[Row], found: Findings) -> list[str]:
    """Compare every file with its entry; returns the paths that are intact."""
    present = set(walk(folder, found))
    intact = []
    for entry in files:
        path = str(entry["path"])
        if path not in present:
            found.add(path, "is in the manifest and missing here")
            continue
        digest, size = hash_file(folder / path)
        if size != entry["size"]:
            found.add(path, f"has {size} bytes, the manifest says {entry['size']}")
        if digest != entry["sha256"]:
            found.add(path, f"was changed: its SHA-256 is {digest}, the manifest says {entry['sha256']}")
        if (digest, size) == (entry["sha256"], entry["size"]):
            intact.append(path)
    for path in sorted(
        present - {str(entry["path"]) for entry in files} - {MANIFEST, RECEIPT, CHECKPOINT, PLACES}
    ):
        found.add(path, "is here and not in the manifest")
    return intact


def walk(folder: Path, found: Findings) -> Iterator[str]:
    """The path of every file below `folder`, with slashes; anything that is no plain file is wrong."""
    for parent, folders, names in os.walk(folder):
        for name in folders + names:
            whole = Path(parent, name)
            path = whole.relative_to(folder).as_posix()
            if whole.is_symlink():
                found.add(path, "is a link")
            elif whole.is_file():
                yield path
            elif not whole.is_dir():
                found.add(path, "is no plain file")


def hash_file(path: Path) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        for chunk in iter(lambda: file.read(1 << 20), b""):
            digest.update(chunk)
            size += len(chunk)
    return digest.hexdigest(), size


def check_audit(folder: Path, manifest: Row, with_table: bool, found: Findings) -> int:
    """Recompute each leaf, decode its bytes, compare them with the row shown in both files."""
    table = read_table(folder) if with_table else None
    rows = 0
    with (folder / LEAVES).open("rb") as file:
        for rows, line in enumerate(file, start=1):
            where = f"{LEAVES} line {rows}"
            row = check_leaf(line, where, str(manifest["tenant"]["id"]), found)
            if table is None:
                continue
            shown = next(table, None)
            if shown is None:
                found.add(where, f"has no row in {AUDIT_TABLE}")
                table = None
            elif row is not None:
                compare_table(row, shown, f"{AUDIT_TABLE} row {rows}", found)
    if table is not None:
        for extra in table:
            found.add(AUDIT_TABLE, f"has a row without a leaf: {extra.get('id')}")
    return rows


def check_leaf(line: bytes, where: str, tenant: str, found: Findings) -> Row | None:
    try:
        row: Row = parse(line)
        canonical = base64.b64decode(row["canonical"], validate=True)
        leaf = row["leaf"]
    except (ValueError, KeyError, TypeError) as error:
        found.add(where, f"is no audit row: {error!r}")
        return None
    where = f"{where} (audit row {row.get('id')})"
    if hashlib.sha256(b"\x00" + canonical).hexdigest() != leaf:
        found.add(where, "its leaf is not the hash of its canonical bytes")
        return None
    try:
        sealed = decode(canonical)
    except ValueError as error:
        found.add(where, f"its canonical bytes can't be read: {error}")
        return None
    if sealed["tenant"] != tenant:
        found.add(where, f"belongs to tenant {sealed['tenant']}")
    for name in FIELDS:
        if name != "tenant" and (name not in row or row[name] != sealed[name]):
            found.add(where, f"{name} is shown as {row.get(name)!r}, the bytes say {sealed[name]!r}")
    return row


def check_receipt(folder: Path, manifest: Row, key: str | None, with_leaves: bool, found: Findings) -> str:
    """Whether a signed checkpoint holds an audit row that names the manifest's hash; what to say of it."""
    there = [name for name in (RECEIPT, CHECKPOINT) if (folder / name).exists()]
    if len(there) < 2:
        for name in (RECEIPT, CHECKPOINT) if key or there else ():
            if name not in there:
                found.add(name, "is missing: nothing shows that the manifest was sealed")
        return UNSEALED
    tlog = load_proofs(folder)
    try:
        checkpoint = tlog.parse_checkpoint((folder / CHECKPOINT).read_bytes())
    except (OSError, tlog.Malformed) as error:
        found.add(CHECKPOINT, str(error))
        return UNSEALED
    try:
        verifier = tlog.parse_verifier(key) if key else None
    except tlog.Malformed as error:
        found.add("--public-key", str(error))
        return UNSEALED
    if not checkpoint.origin.endswith(f"/tenants/{manifest['tenant']['id']}"):
        found.add(CHECKPOINT, f"is of {checkpoint.origin}")
    if verifier is not None and not checkpoint.signed_by(verifier):
        found.add(CHECKPOINT, f"is not signed by {verifier.name}")
    check_inclusion(folder, manifest, tlog, checkpoint, found)
    if with_leaves:
        print(check_places(folder, tlog, checkpoint, found))
    said = f"Its hash is one of the {checkpoint.size} rows of the audit trail"
    return f"{said} that {verifier.name} has signed." if verifier else f"{said} of {CHECKPOINT}; {UNKNOWN}"


def check_inclusion(folder: Path, manifest: Row, tlog: Any, checkpoint: Any, found: Findings) -> None:
    """Whether the receipt's row names this manifest, and its path leads to the checkpoint's root."""
    try:
        receipt = json.loads((folder / RECEIPT).read_text(encoding="utf-8"))
        canonical = base64.b64decode(receipt["canonical"], validate=True)
        row = decode(canonical)
        path = [bytes.fromhex(node) for node in receipt["path"]]
        index, payload = int(receipt["index"]), row["payload"] or {}
    except (OSError, ValueError, KeyError, TypeError) as error:
        found.add(RECEIPT, f"can't be read: {error!r}")
        return
    if payload.get("manifest_sha256") != hash_file(folder / MANIFEST)[0]:
        found.add(MANIFEST, f"is not the one whose hash {RECEIPT} shows to be sealed")
    if row["tenant"] != str(manifest["tenant"]["id"]):
        found.add(RECEIPT, f"is of tenant {row['tenant']}")
    leaf = tlog.leaf_hash(canonical)
    if not tlog.verify_inclusion(leaf, index, checkpoint.size, path, checkpoint.root):
        found.add(RECEIPT, f"its row and path do not lead to the root of {CHECKPOINT}")


def check_places(folder: Path, tlog: Any, checkpoint: Any, found: Findings) -> str:
    """Whether every audit row shown stands in the signed tree, where places.json says; what to say of it."""
    with (folder / LEAVES).open("rb") as file:
        leaves = [bytes.fromhex(str(parse(line).get("leaf"))) for line in file]
    if not leaves:
        return "There is no audit row in the period."
    try:
        told = json.loads((folder / PLACES).read_text(encoding="utf-8"))
        places, between = [int(place) for place in told["places"]], told["between"]
        around = [bytes.fromhex(node) for node in told["around"]]
        spread = {int(place): bytes.fromhex(leaf) for place, leaf in between.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        found.add(PLACES, f"can't be read: {error!r}: nothing shows that the audit rows are in the trail")
        return ""
    if len(places) != len(leaves):
        found.add(PLACES, f"has {len(places)} places for the {len(leaves)} rows of {LEAVES}")
        return ""
    spread.update(zip(places, leaves))
    first = min(spread)
    if sorted(spread) != list(range(first, first + len(leaves) + len(between))):
        found.add(PLACES, "does not account for each place once")
        return ""
    whole = [spread[place] for place in range(first, first + len(spread))]
    if tlog.root_around(whole, first, checkpoint.size, around) != checkpoint.root:
        found.add(PLACES, f"the audit rows at their places do not give the root of {CHECKPOINT}")
        return ""
    others = f", and {len(between)} of other days between them" if between else ""
    return f"The {len(leaves)} audit rows are rows {first + 1} to {first + len(spread)} of the trail{others}."


def load_proofs(folder: Path) -> Any:
    """The checks of proofs that lie beside this file and are as the manifest has them; nothing is left behind."""
    sys.dont_write_bytecode = True
    spec = importlib.util.spec_from_file_location("tlog", folder / PROOFS)
    if spec is None or spec.loader is None:
        raise SystemExit(f"{PROOFS} can't be loaded")
    module = importlib.util.module_from_spec(spec)
    sys.modules["tlog"] = module
    spec.loader.exec_module(module)
    return module


def check_evidence(folder: Path, manifest: Row, found: Findings) -> None:
    """Whether each artifact is the one that its action recorded, and nothing lies there that none did."""
    there = {str(e["path"]): e["sha256"] for e in manifest["files"] if str(e["path"]).startswith(EVIDENCE)}
    with (folder / EVIDENCE_TABLE).open(encoding="utf-8", newline="") as table:
        for row in csv.DictReader(table):
            where = f"{EVIDENCE_TABLE}: {plain(row.get('name'))} of action {row.get('action_id')}"
            state, file = row.get("state"), plain(row.get("file"))
            if state != "whole":
                found.add(where, f"was {state} in the object store when the report was made")
            elif there.pop(file, None) != row.get("sha256"):
                found.add(where, f"{file or 'no file'} is not what the action recorded")
    for file in sorted(there):
        found.add(file, f"is told of by no row of {EVIDENCE_TABLE}")


def check_sample(folder: Path, seed: str, found: Findings) -> None:
    """Draw the sample again: the lowest hashes of the seed and each violation's id."""
    ranks = []
    with (folder / VIOLATIONS).open("rb") as file:
        for line in file:
            key = str(parse(line).get("violation_id"))
            ranks.append((hashlib.sha256(f"{seed}:{key}".encode()).digest(), key))
    drawn = [key for _, key in heapq.nsmallest(SAMPLE_SIZE, ranks)]
    with (folder / SAMPLE_TABLE).open(encoding="utf-8", newline="") as table:
        shown = [row.get("violation_id") for row in csv.DictReader(table)]
    if shown != drawn:
        found.add(SAMPLE_TABLE, f"is not the sample that its seed draws from {VIOLATIONS}")


def parse(text: str | bytes) -> Any:
    """JSON with exact numbers."""
    return json.loads(text, parse_float=Decimal)


def decode(raw: bytes) -> Row:
    """The fields of an audit row's canonical bytes; ValueError where they are no such bytes."""
    values: list[bytes | None] = []
    at = 0
    while at < len(raw):
        length = int.from_bytes(raw[at : at + 4], "big")
        at += 4
        if length == NONE:
            values.append(None)
            continue
        if at + length > len(raw):
            raise ValueError(f"a field of {length} bytes at byte {at}, of {len(raw)}")
        values.append(raw[at : at + length])
        at += length
    if len(values) != len(FIELDS):
        raise ValueError(f"{len(values)} fields, not {len(FIELDS)}")
    row: Row = dict(zip(FIELDS, values))
    for name in ("actor", "action", "target_type", "target_id"):
        row[name] = None if row[name] is None else row[name].decode("utf-8")
    for name in ("id", "tenant"):
        row[name] = str(uuid.UUID(bytes=required(row, name, 16)))
    microseconds = int.from_bytes(required(row, "created_at", 8), "big", signed=True)
    moment = EPOCH + timedelta(microseconds=microseconds)
    row["created_at"] = moment.isoformat(timespec="microseconds").replace("+00:00", "Z")
    row["payload"] = None if row["payload"] is None else parse(row["payload"].decode("utf-8"))
    return row


def required(row: Row, name: str, size: int) -> bytes:
    value = row[name]
    if not isinstance(value, bytes) or len(value) != size:
        raise ValueError(f"{name} is not of {size} bytes")
    return value


def read_table(folder: Path) -> Iterator[Row]:
    csv.field_size_limit(1 << 30)
    with (folder / AUDIT_TABLE).open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            yield {name: plain(value) for name, value in row.items() if name is not None}


def plain(value: Any) -> str:
    """A cell without the apostrophe that keeps a spreadsheet from running it."""
    text = value or ""
    return text[1:] if text[:1] == "'" and text[1:].startswith(FORMULA) else text


def compare_table(row: Row, shown: Row, where: str, found: Findings) -> None:
    for name in ("id", "created_at", "actor", "action", "target_type", "target_id", "leaf"):
        if shown.get(name) != (row.get(name) or ""):
            found.add(where, f"{name} is {shown.get(name)!r}, {LEAVES} has {row.get(name)!r}")
    try:
        same = parse(shown.get("payload") or "null") == row.get("payload")
    except ValueError:
        same = False
    if not same:
        found.add(where, f"payload is another than in {LEAVES}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
