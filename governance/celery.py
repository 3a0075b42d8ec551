"""Celery: `celery -A governance.celery worker`. Configured by settings.CELERY, read when first needed."""

import os
from typing import Any

from celery import Celery
from celery.signals import worker_init

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "governance.settings.dev")

app = Celery("governance")
app.config_from_object("governance.celery_settings")
app.autodiscover_tasks(["apps.jobs"])
app.set_default()


@worker_init.connect
def refuse_strong_role(**_: Any) -> None:
    from django.db import connections

    from apps.core.guards import refuse_strong_role

    refuse_strong_role()
    # The worker's processes are forked from this one: a pool must not go along, its sockets and locks would
    # be shared.
    database: Any = connections["default"]
    database.close_pool()
