"""The few columns that mean the same for every cloud, read out of what each cloud says in its own way.

Every function is pure and takes JSON values. What it can't take it refuses (Rejected, naming the field).
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from typing import Any

from apps.connectors.bounds import MAX_TAG_KEY_BYTES, MAX_TAG_VALUE_BYTES, MAX_TAGS
from apps.connectors.records import Rejected

Json = Any
Document = dict[str, Any]

_ACCOUNT_ID = re.compile(r"^\d{12}$")
_SUBSCRIPTION = re.compile(r"^/subscriptions/([^/]+)", re.IGNORECASE)
_RESOURCE_GROUP = re.compile(r"^/subscriptions/[^/]+/resourcegroups/([^/]+)", re.IGNORECASE)
_GCP_PLACE = re.compile(r"/(?:locations|regions|zones)/([^/]+)")
_LOCATION_PATHS: dict[str, tuple[tuple[str, ...], ...]] = {
    "azure": (),
    "aws": (("Placement", "AvailabilityZone"), ("AvailabilityZone",)),
    "gcp": (("zone",), ("region",), ("location",)),
    "ibm": (("region",),),
}
# Which part of an ARN or a CRN is the region.
_NAME_LOCATION = {"aws": 3, "ibm": 5}
_NAME_PREFIX = {"aws": "arn:", "ibm": "crn:"}
_PROJECT = re.compile(r"(?:^|/)projects/([^/]+)")
_STATUS_PATHS: dict[str, tuple[tuple[str, ...], ...]] = {
    "azure": (
        ("properties", "extended", "instanceView", "powerState", "code"),
        ("properties", "diskState"),
        ("properties", "state"),
        ("properties", "provisioningState"),
    ),
    "aws": (
        ("State", "Name"),
        ("State", "Code"),
        ("State",),
        ("Status",),
        ("DBInstanceStatus",),
        ("KeyState",),
    ),
    "gcp": (("status",), ("state",), ("lifecycleState",)),
    "ibm": (("doc", "status"), ("doc", "state"), ("status",), ("state",)),
}


def normalise_type(value: str) -> str:
    """Lower case, without blanks around: `Microsoft.Compute/disks` → `microsoft.compute/disks`."""
    return value.strip().lower()


def normalise_location(provider: str, value: str | None) -> str | None:
    """Azure's display names become names (`East US 2` → `eastus2`), Google's URLs their last part."""
    if not value or not value.strip():
        return None
    plain = value.strip().lower()
    if provider == "azure":
        return plain.replace(" ", "")
    return plain.rstrip("/").rsplit("/", 1)[-1] or None if provider == "gcp" else plain


def document_location(provider: str, native_id: str, document: Document) -> str | None:
    """Where a row without a location says it is: in its own document, else in its id, ARN or CRN."""
    for path in _LOCATION_PATHS[provider]:
        found = text_at(document, path)
        if found:
            return found
    if provider == "gcp":
        place = _GCP_PLACE.search(native_id)
        return place[1] if place else None
    index = _NAME_LOCATION.get(provider)
    if index is None:
        return None
    named = itertools.chain((native_id,), arns(document) if provider == "aws" else ())
    return next(filter(None, (_name_part(provider, name, index) for name in named)), None)


def arns(document: Document) -> Iterator[str]:
    """The ARNs among the top-level values of an AWS document that may be its own: `Arn`, `DBInstanceArn`, …"""
    for key in ("Arn", "ARN", "arn"):
        if isinstance(document.get(key), str):
            yield document[key]
    for key in document:
        if key[-2:] in ("rn", "RN") and key.endswith(("Arn", "ARN")) and len(key) > 3 and "Role" not in key:
            value = document[key]
            if isinstance(value, str):
                yield value


def account_of(provider: str, native_id: str, document: Document) -> str | None:
    """Subscription id, AWS account number, Google project or IBM account id; None where nothing tells."""
    if provider == "azure":
        found = _SUBSCRIPTION.match(native_id)
        return found[1].lower() if found else None
    if provider == "aws":
        return _aws_account(native_id, document)
    if provider == "gcp":
        return _project(native_id, document)
    scope = _name_part("ibm", native_id, 6) or ""
    return scope.removeprefix("a/") if scope.startswith("a/") else text_at(document, ("account_id",))


def group_of(provider: str, native_id: str, document: Document) -> str | None:
    """Azure's resource group (lower case, as Resource Graph has it), Google's project, IBM's group id."""
    if provider == "azure":
        found = _RESOURCE_GROUP.match(native_id)
        return found[1].lower() if found else None
    if provider == "gcp":
        return _project(native_id, document)
    if provider == "ibm":
        return text_at(document, ("resource_group_id",)) or text_at(document, ("doc", "resource_group_id"))
    return None


