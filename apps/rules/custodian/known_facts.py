"""Filters for which c7n asks the cloud, and whose answer the inventory's document may hold already.

The document of a bucket, key, trail or user holds such an answer under the name of the field in the cloud's
own answer: `PublicAccessBlockConfiguration`, `ServerSideEncryptionConfiguration`, `KeyRotationEnabled`,
`IsLogging`, `AccessKeyMetadata`, `MFADevices`. Where it does not, the rule has no answer for that resource.
Source of the filters: c7n 0.9.53 `c7n/resources/s3.py`, `kms.py`, `cloudtrail.py`, `iam.py`.
"""

from __future__ import annotations

from collections.abc import Callable

from apps.rules.custodian.access import ACCESS_RESOURCES, cross_account
from apps.rules.custodian.context import Context, Filter, only_keys
from apps.rules.custodian.keys import key_value
from apps.rules.custodian.network_groups import group_filter
from apps.rules.custodian.security_groups import permission_filter
from apps.rules.custodian.value_filter import VALUE_SETTINGS, compared, refuse_sources
from apps.rules.errors import InvalidPolicy, Unsupported
from apps.rules.tree import (
    MISSING,
    Choice,
    Compare,
    Const,
    Document,
    Element,
    Func,
    Index,
    Json,
    Key,
    Path,
    Quantify,
    Rule,
    Step,
    Value,
    conjunction,
    disjunction,
    negation,
)

Reader = Callable[[Filter, Context, str], Rule]


def _place(*names: str | int) -> Path:
    steps: tuple[Step, ...] = tuple(Key(name) if isinstance(name, str) else Index(name) for name in names)
    return Path(Document(), steps, ".".join(map(str, names)))


def _is(value: Value, constant: Json, at: str) -> Rule:
    return Compare("custodian", "jmespath-same", value, Const(constant), at)


def _exists(value: Value, at: str) -> Rule:
    return Compare("custodian", "exists", value, Const(MISSING), at)


def known_value(value: Value, evidence: tuple[Path, ...], what: str, at: str) -> Value:
    """The value where one of the places of evidence exists; otherwise the rule has no answer."""
    looked = disjunction(tuple(_exists(place, at) for place in evidence), at)
    label = value.label if isinstance(value, Path) else ""
    return Choice(looked, value, Func("custodian", "no-answer", (Const(what),)), label)


_BUCKET_EVIDENCE = (
    "PublicAccessBlockConfiguration", "ServerSideEncryptionConfiguration", "Acl", "Versioning", "Location",
)  # fmt: skip
"""A bucket's document with one of these was completed by further calls; what is missing there is not
configured."""


def _of_bucket(value: Value, at: str) -> Value:
    evidence = tuple(_place(name) for name in _BUCKET_EVIDENCE)
    return known_value(value, evidence, "the inventory holds nothing but the bucket's name", at)


_BLOCKS = ("BlockPublicPolicy", "BlockPublicAcls", "IgnorePublicAcls", "RestrictPublicBuckets")


def _public_block(data: Filter, context: Context, at: str) -> Rule:
    """The bucket's public access block has these settings; without any: not all of them are on."""
    only_keys(data, set(_BLOCKS), at)

    def is_on(name: str) -> Rule:
        return _is(_of_bucket(_place("PublicAccessBlockConfiguration", name), at), True, at)

    asked = [name for name in _BLOCKS if name in data]
    if not asked:
        return negation(conjunction(tuple(is_on(name) for name in _BLOCKS), at), at)
    for name in asked:
        if not isinstance(data[name], bool):
            raise InvalidPolicy(f"{at}.{name}", f"{name} is true or false")
    return conjunction(tuple(is_on(name) if data[name] else negation(is_on(name), at) for name in asked), at)


_FIRST_RULE = ("ServerSideEncryptionConfiguration", "Rules", 0)


def _bucket_encryption(data: Filter, context: Context, at: str) -> Rule:
    """The first rule of the bucket's default encryption."""
    only_keys(data, {"state", "crypto", "key", "bucket_key_enabled"}, at)
    if "key" in data:
        raise Unsupported(
            f"{at}.key", "the filter bucket-encryption with a key asks the cloud for its aliases"
        )
    wanted = data.get("state", True) is not False
    encrypted = _encrypted(data, at)
    by_state = encrypted if wanted else negation(encrypted, at)
    by_key = data.get("bucket_key_enabled")
    if by_key is None:
        return by_state
    has_rule = Compare("custodian", "present", _of_bucket(_place(*_FIRST_RULE), at), Const(MISSING), at)
    enabled = _is(_of_bucket(_place(*_FIRST_RULE, "BucketKeyEnabled"), at), True, at)
    asked = enabled if by_key else negation(enabled, at)
    return disjunction(
        (conjunction((has_rule, asked), at), conjunction((negation(has_rule, at), by_state), at)), at
    )


