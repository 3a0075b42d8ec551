"""Where secrets get into configuration: which parts of which types of documents may hold one."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

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

    @cached_property
    def steps(self) -> tuple[str, ...]:
        """The path's members in order; a list on the way means each of its items, as lax jsonpath has it."""
        members, _, _ = self.path.removeprefix("lax $.").partition(" ? ")
        return tuple(member.removesuffix("[*]") for member in members.split("."))


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


@lru_cache(4096)
def places_of(type_: str) -> tuple[tuple[int, Place], ...]:
    """(number in PLACES, place) for a resource type."""
    return tuple((number, place) for number, place in enumerate(PLACES) if type_ in place.types)