def status_of(provider: str, document: Document) -> str | None:
    """The state that the document tells, lower case (`running`, `in-use`), or None."""
    for path in _STATUS_PATHS[provider]:
        # Most documents have the first key of none.
        found = text_at(document, path) if path[0] in document else None
        if found and len(found) <= 64:
            return found.removeprefix("PowerState/").lower()
    return None


def normalise_tags(value: Json, field: str = "tags") -> dict[str, str]:
    """One flat object, text to text, keys as given.

    Taken: an object; a list of `{Key, Value}` (AWS, in any case, KMS's `TagKey` too); a list of `key:value`
    strings (IBM). A number or boolean becomes its JSON text, null the empty string; an object or a list as a
    value is refused. Raises Rejected naming `tags.<key>`.
    """
    if value is None:
        return {}
    if isinstance(value, dict):
        if len(value) <= MAX_TAGS and all(map(_is_plain_tag, value, value.values())):
            return value
        pairs = list(value.items())
    elif isinstance(value, list):
        pairs = [_listed_tag(item, f"{field}[{index}]") for index, item in enumerate(value)]
    else:
        raise Rejected(field, f"{field} is neither an object nor a list")
    if len(pairs) > MAX_TAGS:
        raise Rejected(field, f"{len(pairs):,} tags; at most {MAX_TAGS:,} are taken")
    return {_tag_key(key, field): _tag_value(key, item, field) for key, item in pairs}


def text_at(document: Json, path: tuple[str, ...]) -> str | None:
    """The string at a path of keys; None where there is none, or something else."""
    for key in path:
        if not isinstance(document, dict):
            return None
        document = document.get(key)
    return document if isinstance(document, str) and document else None


def _listed_tag(item: Json, field: str) -> tuple[str, Json]:
    if isinstance(item, str):
        key, _, value = item.partition(":")
        return key.strip(), value.strip()
    if isinstance(item, dict):
        lowered = {key.lower().removeprefix("tag"): value for key, value in item.items()}
        if isinstance(lowered.get("key"), str):
            return lowered["key"], lowered.get("value")
    raise Rejected(field, f"{field} is not a tag: expected Key and Value, or a string")


def _is_plain_tag(key: str, value: Json) -> bool:
    """As most tags are: two texts that are within their bounds whatever their letters take."""
    return type(value) is str and len(value) * 4 <= MAX_TAG_VALUE_BYTES and len(key) * 4 <= MAX_TAG_KEY_BYTES


def _tag_key(key: str, field: str) -> str:
    if len(key) * 4 > MAX_TAG_KEY_BYTES and len(key.encode()) > MAX_TAG_KEY_BYTES:
        raise Rejected(
            field, f"a tag key of {len(key.encode()):,} bytes; at most {MAX_TAG_KEY_BYTES:,} are taken"
        )
    return key


def _tag_value(key: str, value: Json, field: str) -> str:
    where = f"{field}.{key[:100]}"
    if value is None:
        return ""
    if isinstance(value, dict | list):
        raise Rejected(
            where, f"{where} is {'an object' if isinstance(value, dict) else 'a list'}, not a text"
        )
    text = value if isinstance(value, str) else json.dumps(value)
    if len(text) * 4 > MAX_TAG_VALUE_BYTES and len(text.encode()) > MAX_TAG_VALUE_BYTES:
        raise Rejected(
            where, f"{where} has {len(text.encode()):,} bytes; at most {MAX_TAG_VALUE_BYTES:,} are taken"
        )
    return text


def _name_part(provider: str, name: str, index: int) -> str | None:
    """A part of an ARN (arn:partition:service:region:account) or CRN (crn:v1:…:service:location:scope)."""
    prefix = _NAME_PREFIX.get(provider)
    if prefix is None or not name.startswith(prefix):
        return None
    parts = name.split(":")
    return parts[index] or None if len(parts) > index else None


def _aws_account(native_id: str, document: Document) -> str | None:
    if (own := _name_part("aws", native_id, 4)) and _ACCOUNT_ID.match(own):
        return own
    told = (document.get(key) for key in ("OwnerId", "AccountId", "accountId"))
    named = (_name_part("aws", name, 4) for name in arns(document))
    for found in itertools.chain(told, named):
        if isinstance(found, str) and _ACCOUNT_ID.match(found):
            return found
    return None


def _project(native_id: str, document: Document) -> str | None:
    for named in (native_id, text_at(document, ("selfLink",)), text_at(document, ("name",))):
        found = _PROJECT.search(named) if named else None
        if found:
            return found[1]
    return text_at(document, ("projectId",)) or text_at(document, ("project",))
