from django.apps import AppConfig


class GovernanceConfig(AppConfig):
    """The project itself: makes our Celery app the one through which every process sends messages."""

    name = "governance"

    def ready(self) -> None:
        from . import celery  # noqa: F401
