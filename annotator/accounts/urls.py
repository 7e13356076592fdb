from django.urls import include, path

from annotator.accounts import token_views, views

_own = ([path("preferences/", views.preferences, name="preferences")], "accounts")

urlpatterns = [
    path("", include(_own)),
    path("tokens/", token_views.tokens, name="account_tokens"),
    path("tokens/<int:token_id>/revoke/", token_views.revoke, name="account_token_revoke"),
    path("", include("allauth.urls")),
]
