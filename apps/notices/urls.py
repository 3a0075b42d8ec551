from django.urls import path

from .views import DeliveryAgain, DeliveryDetail, DeliveryList, Preferences

app_name = "notices"
urlpatterns = [
    path("notices/", DeliveryList.as_view(), name="delivery-list"),
    path("notices/preferences/", Preferences.as_view(), name="preferences"),
    path("notices/<uuid:pk>/", DeliveryDetail.as_view(), name="delivery-detail"),
    path("notices/<uuid:pk>/again/", DeliveryAgain.as_view(), name="delivery-again"),
]
