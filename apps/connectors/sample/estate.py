"""The sample estate: resources of all four clouds, in usual proportions and with the usual faults."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from itertools import cycle, islice

from apps.connectors.sample import aws, azure, gcp, ibm
from apps.connectors.sample.dice import Dice, Row

# Out of nine resources: three of Azure, three of Amazon, two of Google, one of IBM.
_CLOUDS = (azure, aws, gcp, azure, aws, ibm, azure, gcp, aws)


def estate(seed: int, resources: int, today: date | None = None) -> Iterator[Row]:
    """`resources` rows of the plain inventory format, every one with an id of its own.

    The same seed and day give the same rows, and the ids depend on the seed alone. `today` (UTC by
    default) is the day that ages count back from. From 80 resources on every type is there.
    """
    dice = Dice(seed, today or datetime.now(UTC).date())
    builders = {cloud: cycle(cloud.BUILDERS) for cloud in (azure, aws, gcp, ibm)}
    for number, cloud in enumerate(islice(cycle(_CLOUDS), resources)):
        owner = dice.owner(cloud.ACCOUNTS, cloud.REGIONS, number)
        yield next(builders[cloud])(dice, owner)
