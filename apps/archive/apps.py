from django.apps import AppConfig
from django.db.models.signals import post_migrate


class ArchiveConfig(AppConfig):
    name = "apps.archive"
    label = "archive"

    def ready(self) -> None:
        from apps.audit.verification.verify import register_check
        from apps.core.health import register_part
        from apps.evidence.holding import ask_before_writing
        from apps.jobs.registry import JobKind, register_job, register_sweep

        from .forecasting import JOB_TYPE as FORECAST
        from .forecasting import forecast
        from .health import look_at_history
        from .holds import JOB_TYPE as HOLD
        from .holds import apply_hold, holds_on
        from .moving import JOB_TYPE, move_closed, start_due_moves
        from .partitions import prepare_after_migrate
        from .proof import check_segments

        register_job(JobKind(JOB_TYPE, "jobs", "Archiving", run=move_closed))
        register_job(JobKind(HOLD, "jobs", "Legal hold", run=apply_hold))
        ask_before_writing(holds_on)
        register_job(JobKind(FORECAST, "jobs", "Storage forecast", run=forecast))
        register_part("history", look_at_history)
        register_sweep("archive", start_due_moves)
        register_check("archive", check_segments)
        post_migrate.connect(prepare_after_migrate, sender=self, dispatch_uid="archive.partitions")