def _encrypted(data: Filter, at: str) -> Rule:
    crypto = data.get("crypto")
    if crypto not in (None, "AES256", "aws:kms"):
        raise InvalidPolicy(f"{at}.crypto", "crypto is AES256 or aws:kms")
    algorithm = _of_bucket(_place(*_FIRST_RULE, "ApplyServerSideEncryptionByDefault", "SSEAlgorithm"), at)
    return Compare("custodian", "in", algorithm, Const([crypto] if crypto else ["AES256", "aws:kms"]), at)


_EVERYONE = [
    "http://acs.amazonaws.com/groups/global/AllUsers",
    "http://acs.amazonaws.com/groups/global/AuthenticatedUsers",
]


def _global_grants(data: Filter, context: Context, at: str) -> Rule:
    """The bucket's access list grants something to everyone."""
    only_keys(data, {"allow_website", "operator", "permissions"}, at)
    binding = context.binding()
    grantee = Path(Element(binding), (Key("Grantee"), Key("URI")), "Grantee.URI")
    permission = Path(Element(binding), (Key("Permission"),), "Permission")
    everyone: list[Json] = [*_EVERYONE]
    terms: list[Rule] = [Compare("custodian", "in", grantee, Const(everyone), at)]
    if data.get("allow_website", True):
        website = Compare("custodian", "not-null", _place("Website"), Const(MISSING), at)
        terms.append(negation(conjunction((_is(permission, "READ", at), website), at), at))
    if permissions := data.get("permissions"):
        terms.append(Compare("custodian", "in", permission, Const(permissions), at))
    grants = _of_bucket(_place("Acl", "Grants"), at)
    return Quantify("any", grants, binding, conjunction(tuple(terms), at), at=at)


def _value_of(name: str) -> Reader:
    """A value filter over one field of the answer, which the document holds under the field's own name."""

    def read(data: Filter, context: Context, at: str) -> Rule:
        only_keys(data, VALUE_SETTINGS, at)
        refuse_sources(data, at)
        if data.get("key", name) != name:
            raise Unsupported(
                f"{at}.key", f"the inventory holds {name} alone of what the filter {data['type']} reads"
            )
        if "value" not in data:
            raise InvalidPolicy(at, "a value filter has a value")
        held = known_value(_place(name), (_place(name),), f"the inventory does not hold {name}", at)
        return compared(data, held, context, at)

    return read


def _access_key(data: Filter, context: Context, at: str) -> Rule:
    """Some access key of the user meets a value filter."""
    only_keys(data, {*VALUE_SETTINGS, "match-operator"}, at)
    if data.get("match-operator", "or") != "or":
        raise Unsupported(
            f"{at}.match-operator", "match-operator and picks among the keys that an earlier filter matched"
        )
    refuse_sources(data, at)
    if "key" not in data or "value" not in data:
        raise InvalidPolicy(at, "a value filter has a key and a value")
    binding = context.binding()
    left = key_value(data["key"], context.inside(binding), f"{at}.key")
    name = "AccessKeyMetadata"
    keys = known_value(_place(name), (_place(name),), f"the inventory does not hold {name}", at)
    return Quantify("any", keys, binding, compared(data, left, context, at), at=at)


FACT_FILTERS: dict[tuple[str, str], Reader] = {
    ("aws.security-group", "ingress"): permission_filter,
    ("aws.security-group", "egress"): permission_filter,
    ("azure.networksecuritygroup", "ingress"): group_filter,
    ("azure.networksecuritygroup", "egress"): group_filter,
    ("aws.s3", "check-public-block"): _public_block,
    ("aws.s3", "bucket-encryption"): _bucket_encryption,
    ("aws.s3", "global-grants"): _global_grants,
    ("aws.kms-key", "key-rotation-status"): _value_of("KeyRotationEnabled"),
    ("aws.cloudtrail", "status"): _value_of("IsLogging"),
    ("aws.iam-user", "mfa-device"): _value_of("MFADevices"),
    ("aws.iam-user", "access-key"): _access_key,
    **{(resource, "cross-account"): cross_account for resource in ACCESS_RESOURCES},
}
"""Resource and filter → how it is read."""
