"""AWS Config's documents put back into the shape in which the services themselves answer."""

from __future__ import annotations

from typing import Any

from apps.connectors.files.aws_config_types import CONFIG_TYPES
from apps.connectors.files.strict_json import parse_object
from apps.connectors.records import Rejected

Document = dict[str, Any]

# Objects whose keys are a user's own words.
_FREE_KEYS = frozenset({"variables", "tags", "labels", "dimensions"})
_SPELLING = {
    "sseAlgorithm": "SSEAlgorithm",
    "kmsMasterKeyID": "KMSMasterKeyID",
    "kmsMasterKeyId": "KMSMasterKeyID",
}


def service_document(config_type: str, configuration: Document, supplement: Document) -> Document:
    """The document as the service answers it; a type that isn't in CONFIG_TYPES stays as Config has it.

    What Config tells beside the configuration is kept under `SupplementaryConfiguration`.
    """
    if config_type not in CONFIG_TYPES:
        return {**configuration, "supplementaryConfiguration": supplement} if supplement else configuration
    document: Document = capitalised(configuration)
    opened = {key: _opened(value) for key, value in supplement.items()}
    if opened:
        document["SupplementaryConfiguration"] = opened
    if config_type == "AWS::S3::Bucket":
        document.update(_bucket_facts(opened))
    if config_type == "AWS::EC2::SecurityGroup":
        _restore_ranges(document)
    if config_type == "AWS::KMS::Key" and isinstance(opened.get("KeyRotationStatus"), bool):
        document["KeyRotationEnabled"] = opened["KeyRotationStatus"]
    if "Tags" not in document and "Tags" in opened:
        document["Tags"] = capitalised(opened["Tags"])
    return document


def capitalised(value: Any) -> Any:
    """Every key with a capital first letter, but for objects whose keys are a user's own words."""
    if isinstance(value, list):
        return [capitalised(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        _capital(key): inner if key.lower() in _FREE_KEYS and isinstance(inner, dict) else capitalised(inner)
        for key, inner in value.items()
    }


def _capital(key: str) -> str:
    return _SPELLING.get(key) or key[:1].upper() + key[1:]


def _opened(value: Any) -> Any:
    """Config serialises some values into strings, now and then twice."""
    for _ in range(2):
        if not isinstance(value, str):
            return value
        if value in ("true", "false"):
            return value == "true"
        if value[:1] == "[":
            return _in_object(value)
        if value[:1] != "{":
            return value
        try:
            value = parse_object(value.encode())
        except Rejected:
            return value
    return value


def _in_object(value: str) -> Any:
    try:
        return parse_object(b'{"list": ' + value.encode() + b"}")["list"]
    except Rejected:
        return value


def _bucket_facts(supplement: Document) -> Document:
    """What the S3 calls get_public_access_block, get_bucket_encryption, … answer, under their own keys."""
    facts: Document = {}
    for key in ("PublicAccessBlockConfiguration", "ServerSideEncryptionConfiguration"):
        if isinstance(supplement.get(key), dict):
            facts[key] = capitalised(supplement[key])
    versioning = supplement.get("BucketVersioningConfiguration")
    if isinstance(versioning, dict):
        facts["Versioning"] = (
            {"Status": versioning["status"]} if versioning.get("status") not in (None, "Off") else {}
        )
    logging = supplement.get("BucketLoggingConfiguration")
    if isinstance(logging, dict) and logging.get("destinationBucketName"):
        facts["Logging"] = {
            "TargetBucket": logging["destinationBucketName"],
            "TargetPrefix": logging.get("logFilePrefix") or "",
        }
    policy = supplement.get("BucketPolicy")
    if isinstance(policy, dict) and policy.get("policyText"):
        facts["Policy"] = policy["policyText"]
    return facts


def _restore_ranges(document: Document) -> None:
    """A security group's rules: Config has `ipv4Ranges` beside a short `ipRanges`, EC2 only `IpRanges`."""
    for rules in (document.get("IpPermissions"), document.get("IpPermissionsEgress")):
        for rule in rules if isinstance(rules, list) else ():
            if isinstance(rule, dict):
                _restore_rule(rule)


def _restore_rule(rule: Document) -> None:
    if isinstance(rule.get("Ipv4Ranges"), list):
        rule["IpRanges"] = rule.pop("Ipv4Ranges")
    elif isinstance(rule.get("IpRanges"), list):
        rule["IpRanges"] = [{"CidrIp": item} if isinstance(item, str) else item for item in rule["IpRanges"]]
    for key in ("FromPort", "ToPort"):
        if rule.get(key, 0) is None:
            del rule[key]
    rule.setdefault("Ipv6Ranges", [])
