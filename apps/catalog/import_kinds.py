"""What can be imported, said once for the upload form, the API and the filters. A kind's job is `<kind>.import`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from apps.connectors import billing, files, findings


@dataclass(frozen=True)
class ImportKind:
    """`title` as people choose it; `formats` maps the names that `--format` takes to titles, empty where the file
    tells alone."""

    title: str
    label: str
    hint: str
    formats: Mapping[str, str] = field(default_factory=dict)


IMPORT_KINDS: dict[str, ImportKind] = {
    "inventory": ImportKind(
        "Inventory: resources of a cloud",
        "Inventory",
        "JSON, NDJSON or CSV",
        {name: name for name in files.FORMATS},
    ),
    "costs": ImportKind(
        "Costs: a billing export",
        "Costs",
        "FOCUS, AWS CUR, Azure cost details or Google Cloud's billing export, as CSV or Parquet",
        {name: layout.title for name, layout in billing.FORMATS.items()},
    ),
    "policies": ImportKind("Policies", "Policies", "Azure Policy JSON, Cloud Custodian YAML, or a ZIP"),
    "findings": ImportKind(
        "Findings of another tool",
        "Findings",
        "OCSF (Prowler), ASFF (Security Hub) or SARIF",
        {name: name.upper() for name in findings.FORMATS},
    ),
}


def job_type(kind: str) -> str:
    return f"{kind}.import"


def is_format_of(kind: str, format_: str) -> bool:
    return kind in IMPORT_KINDS and format_ in IMPORT_KINDS[kind].formats
