"""YAML and JSON text to plain data, within bounds.

YAML can name a part and repeat it by reference ("billion laughs"), nest without end, and repeat a key so
that the last one silently wins. Here size, depth, references and nodes are bounded before anything is built,
and a repeated key is an error. Dates stay texts; only the plain types of JSON come out.
"""

from __future__ import annotations

import math
from collections.abc import Hashable
from typing import Any

import yaml

from apps.rules.errors import InvalidPolicy

LARGEST_DOCUMENT = 20 * 1024 * 1024
DEEPEST = 100
MOST_NODES = 250_000
"""Nodes of a document, those repeated by reference counted each time."""
MOST_ALIASES = 10_000
_PLAIN_COLLECTIONS = ("tag:yaml.org,2002:map", "tag:yaml.org,2002:seq")

_FastLoader: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_FastLoader):  # type: ignore[misc]
    """The safe loader without dates and binary data."""

    yaml_implicit_resolvers = {
        letter: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for letter, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def load_yaml(source: bytes) -> Any:
    """The data of a YAML (or JSON) document, in the types of JSON.

    Raises `InvalidPolicy`, with the line in its path, for what is no such document, is larger than the
    bounds, or names a key of an object twice.
    """
    if len(source) > LARGEST_DOCUMENT:
        raise InvalidPolicy("", f"the file is larger than {LARGEST_DOCUMENT // 1024 // 1024} MB")
    try:
        written = source.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidPolicy(f"byte {error.start}", "the file is not UTF-8") from error
    try:
        _check_events(written)
        root = yaml.compose(written, Loader=_Loader)
        return None if root is None else _Builder().data(root, 0)
    except yaml.YAMLError as error:
        raise InvalidPolicy(_place(getattr(error, "problem_mark", None)), _problem(error)) from error
    except RecursionError as error:
        raise InvalidPolicy("", "the file is nested too deeply") from error


def _check_events(written: str) -> None:
    """Bounds that hold before anything is composed."""
    depth = aliases = documents = 0
    for nodes, event in enumerate(yaml.parse(written, Loader=_Loader), start=1):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        elif isinstance(event, yaml.AliasEvent):
            aliases += 1
        elif isinstance(event, yaml.DocumentStartEvent):
            documents += 1
        _bounded(event, depth=depth, nodes=nodes, aliases=aliases, documents=documents)


def _bounded(event: Any, *, depth: int, nodes: int, aliases: int, documents: int) -> None:
    for count, most, what in (
        (depth, DEEPEST, f"the file is nested more than {DEEPEST} deep"),
        (nodes, MOST_NODES, f"the file has more than {MOST_NODES} values"),
        (aliases, MOST_ALIASES, f"the file has more than {MOST_ALIASES} references"),
        (documents, 1, "the file holds more than one document"),
    ):
        if count > most:
            raise InvalidPolicy(_place(event.start_mark), what)


class _Builder:
    """From composed nodes to data, counting as it goes: a node referred to twice counts twice."""

    def __init__(self) -> None:
        self._made = 0
        self._loader = _Constructor()

    def data(self, node: yaml.Node, depth: int) -> Any:
        self._made += 1
        if self._made > MOST_NODES:
            raise InvalidPolicy(_place(node.start_mark), f"references repeat more than {MOST_NODES} values")
        if depth > DEEPEST:
            raise InvalidPolicy(_place(node.start_mark), "a reference leads back to itself, or too deep")
        if isinstance(node, yaml.CollectionNode) and node.tag not in _PLAIN_COLLECTIONS:
            raise InvalidPolicy(_place(node.start_mark), f"the tag {node.tag[:100]} is not supported")
        if isinstance(node, yaml.MappingNode):
            return self._object(node, depth)
        if isinstance(node, yaml.SequenceNode):
            return [self.data(item, depth + 1) for item in node.value]
        return self._scalar(node)

    def _scalar(self, node: yaml.Node) -> Any:
        try:
            value = self._loader.construct_object(node)
        except ValueError as error:
            raise InvalidPolicy(_place(node.start_mark), "a number cannot be read") from error
        if isinstance(value, float) and not math.isfinite(value):
            raise InvalidPolicy(_place(node.start_mark), "a number is infinite or none at all")
        if value is not None and not isinstance(value, (bool, int, float, str)):
            raise InvalidPolicy(_place(node.start_mark), f"the tag {node.tag} is not supported")
        return value

    def _object(self, node: yaml.MappingNode, depth: int) -> dict[str, Any]:
        made: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                merged |= self._merged(value_node, depth)
                continue
            name = self._name(key_node)
            if name in made:
                raise InvalidPolicy(_place(key_node.start_mark), f'the key "{name[:100]}" stands twice')
            made[name] = self.data(value_node, depth + 1)
        return merged | made

    def _merged(self, node: yaml.Node, depth: int) -> dict[str, Any]:
        found = self.data(node, depth + 1)
        parts = found if isinstance(found, list) else [found]
        together: dict[str, Any] = {}
        for part in reversed(parts):  # the first of a list wins
            if not isinstance(part, dict):
                raise InvalidPolicy(_place(node.start_mark), "only an object can be merged")
            together |= part
        return together

    def _name(self, node: yaml.Node) -> str:
        if not isinstance(node, yaml.ScalarNode):
            raise InvalidPolicy(_place(node.start_mark), "a key is no text")
        value: Hashable = self._scalar(node)
        return value if isinstance(value, str) else node.value


class _Constructor(yaml.constructor.SafeConstructor):
    """Builds scalars only."""


def _place(mark: Any) -> str:
    return "" if mark is None else f"line {mark.line + 1}"


def _problem(error: yaml.YAMLError) -> str:
    return f"no YAML: {getattr(error, 'problem', None) or error}"
