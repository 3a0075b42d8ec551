"""Property aliases: the names under which policies speak of places in a resource, and where those are.

The table `aliases.tsv` was made from exports of Azure Resource Manager's alias API (2026-08): facts, not
text.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path as File
from types import MappingProxyType

_TABLE = File(__file__).with_name("aliases.tsv")


@lru_cache(maxsize=1)
def _table() -> Mapping[str, Mapping[str, str]]:
    """Lower-cased alias → {lower-cased resource type → path}."""
    found: dict[str, dict[str, str]] = {}
    resource_type = ""
    for line in _TABLE.read_text(encoding="utf-8").splitlines():
        if line.startswith("# "):
            continue
        if line.startswith(">"):
            resource_type = line[1:].lower()
            continue
        name, _, path = line.partition("\t")
        alias = name[1:] if name.startswith("=") else f"{resource_type}/{name}"
        found.setdefault(alias.lower(), {})[resource_type] = path or f"properties.{name}"
    return MappingProxyType(found)


def alias_paths(alias: str) -> dict[str, str]:
    """The paths of an alias by lower-cased resource type ("properties.a[*].b"); empty if it is not known.

    A member of a known object alias is found below it, unless an array lies between: there ARM often has a
    `properties` object that the alias does not show, and a guess could be wrong.
    """
    known = _table().get(alias.lower())
    if known is not None:
        return dict(known)
    parent, dot, member = alias.rpartition(".")
    if not dot or member.endswith("]") or parent.endswith("[*]") or "/" in member:
        return {}
    above = _table().get(parent.lower(), {})
    return {resource_type: f"{path}.{member}" for resource_type, path in above.items()}
