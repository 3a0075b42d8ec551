"""Where secrets get into configuration, and what is found there. Documents of other types are never read.

What is told of a secret is its kind, its place and line, and a fingerprint by a key of the tenant's: never itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from apps.connectors.secret_texts import FoundSecret, decoded, find_secrets

SHOWN = 6
USER_DATA, ENVIRONMENT, CONTAINER = "user-data", "environment", "container"


@dataclass(frozen=True)
class Place:
    """`path` is a jsonpath to texts, to {name: value} objects, or to {name or key, value} pairs; `words` is what
    people call it."""

    provider: str
    kind: str
    types: tuple[str, ...]
    path: str
    words: str


_FUNCTIONS = ("cloudfunctions.googleapis.com/cloudfunction", "cloudfunctions.googleapis.com/function")
_RUN = ("run.googleapis.com/service", "run.googleapis.com/job", "gcp.cloud-run-service", "gcp.cloud-run-job")

PLACES = (
    Place("aws", USER_DATA, ("aws.ec2", "aws.launch-config"), "lax $.UserData", "user data"),
    Place(
        "aws",
        USER_DATA,
        ("aws.launch-template-version", "aws::ec2::launchtemplate"),
        "lax $.LaunchTemplateData.UserData",
        "user data",
    ),
    Place("aws", ENVIRONMENT, ("aws.lambda",), "lax $.Environment.Variables", "variable"),
    Place(
        "aws",
        ENVIRONMENT,
        ("aws.codebuild", "aws::codebuild::project"),
        'lax $.environment.environmentVariables[*] ? (!(@.type == "SECRETS_MANAGER" || @.type == "PARAMETER_STORE"))',
        "variable",
    ),
    Place(
        "aws",
        CONTAINER,
        ("aws.ecs-task-definition", "aws::ecs::taskdefinition"),
        "lax $.containerDefinitions[*].environment[*]",
        "variable",
    ),
    Place(
        "aws",
        CONTAINER,
        ("aws::ecs::taskdefinition",),
        "lax $.ContainerDefinitions[*].Environment[*]",
        "variable",
    ),
    Place(
        "azure",
        USER_DATA,
        ("microsoft.compute/virtualmachines",),
        "lax $.properties.userData",
        "user data",
    ),
    Place(
        "azure",
        USER_DATA,
        ("microsoft.compute/virtualmachines",),
        "lax $.properties.osProfile.customData",
        "custom data",
    ),
    Place(
        "azure",
        USER_DATA,
        ("microsoft.compute/virtualmachinescalesets",),
        "lax $.properties.virtualMachineProfile.userData",
        "user data",
    ),
    Place(
        "azure",
        ENVIRONMENT,
        ("microsoft.web/sites",),
        "lax $.properties.siteConfig.appSettings[*]",
        "setting",
    ),
    Place(
        "azure",
        CONTAINER,
        ("microsoft.containerinstance/containergroups",),
        "lax $.properties.containers[*].properties.environmentVariables[*]",
        "variable",
    ),
    Place(
        "azure",
        CONTAINER,
        ("microsoft.app/containerapps", "microsoft.app/jobs"),
        "lax $.properties.template.containers[*].env[*]",
        "variable",
    ),
    Place(
        "gcp",
        USER_DATA,
        ("gcp.instance", "compute.googleapis.com/instance"),
        "lax $.metadata.items[*]",
        "metadata",
    ),
    Place(
        "gcp",
        USER_DATA,
        ("gcp.instance-template", "compute.googleapis.com/instancetemplate"),
        "lax $.properties.metadata.items[*]",
        "metadata",
    ),
    Place("gcp", ENVIRONMENT, ("gcp.function", *_FUNCTIONS), "lax $.environmentVariables", "variable"),
    Place(
        "gcp",
        ENVIRONMENT,
        ("gcp.function", *_FUNCTIONS),
        "lax $.serviceConfig.environmentVariables",
        "variable",
    ),
    Place("gcp", CONTAINER, _RUN, "lax $.template.containers[*].env[*]", "variable"),
    Place("gcp", CONTAINER, _RUN, "lax $.spec.template.spec.containers[*].env[*]", "variable"),
    Place("gcp", CONTAINER, ("k8s.io/pod",), "lax $.spec.containers[*].env[*]", "variable"),
)
TYPES = tuple(sorted({type_ for place in PLACES for type_ in place.types}))


def places_of(type_: str) -> Iterator[tuple[int, Place]]:
    """(number in PLACES, place) for a resource type."""
    return ((number, place) for number, place in enumerate(PLACES) if type_ in place.types)


def secrets_at(place: Place, parts: Iterable[Any], key: bytes) -> list[str]:
    """What was found in the parts of one document, in words: `a GitHub Token in variable TOKEN (fingerprint …)`."""
    told: list[tuple[str, FoundSecret]] = []
    for part in parts:
        for name, text in _texts(part):
            where = f"{place.words} {name}" if name else place.words
            told += [(where, found) for found in _secrets_of(name, text, key)]
    return [_words(where, found) for where, found in sorted(told)]


def reason_of(found: list[str]) -> str:
    """The sentence of a violation."""
    shown = found[:SHOWN]
    more = f", and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    return f"{'; '.join(shown)}{more}."[:1].upper() + f"{'; '.join(shown)}{more}."[1:]


def _texts(part: Any) -> Iterator[tuple[str, str]]:
    """(name, text); the name is empty for a text by itself. Values that are a reference to a store are no texts."""
    if isinstance(part, str):
        yield "", decoded(part)
        return
    if not isinstance(part, dict):
        return
    lowered = {str(name).lower(): value for name, value in part.items()}
    name = lowered.get("name", lowered.get("key"))
    if isinstance(name, str) and ("value" in lowered or "valuefrom" in lowered or "valuesource" in lowered):
        if isinstance(lowered.get("value"), str):
            yield (
                name,
                decoded(lowered["value"]) if name in ("user-data", "startup-script") else lowered["value"],
            )
        return
    for key, value in part.items():
        if isinstance(value, str):
            yield str(key), value


def _secrets_of(name: str, text: str, key: bytes) -> list[FoundSecret]:
    """A variable is looked at as the line that sets it: some are known by their names alone."""
    if not name or "\n" in text:
        return find_secrets(text, key)
    return find_secrets(f"{name}={text}", key)


def _words(where: str, found: FoundSecret) -> str:
    kind = (
        "a secret by its name" if found.kind == "Secret Keyword" else f"{_article(found.kind)} {found.kind}"
    )
    line = f", line {found.line}" if found.line > 1 or where in ("user data", "custom data") else ""
    mark = f" (fingerprint {found.fingerprint})" if found.fingerprint else ""
    return f"{kind} in {where}{line}{mark}"


def _article(kind: str) -> str:
    return "an" if kind[:1].upper() in "AEIO" else "a"
