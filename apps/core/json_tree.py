"""A JSON document as nested, collapsible HTML: objects and lists as <details>, values as text."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

NODES = 4000
DEPTH = 24
OPEN_TO = 1
LONG = 2000


@dataclass
class Budget:
    """How many nodes may still be drawn; a page of a million nodes serves nobody."""

    left: int = NODES

    def spend(self) -> bool:
        self.left -= 1
        return self.left >= 0


@dataclass(frozen=True)
class Tree:
    """`html`, and whether all of the document is in it."""

    html: SafeString
    whole: bool


def json_tree(document: Any) -> Tree:
    """Draw up to NODES nodes and DEPTH levels; the rest is left out, and `whole` says so."""
    budget = Budget()
    html = _children(document, 0, budget) if isinstance(document, dict | list) else _leaf(document)
    return Tree(html, budget.left >= 0)


def _children(value: dict[str, Any] | list[Any], depth: int, budget: Budget) -> SafeString:
    pairs = value.items() if isinstance(value, dict) else ((str(n), v) for n, v in enumerate(value))
    rows = [_node(key, item, depth, budget) for key, item in pairs if budget.spend()]
    return format_html(
        '<ul class="tree">{}</ul>', format_html_join("", "<li>{}</li>", ((row,) for row in rows))
    )


def _node(key: str, value: Any, depth: int, budget: Budget) -> SafeString:
    if not isinstance(value, dict | list) or not value:
        return format_html('<span class="key">{}</span> {}', key, _leaf(value))
    if depth >= DEPTH:
        budget.left = -1
        return format_html('<span class="key">{}</span> <span class="quiet">deeper than is drawn</span>', key)
    size = f"{len(value)} {'field' if isinstance(value, dict) else 'item'}{'' if len(value) == 1 else 's'}"
    return format_html(
        '<details{}><summary><span class="key">{}</span> <span class="quiet">{}</span></summary>{}</details>',
        format_html(" open") if depth < OPEN_TO else "",
        key,
        size,
        _children(value, depth + 1, budget),
    )


def _leaf(value: Any) -> SafeString:
    text = json.dumps(value, ensure_ascii=False) if not isinstance(value, str) else value
    kind = "text" if isinstance(value, str) else "other"
    shown = text if len(text) <= LONG else f"{text[:LONG]}… ({len(text):,} characters)"
    return format_html('<span class="value value-{}">{}</span>', kind, shown)
