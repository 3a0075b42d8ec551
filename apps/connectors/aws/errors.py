"""botocore's errors as CloudErrors: in words, and by whether trying again may help.

Codes are those of the services' own API references; what is not listed goes by the HTTP status.
"""

from __future__ import annotations

import re
from typing import Any

from botocore import exceptions as boto
from botocore.parsers import ResponseParserError

from apps.connectors.errors import (
    CloudAway,
    CloudConflict,
    CloudDenied,
    CloudError,
    CloudGone,
    CloudInvalid,
    CloudThrottled,
    CloudUnsupported,
)

_THROTTLED = re.compile(
    r"Throttl|TooManyRequests|RequestLimitExceeded|^SlowDown$|BandwidthLimitExceeded|RequestThrottled"
    r"|ProvisionedThroughputExceeded|^LimitExceededException$|^EC2ThrottledException$|PriorRequestNotComplete"
)
_DENIED = re.compile(
    r"AccessDenied|Unauthorized|AuthFailure|InvalidClientTokenId|UnrecognizedClient|ExpiredToken|InvalidToken"
    r"|SignatureDoesNotMatch|InvalidAccessKeyId|OptInRequired|SubscriptionRequired|NotAuthorized|MissingAuthentication"
    r"|InvalidIdentityToken|RegionDisabled|IncompleteSignature|^Blocked$|PendingVerification|KMSAccessDenied"
)
_GONE = re.compile(
    r"NotFound|^NoSuch|NoSuchEntity|DoesNotExist|^404$|InvalidAMIID\.Unavailable|DBInstanceNotFoundFault"
)
_CONFLICT = re.compile(
    r"Incorrect.*State|InvalidDBInstanceState|InUse|OperationAborted|Concurrent|Conflict|DependencyViolation"
    r"|InvalidState|ResourceAlreadyAssociated|OperationNotPermitted|PreconditionFailed|EntityTemporarilyUnmodifiable"
)
_AWAY = re.compile(
    r"InternalError|InternalFailure|InternalServer|ServiceUnavailable|ServiceFailure|RequestTimeout|^Unavailable$"
    r"|InsufficientInstanceCapacity|InsufficientCapacity"
)


def translate(error: Exception, operation: str) -> CloudError:
    """What `error` of `operation` (`s3:PutPublicAccessBlock`) means. Anything unknown comes as CloudInvalid."""
    if isinstance(error, CloudError):
        return error
    if isinstance(error, boto.ClientError):
        return _of_answer(error, operation)
    if isinstance(error, boto.NoCredentialsError | boto.PartialCredentialsError | boto.TokenRetrievalError):
        return CloudDenied(f"There are no credentials to call {operation} with: {error}", operation=operation)
    if isinstance(error, boto.CredentialRetrievalError | boto.MetadataRetrievalError):
        return CloudDenied(f"The credentials could not be had: {error}", operation=operation)
    if isinstance(error, boto.ConnectionError | boto.HTTPClientError | ResponseParserError):
        return CloudAway(
            f"AWS did not answer {operation}: {error}. It may or may not have been done.", operation=operation
        )
    if isinstance(error, boto.UnknownServiceError | boto.UnknownRegionError | boto.NoRegionError):
        return CloudUnsupported(f"AWS has no {operation} there: {error}", operation=operation)
    return CloudInvalid(f"{operation} could not be asked: {error}", operation=operation)


def _of_answer(error: boto.ClientError, operation: str) -> CloudError:
    answer: Any = error.response.get("Error", {})
    code, said = str(answer.get("Code", "")), _sentence(str(answer.get("Message", "")))
    meta: Any = error.response.get("ResponseMetadata", {})
    status = int(meta.get("HTTPStatusCode") or 0)
    about = {"operation": operation, "code": code}
    if _THROTTLED.search(code) or status == 429:
        return CloudThrottled(
            f"AWS is asked too often: {operation} was put off ({code}). Later it will do.",
            retry_after=_retry_after(meta),
            **about,
        )
    if _AWAY.search(code):
        return CloudAway(f"AWS could not do {operation} just now ({code}): {said}", **about)
    if _GONE.search(code) or (status == 404 and not code):
        return CloudGone(f"It is not there (any more): {operation} says {code}: {said}", **about)
    if _DENIED.search(code) or status in (401, 403):
        return CloudDenied(f"AWS does not allow {operation} with these credentials ({code}): {said}", **about)
    if _CONFLICT.search(code) or status == 409:
        return CloudConflict(f"The state it is in forbids {operation} ({code}): {said}", **about)
    if status >= 500:
        return CloudAway(f"AWS could not do {operation} just now ({code}): {said}", **about)
    return CloudInvalid(f"AWS holds {operation} to be wrong ({code}): {said}", **about)


def _sentence(text: str) -> str:
    """Bounded, and without what an encoded authorization message adds (kilobytes that say nothing)."""
    return text.split(" Encoded authorization failure message")[0].strip()[:500]


def _retry_after(meta: Any) -> float | None:
    value = (meta.get("HTTPHeaders") or {}).get("retry-after", "")
    try:
        return max(0.0, float(value))
    except ValueError:
        return None
