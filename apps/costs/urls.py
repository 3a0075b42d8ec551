from django.urls import path

from .views import CostList

app_name = "costs"
urlpatterns = [path("costs/", CostList.as_view(), name="cost-list")]
