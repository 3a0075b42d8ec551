"""Every kind of action there is. A new kind is a new module and a line here.

No module imports an SDK: a connector's is imported when an account of that cloud is opened.
"""

from __future__ import annotations

from . import (
    azure_machines,
    azure_storage,
    azure_tags,
    gcp_labels,
    gcp_machines,
    gcp_storage,
    ibm_machines,
    ibm_storage,
    ibm_tags,
)
from .aws_table import AWS_EXECUTORS
from .base import Executor

_AZURE: tuple[Executor, ...] = (
    azure_tags.SET,
    azure_tags.REMOVE,
    azure_machines.STOP,
    azure_machines.START,
    azure_storage.PUBLIC_BLOBS,
    azure_storage.NETWORK,
)
_GCP: tuple[Executor, ...] = (
    gcp_labels.SET,
    gcp_labels.REMOVE,
    gcp_machines.STOP,
    gcp_machines.START,
    gcp_storage.PREVENT,
)
_IBM: tuple[Executor, ...] = (
    ibm_tags.SET,
    ibm_tags.REMOVE,
    ibm_machines.STOP,
    ibm_machines.START,
    ibm_storage.BLOCK_PUBLIC,
)

EXECUTORS: dict[str, Executor] = {
    executor.kind.type: executor for executor in (*AWS_EXECUTORS, *_AZURE, *_GCP, *_IBM)
}


def executor_for(type_: str) -> Executor | None:
    """None where there is no such kind (a row of an older release, a row put in by hand)."""
    return EXECUTORS.get(type_)
