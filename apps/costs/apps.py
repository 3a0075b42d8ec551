from django.apps import AppConfig


class CostsConfig(AppConfig):
    name = "apps.costs"
    label = "costs"

    def ready(self) -> None:
        from apps.notices.codes import register_notices

        from .jobs import register

        register()
        register_notices(
            "costs",
            "Costs",
            {
                "anomaly": "a service costs what its own weekdays do not explain",
                "budget": "a budget's threshold is reached, or expected to be",
            },
        )
