from django.urls import path

from .token_pages import TokenCreate, TokenList, TokenRevoke
from .views import SignInView, SignOutView

app_name = "tenancy"
urlpatterns = [
    path("sign-in/", SignInView.as_view(), name="sign-in"),
    path("sign-out/", SignOutView.as_view(), name="sign-out"),
    path("tokens/", TokenList.as_view(), name="token-list"),
    path("tokens/new/", TokenCreate.as_view(), name="token-create"),
    path("tokens/<uuid:pk>/revoke/", TokenRevoke.as_view(), name="token-revoke"),
]
