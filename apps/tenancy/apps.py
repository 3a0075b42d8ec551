from django.apps import AppConfig


class TenancyConfig(AppConfig):
    name = "apps.tenancy"
    label = "tenancy"

    def ready(self) -> None:
        from apps.jobs.registry import register_sweep

        from .idempotency import sweep_keys

        register_sweep("idempotency_keys", sweep_keys)
