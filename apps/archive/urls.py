from django.urls import path

from .views import (
    HoldCreate,
    HoldList,
    HoldRelease,
    RetentionForecast,
    RetentionMove,
    RetentionPage,
    WindowPage,
)

app_name = "archive"
urlpatterns = [
    path("retention/", RetentionPage.as_view(), name="retention"),
    path("retention/window/", WindowPage.as_view(), name="window"),
    path("retention/move/", RetentionMove.as_view(), name="move"),
    path("retention/forecast/", RetentionForecast.as_view(), name="forecast"),
    path("retention/holds/", HoldList.as_view(), name="hold-list"),
    path("retention/holds/new/", HoldCreate.as_view(), name="hold-create"),
    path("retention/holds/<uuid:pk>/release/", HoldRelease.as_view(), name="hold-release"),
]
