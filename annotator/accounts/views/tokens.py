"""The page on which users create and revoke their API tokens."""

from __future__ import annotations

from django import forms
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from annotator.accounts.models import ApiToken
from annotator.accounts.tokens import MAX_DAYS, create_token, revoke_token
from annotator.accounts.users import signed_in
from annotator.common.errors import UserError


class TokenForm(forms.Form):
    name = forms.CharField(
        label="Name",
        max_length=100,
        help_text="The program that will use the token, such as: nightly export of the lab.",
    )
    days = forms.IntegerField(
        label="Valid for (days)",
        min_value=1,
        max_value=MAX_DAYS,
        required=False,
        help_text="Leave empty for a token without an expiry date.",
    )


@login_required
@never_cache
@sensitive_post_parameters()
@require_http_methods(["GET", "POST"])
def tokens(request: HttpRequest) -> HttpResponse:
    """List the user's tokens; POST creates one and shows its secret once."""
    user = signed_in(request)
    form = TokenForm()
    if request.method == "POST":
        form = TokenForm(request.POST)
    secret = ""
    if form.is_valid():
        try:
            _, secret = create_token(
                user=user,
                name=form.cleaned_data["name"],
                days=form.cleaned_data["days"],
                actor=user,
            )
            form = TokenForm()
        except UserError as error:
            form.add_error(None, str(error))
    status = 422 if request.method == "POST" and not secret else 200
    context = {
        "form": form,
        "secret": secret,
        "tokens": ApiToken.objects.filter(user=user, revoked_at=None),
    }
    return render(request, "accounts/tokens.html", context, status=status)


@login_required
@require_POST
def tokens_revoke(request: HttpRequest, token_id: int) -> HttpResponse:
    """Revoke one of the user's tokens."""
    user = signed_in(request)
    revoke_token(token=get_object_or_404(ApiToken, pk=token_id, user=user), actor=user)
    return redirect("accounts:tokens")
