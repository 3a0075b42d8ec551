"""Buckets: block public access, encrypt by default, keep versions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from apps.connectors.aws import s3

from .aws_base import AwsExecutor, Params, Recording, name_of, object_schema
from .base import Change, Kind, State, Target

TYPES = ("aws.s3",)


class BlockPublicAccess(AwsExecutor):
    kind = Kind(
        type="aws.s3.block_public_access",
        title="Block public access to a bucket",
        provider="aws",
        resource_types=TYPES,
        risk="medium",
        reversible=True,
        description="Sets all four switches of the bucket's public access block. ACLs and policies stay as they are "
        "and no longer let the public in.",
    )

    def read_state(self, aws: Recording, target: Target, params: Params) -> dict[str, Any]:
        return {"public_access_block": s3.public_access_block(aws, name_of(target))}

    def plan(self, target: Target, state: State, params: Params) -> Change:
        return Change(
            before=state,
            after={"public_access_block": dict.fromkeys(s3.FLAGS, True)},
            summary=f"Block public access to the bucket {name_of(target)}.",
            undo="The four switches are set back to what they were, or taken away where there were none.",
            disruption="Who reads the bucket without credentials (a public website, open downloads), or from another "
            "account by a public policy, no longer can.",
        )

    def write(
        self, aws: Recording, target: Target, now: State, wanted: State, params: Params, key: str
    ) -> Mapping[str, Any]:
        s3.set_public_access_block(aws, name_of(target), wanted["public_access_block"])
        return {}


class DefaultEncryption(AwsExecutor):
    kind = Kind(
        type="aws.s3.default_encryption",
        title="Encrypt a bucket by default",
        provider="aws",
        resource_types=TYPES,
        risk="low",
        reversible=True,
        description="Sets the bucket's default encryption rule. Objects that are there already stay as they are.",
        params=object_schema(
            algorithm={"enum": ["AES256", "aws:kms"], "default": "AES256"},
            kms_key={"type": "string", "maxLength": 2048, "description": "ARN or id, with aws:kms"},
        ),
    )

    def read_state(self, aws: Recording, target: Target, params: Params) -> dict[str, Any]:
        return {"encryption": s3.encryption(aws, name_of(target))}

    def plan(self, target: Target, state: State, params: Params) -> Change:
        rule: dict[str, Any] = {"SSEAlgorithm": params.get("algorithm", "AES256")}
        if params.get("kms_key"):
            rule = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": params["kms_key"]}
        kms = rule["SSEAlgorithm"] == "aws:kms"
        return Change(
            before=state,
            after={"encryption": [{"ApplyServerSideEncryptionByDefault": rule, "BucketKeyEnabled": kms}]},
            summary=f"Encrypt new objects of {name_of(target)} with {rule['SSEAlgorithm']}.",
            undo="The rules that were there are set again; objects written meanwhile stay encrypted as they are.",
            disruption="Writers and readers need the right to use the key." if kms else "",
        )

    def write(
        self, aws: Recording, target: Target, now: State, wanted: State, params: Params, key: str
    ) -> Mapping[str, Any]:
        s3.set_encryption(aws, name_of(target), wanted["encryption"])
        return {}


class Versioning(AwsExecutor):
    kind = Kind(
        type="aws.s3.versioning",
        title="Keep versions of a bucket's objects",
        provider="aws",
        resource_types=TYPES,
        risk="low",
        reversible=True,
        description="Switches versioning on: what is overwritten or deleted can be had back, and costs storage.",
    )

    def read_state(self, aws: Recording, target: Target, params: Params) -> dict[str, Any]:
        return {"keeps_versions": s3.keeps_versions(aws, name_of(target))}

    def plan(self, target: Target, state: State, params: Params) -> Change:
        return Change(
            before=state,
            after={"keeps_versions": True},
            summary=f"Keep versions of the objects of {name_of(target)}.",
            undo="Versioning is suspended: nothing new is kept. It can't be taken away altogether, and versions that "
            "were kept meanwhile stay, and cost, until somebody deletes them.",
            disruption="",
        )

    def write(
        self, aws: Recording, target: Target, now: State, wanted: State, params: Params, key: str
    ) -> Mapping[str, Any]:
        s3.set_keeps_versions(aws, name_of(target), wanted["keeps_versions"])
        return {}
