from django.apps import AppConfig


class NoticesConfig(AppConfig):
    name = "apps.notices"
    label = "notices"

    def ready(self) -> None:
        from apps.jobs.registry import JobKind, on_finished, register_job, register_sweep

        from .codes import register_notices
        from .services.delivering import resume_deliveries, run_deliveries
        from .services.notifying import JOB_TYPE
        from .services.occasions import tell_of_failed_job

        register_job(JobKind(JOB_TYPE, "jobs", "Delivery of notices", run=run_deliveries))
        register_sweep("notices", resume_deliveries)
        on_finished(tell_of_failed_job)
        register_notices("jobs", "Work that you asked for", {"failed": "A job failed"})
        register_notices("notices", "Tests", {"test": "A test that an admin sent"})
