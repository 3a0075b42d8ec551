"""Every policy of the public corpora that compiles, in one scan of 100,000 resources; and previews of policies there.

The scan is the product's own, as the app role. A preview is asked for ten different policies in turn: the slowest counts.
"""

from __future__ import annotations

import resource
from collections.abc import Iterator

from django.db import transaction

from apps.catalog.models import Policy
from apps.catalog.services import import_policies
from apps.core.context import Actor, tenant_scope, tenant_transaction
from apps.findings.services.preview import preview_policy
from benchmarks import estate
from benchmarks.frame import CORPORA, Bench, Row, spell, took
from benchmarks.loading import in_import_order, load
from benchmarks.subjects.policy_scans import import_ten, scan

SECONDS = 600
CORPUS = CORPORA / "policies"
PREVIEW = 1.0  # seconds, on a tenant of 100,000 resources


def run(bench: Bench) -> Iterator[Row]:
    total, tenant_id = bench.size(100_000, 5_000), bench.tenant().pk
    with bench.superuser() as superuser, tenant_scope(tenant_id, Actor.system("bench")):
        load(superuser, tenant_id, in_import_order(list(estate.rows(total))))
        import_ten()
        yield from _previews(total)
        if not CORPUS.is_dir():
            yield Row("the public policies are not beside the checkout", "left out")
            return
        seconds, imported = took(lambda: import_policies(source=CORPUS, name="corpora"))
        yield Row(f"import of {imported.rows_read:,} public policies", spell(seconds))
        with tenant_transaction(tenant_id):
            active = Policy.objects.filter(status="active").count()
        first, outcome = took(lambda: scan("full"))
        told = f"{outcome['opened']:,} opened, {outcome['errors']:,} undecided"
        yield Row(f"{active:,} policies over {total:,} resources, first scan: {told}", spell(first))
        again, _ = took(lambda: scan("full"))
        yield Row("the same again", spell(again), spell(first), again / first)
        nothing, _ = took(lambda: scan("incremental"))
        yield Row("incremental, without a change", spell(nothing), spell(again), nothing / again)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        yield Row("the process's memory at its highest", f"{peak:,.0f} MB")


def _previews(total: int) -> Iterator[Row]:
    slowest, which = 0.0, ""
    with transaction.atomic():
        policies = list(Policy.objects.filter(status="active").order_by("name"))
    for policy in policies:
        with tenant_transaction(policy.tenant_id):
            seconds, _ = took(lambda policy=policy: preview_policy(policy=policy))  # type: ignore[misc]
        if seconds > slowest:
            slowest, which = seconds, policy.name
    yield Row(
        f"the slowest preview of {len(policies)} on {total:,} resources ({which[:40]})",
        spell(slowest),
        goal=f"< {PREVIEW:.0f} s",
        met=slowest < PREVIEW,
    )
