"""Many accounts through discovery: a storm loses nothing, a killed worker's discovery is gone on from, memory stays flat.

`make discovery-figures` has it with 100,000 resources over 50 accounts.
"""

from __future__ import annotations

import pytest

from tests.chaos.large_discovery import RETRY_AFTER, measure

pytestmark = pytest.mark.slow

ACCOUNTS, EACH, PAGE = 10, 2_000, 1_000
# Between the first account and the last.
MOST_GROWTH_MIB = 24.0


def test_accounts_are_discovered_whole_in_a_storm_and_after_a_kill() -> None:
    figures = measure(ACCOUNTS, EACH)
    assert figures.refused_requests > figures.requests / 6, "the storm did not blow"
    # It slows the listing down, by what the cloud asks for and not by less.
    assert figures.too_early == 0, figures
    assert figures.waited_seconds >= figures.refused_requests * RETRY_AFTER - 1, figures
    assert 0 < figures.killed_at < figures.resources
    # What was under way is read again from the last page that was kept, and no more.
    assert figures.read_again <= 2 * PAGE, figures
    assert figures.late_mib - figures.early_mib < MOST_GROWTH_MIB, figures
