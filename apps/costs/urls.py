from django.urls import path

from .views.allocation import AllocationPage, UnitCostPage
from .views.anomalies import AnomalyDecide, AnomalyDetail, AnomalyList
from .views.budgets import BudgetCreate, BudgetDetail, BudgetEnd, BudgetList
from .views.days import CostList, PeriodList
from .views.explorer import Explorer
from .views.forecast import ForecastPage

app_name = "costs"
urlpatterns = [
    path("costs/", Explorer.as_view(), name="explorer"),
    path("costs/days/", CostList.as_view(), name="cost-list"),
    path("costs/periods/", PeriodList.as_view(), name="period-list"),
    path("costs/forecast/", ForecastPage.as_view(), name="forecast"),
    path("costs/allocation/", AllocationPage.as_view(), name="allocation"),
    path("costs/units/", UnitCostPage.as_view(), name="unit-costs"),
    path("costs/anomalies/", AnomalyList.as_view(), name="anomaly-list"),
    path("costs/anomalies/<uuid:pk>/", AnomalyDetail.as_view(), name="anomaly-detail"),
    path("costs/anomalies/<uuid:pk>/decide/", AnomalyDecide.as_view(), name="anomaly-decide"),
    path("costs/budgets/", BudgetList.as_view(), name="budget-list"),
    path("costs/budgets/new/", BudgetCreate.as_view(), name="budget-create"),
    path("costs/budgets/<uuid:pk>/", BudgetDetail.as_view(), name="budget-detail"),
    path("costs/budgets/<uuid:pk>/end/", BudgetEnd.as_view(), name="budget-end"),
]
