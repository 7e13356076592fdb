from django.urls import include, path

from annotator.accounts.views.account import ask_an_administrator
from annotator.accounts.views.preferences import preferences, preferences_tour
from annotator.accounts.views.tokens import tokens, tokens_revoke

_own = (
    [
        path("preferences/", preferences, name="preferences"),
        path("preferences/tour/", preferences_tour, name="preferences_tour"),
        path("tokens/", tokens, name="tokens"),
        path("tokens/<int:token_id>/revoke/", tokens_revoke, name="tokens_revoke"),
    ],
    "accounts",
)

urlpatterns = [
    path("", include(_own)),
    # In place of allauth's pages, under their names: the site sends no mail.
    path("email/", ask_an_administrator, name="account_email"),
    path("password/reset/", ask_an_administrator, name="account_reset_password"),
    path("", include("allauth.urls")),
]
