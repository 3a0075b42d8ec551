from django.apps import AppConfig
from django.db.models.signals import post_migrate


class CoreConfig(AppConfig):
    name = "apps.core"
    label = "core"

    def ready(self) -> None:
        from . import checks  # noqa: F401  (registers the project's system checks)
        from .db.access import synchronise_after_migrate

        # Django's own announcement that `migrate` is done; nothing of the product's flow hangs on it.
        post_migrate.connect(synchronise_after_migrate, sender=self, dispatch_uid="core.access")
