"""Forms of exports, of snapshots, and of a project's rules for snapshots."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from django import forms
from django.contrib.auth import get_user_model
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminRadioSelectWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
)

from annotator.corpus.models import DecisionKind, Label, Project
from annotator.datasets.exports.writing import EXPORT_FORMATS
from annotator.datasets.models import OverCap, SplitFile
from annotator.datasets.snapshots.filters import SnapshotFilter
from annotator.datasets.snapshots.guard import Rules

_DEFAULT_FORMAT: Final = "sd-nlp"
_MAX_SPLIT_BYTES: Final = 20 * 1024**2
#: The kinds of decisions, as a form names them.
DECISIONS: Final = {
    DecisionKind.EXPLICIT: "decided one by one",
    DecisionKind.BULK_ACCEPTED: "bulk-accepted with the legend",
    DecisionKind.IMPORTED: "imported as gold",
    DecisionKind.PROPAGATED: "propagated from another occurrence",
}
_FIRST_FIELDS: Final = ("project", "note")
_FILTER_FIELDS: Final = ("accepted_from", "accepted_to", "curators", "labels", "decisions")
_SPLIT_FIELDS: Final = ("split_file", "split_upload")
_PERCENTAGES: Final = ("swept_cap", "swept_weight", "near_duplicate")


class ExportForm(forms.Form):
    """The format and the options of an export."""

    format_name = forms.ChoiceField(
        label="Format",
        choices=list(EXPORT_FORMATS.items()),
        initial=_DEFAULT_FORMAT,
        widget=forms.RadioSelect,
    )
    public_form = forms.BooleanField(
        label="Use the form of the public data sets",
        required=False,
        help_text=(
            "Only for sd-nlp: seven labels without disease, and only panels of more than 80"
            " characters with an entity."
        ),
    )
    leave_out_damaged = forms.BooleanField(
        label="Leave out damaged legends",
        required=False,
        help_text=(
            "If unticked, the export stops when a stored entity does not fit its text. The report"
            " names damaged legends in both cases."
        ),
    )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        chosen = cleaned.get("format_name", "")
        if cleaned.get("public_form") and chosen and not chosen.startswith("sd-nlp"):
            self.add_error(
                "public_form",
                "Only sd-nlp has a public form. Choose sd-nlp above, or untick this option.",
            )
        return cleaned


class _Day(forms.DateInput):
    input_type = "date"

    def __init__(self) -> None:
        super().__init__(attrs={"class": "sdc-input"}, format="%Y-%m-%d")


class FreezeForm(forms.Form):
    """A snapshot of one of ``projects``: its filter and its split."""

    project = forms.ModelChoiceField(
        Project.objects.none(), empty_label=None, widget=UnfoldAdminSelectWidget
    )
    note = forms.CharField(
        max_length=200,
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text="The purpose of this snapshot, shown in lists of snapshots.",
    )
    accepted_from = forms.DateField(
        label="Accepted from",
        required=False,
        widget=_Day,
        help_text="First day. Leave it empty for no limit.",
    )
    accepted_to = forms.DateField(
        label="Accepted to",
        required=False,
        widget=_Day,
        help_text="Last day. Leave it empty for no limit.",
    )
    curators = forms.ModelMultipleChoiceField(
        get_user_model().objects.none(),
        label="Accepted by",
        required=False,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text="If none is ticked: legends accepted by anyone, and imported gold.",
    )
    labels = forms.MultipleChoiceField(
        required=False,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text="If none is ticked: all labels. Entities with other labels are left out.",
    )
    decisions = forms.MultipleChoiceField(
        label="Decisions",
        choices=[(str(kind), words) for kind, words in DECISIONS.items()],
        required=False,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text=(
            "If none is ticked: all decisions. A panel is left out if any of its entities was"
            " decided in another way."
        ),
    )
    split_file = forms.ModelChoiceField(
        SplitFile.objects.none(),
        label="Split",
        required=False,
        empty_label="fixed rule: a hash of the paper’s DOI",
        widget=UnfoldAdminSelectWidget,
        help_text="An uploaded split file. Papers that it does not name follow the fixed rule.",
    )
    split_upload = forms.FileField(
        label="New split file",
        required=False,
        widget=forms.ClearableFileInput(
            attrs={"class": "sdc-input", "accept": ".tsv,.txt,text/plain"}
        ),
        help_text="One line per paper: its DOI, a tab, and train, eval or test.",
    )

    def __init__(
        self, data: Any = None, files: Any = None, *, projects: Sequence[Project], **facts: Any
    ) -> None:
        super().__init__(data, files, **facts)
        pks = [project.pk for project in projects]
        members = get_user_model().objects.filter(memberships__project__in=pks)
        split_files = SplitFile.objects.filter(project__in=pks).select_related("project")
        querysets: dict[str, Any] = {
            "project": Project.objects.filter(pk__in=pks),
            "curators": members.distinct().order_by("username"),
            "split_file": split_files.defer("splits"),
        }
        for name, queryset in querysets.items():
            self.fields[name].queryset = queryset  # type: ignore[attr-defined]
        codes = (
            Label.objects.filter(label_set__projects__in=pks, retired_at=None)
            .order_by("position", "id")
            .values_list("code", "name")
        )
        self.fields["labels"].choices = list(dict(codes).items())  # type: ignore[attr-defined]

    @property
    def first_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in _FIRST_FIELDS]

    @property
    def filter_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in _FILTER_FIELDS]

    @property
    def split_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in _SPLIT_FIELDS]

    @property
    def has_conditions(self) -> bool:
        """Whether a folded field has a value, so that the fold must be open."""
        names = (*_FILTER_FIELDS, "split_file")
        return self.is_bound and any(self[name].value() for name in names)

    def clean_split_upload(self) -> Any:
        upload = self.cleaned_data["split_upload"]
        if upload and upload.size > _MAX_SPLIT_BYTES:
            raise forms.ValidationError(
                f"This file is larger than {_MAX_SPLIT_BYTES // 1024**2} MB, too large for a split"
                " file. One line per paper is enough."
            )
        return upload

    def filters(self) -> SnapshotFilter:
        """Return the filter that was entered."""
        entered = self.cleaned_data
        return SnapshotFilter(
            accepted_from=entered["accepted_from"],
            accepted_to=entered["accepted_to"],
            curators=tuple(user.pk for user in entered["curators"]),
            labels=tuple(entered["labels"]),
            decisions=tuple(entered["decisions"]),
        )


def _percent(label: str, words: str) -> forms.FloatField:
    attributes = {"type": "number", "step": "any", "min": 0, "max": 100, "inputmode": "decimal"}
    return forms.FloatField(
        label=label,
        min_value=0,
        max_value=100,
        widget=UnfoldAdminTextInputWidget(attrs=attributes),
        help_text=words,
    )


class RulesForm(forms.Form):
    """The rules of a project's snapshots; fractions are entered as percentages."""

    swept_cap = _percent(
        "Bulk-accepted entities, at most, percent",
        "Bulk-accepted entities were accepted with their legend, not one by one. A model that"
        " learns from them learns what a model guessed. 100 switches the limit off. Figures whose"
        " panels no curator changed have the same limit in training data for panel models.",
    )
    over_cap = forms.ChoiceField(
        label="Above the limit", choices=OverCap.choices, widget=UnfoldAdminRadioSelectWidget
    )
    swept_weight = _percent(
        "Weight of a bulk-accepted entity, percent",
        "The weight of a row in training is the mean weight of its entities: 100 for a decided"
        " entity, this number for a bulk-accepted one. A row of weight 0 is not used in training."
        " The weight of a whole figure is the mean weight of its panels.",
    )
    near_duplicate = _percent(
        "Near-duplicates from, percent",
        "Two panels of different splits are near-duplicates if they share this percentage of their"
        " three-word sequences. The held-out panel stays, the other is left out.",
    )

    @classmethod
    def of(cls, project: Project) -> RulesForm:
        """Return the form with the project's current rules."""
        rules = Rules.of(project)
        initial: dict[str, Any] = {"over_cap": rules.over_cap}
        for name in _PERCENTAGES:
            initial[name] = f"{round(100 * getattr(rules, name), 4):g}"
        return cls(initial=initial)

    def rules(self) -> dict[str, Any]:
        """Return the rules that were entered, as the service takes them."""
        entered = self.cleaned_data
        rules: dict[str, Any] = {name: entered[name] / 100 for name in _PERCENTAGES}
        return {"over_cap": entered["over_cap"], **rules}
