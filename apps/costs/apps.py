from django.apps import AppConfig


class CostsConfig(AppConfig):
    name = "apps.costs"
    label = "costs"

    def ready(self) -> None:
        from apps.catalog.resource_costs import use_costs
        from apps.notices.codes import register_notices

        from .jobs import register
        from .services.by_resource import ON_DEMAND_USAGE, RESOURCE_COSTS, RESOURCE_DAYS

        register()
        use_costs(resources=RESOURCE_COSTS, on_demand=ON_DEMAND_USAGE, days=RESOURCE_DAYS)
        register_notices(
            "costs",
            "Costs",
            {
                "anomaly": "a service costs what its own weekdays do not explain",
                "budget": "a budget's threshold is reached, or expected to be",
            },
        )
