from django.apps import AppConfig


class ActionsConfig(AppConfig):
    name = "apps.actions"
    label = "actions"

    def ready(self) -> None:
        from apps.audit.verification.verify import register_check
        from apps.jobs.registry import JobKind, register_job, register_sweep
        from apps.notices.codes import register_notices

        from .notifying import FAMILY, FAMILY_TITLE, OCCASIONS
        from .proof import check_actions
        from .runner.job import JOB_TYPE, end_with_job, run_action, sweep_actions
        from .services.scheduling import QUEUE

        register_job(JobKind(JOB_TYPE, QUEUE, "Action", run=run_action, finished=end_with_job))
        register_check("actions", check_actions)
        register_sweep("actions", sweep_actions)
        register_notices(FAMILY, FAMILY_TITLE, OCCASIONS)
