"""The form with which a dictionary is imported."""

from __future__ import annotations

from django import forms

from annotator.lookup.databases import DATABASES


class DictionaryForm(forms.Form):
    file = forms.FileField(
        label="File",
        allow_empty_file=True,
        help_text=(
            "A table (TSV) or OBO, plain or packed with gzip. Larger files are imported on the"
            " server: manage.py import_dictionary."
        ),
    )
    database = forms.ChoiceField(
        label="Database", choices=[(each.key, each.name) for each in DATABASES]
    )
    name = forms.CharField(
        label="Name",
        max_length=100,
        required=False,
        help_text=(
            "Needed for several dictionaries of one database, such as “NCBI gene, mouse”. A"
            " dictionary of the same name is replaced. Empty: the name of the database."
        ),
    )
    version = forms.CharField(
        label="Version", max_length=100, required=False, help_text="Of the file, such as 2026-11."
    )
