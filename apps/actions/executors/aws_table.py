"""The kinds of action on AWS."""

from __future__ import annotations

from . import aws_ebs, aws_ec2, aws_iam, aws_network, aws_rds, aws_s3, aws_tags
from .base import Executor

AWS_EXECUTORS: tuple[Executor, ...] = (
    aws_tags.SetTags(),
    aws_tags.RemoveTags(),
    aws_s3.BlockPublicAccess(),
    aws_s3.DefaultEncryption(),
    aws_s3.Versioning(),
    aws_network.RevokeWorldOpen(),
    aws_ec2.Stop(),
    aws_ec2.Start(),
    aws_ec2.Resize(),
    aws_ec2.RequireImdsV2(),
    aws_ebs.SnapshotAndDelete(),
    aws_ebs.EncryptionByDefault(),
    aws_rds.MakePrivate(),
    aws_rds.Stop(),
    aws_iam.DeactivateOldKeys(),
)
