from django.apps import AppConfig


class AuditConfig(AppConfig):
    name = "apps.audit"
    label = "audit"

    def ready(self) -> None:
        from apps.core.health import register_part
        from apps.core.recording import use_recorder
        from apps.jobs.registry import register_job

        from .jobs import VERIFY
        from .lag import health
        from .services import record

        use_recorder(record)
        register_part("audit", health)
        register_job(VERIFY)
