"""Forms of the project's pages."""

from __future__ import annotations

from typing import Any

from django import forms

from annotator.accounts.models import User
from annotator.corpus.file_labels import FileLabels
from annotator.corpus.models import Role
from ner_engine.formats import FORMATS

_LABEL_CHOICES = [
    (FileLabels.SUGGESTIONS.value, "Suggestions: review every entity in the file"),
    (
        FileLabels.GOLD.value,
        "Decided: accept the legends with the entities that people labelled",
    ),
    (FileLabels.NONE.value, "None: import only texts and panels"),
]


class ProjectForm(forms.Form):
    name = forms.CharField(max_length=200)
    slug = forms.SlugField(
        label="Address",
        max_length=80,
        required=False,
        help_text="The project's part of the web address. Leave empty to derive it from the name.",
    )
    description = forms.CharField(widget=forms.Textarea(attrs={"rows": 3}), required=False)


class ManyFilesInput(forms.ClearableFileInput):
    allow_multiple_selected = True


class ManyFilesField(forms.FileField):
    """One or more uploaded files, as a list."""

    widget = ManyFilesInput

    def clean(self, data: Any, initial: Any = None) -> list[Any]:
        if not isinstance(data, (list, tuple)):
            data = [data]
        return [super(ManyFilesField, self).clean(file, initial) for file in data]


class ImportForm(forms.Form):
    # Django's ``Form.files`` holds the uploads; the page sends them under the same name.
    files = ManyFilesField(  # type: ignore[assignment]
        label="Files",
        allow_empty_file=True,
        widget=ManyFilesInput(attrs={"multiple": True}),
        help_text=(
            "Files or zip archives, which may also contain images of the figures. Legends that are"
            " already in the project are skipped. Problems are listed in the report."
        ),
    )
    source_format = forms.ChoiceField(
        label="Format",
        required=False,
        choices=[
            ("", "Detect from the content"),
            *((each.name, each.title) for each in FORMATS.values()),
        ],
    )
    labels = forms.ChoiceField(
        label="Labels in the files",
        choices=_LABEL_CHOICES,
        initial=FileLabels.SUGGESTIONS.value,
        widget=forms.RadioSelect,
        help_text=(
            "Choose “Decided” only for labels that people checked. Accepted legends train the next"
            " model."
        ),
    )


class MemberForm(forms.Form):
    """Names a user by user name or email address, and a role."""

    person = forms.CharField(label="User name or email", max_length=254)
    role = forms.ChoiceField(choices=Role.choices, initial=Role.CURATOR)

    def clean_person(self) -> User:
        """Return the active user of that name, or the only one with that address."""
        word = self.cleaned_data["person"].strip()
        active = User.objects.filter(is_active=True)
        by_name = active.filter(username=word).first()
        if by_name is not None:
            return by_name
        if "@" in word:
            by_address = list(active.filter(email__iexact=word)[:2])
            if len(by_address) == 1:
                return by_address[0]
        raise forms.ValidationError(
            "No user has this name or email address. An administrator can create an account."
        )
