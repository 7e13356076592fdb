from django.urls import include, path

from annotator.accounts.views import pages as views
from annotator.accounts.views import tokens as token_views

_own = ([path("preferences/", views.preferences, name="preferences")], "accounts")

urlpatterns = [
    path("", include(_own)),
    path("tokens/", token_views.tokens, name="account_tokens"),
    path("tokens/<int:token_id>/revoke/", token_views.revoke, name="account_token_revoke"),
    # Instead of allauth's: the site sends no mail, and addresses are an administrator's to set.
    path("email/", views.ask_an_administrator, name="account_email"),
    path("password/reset/", views.ask_an_administrator, name="account_reset_password"),
    path("", include("allauth.urls")),
]
