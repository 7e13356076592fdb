"""What an administrator fills in to freeze a snapshot, and the rules of a project's snapshots."""

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
from annotator.datasets.filters import SnapshotFilter
from annotator.datasets.guard import Rules
from annotator.datasets.models import OverCap, SplitFile

_MAX_SPLIT_BYTES: Final = 20 * 1024**2
#: What the kinds of decisions are called where somebody chooses among them.
DECISIONS: Final = {
    DecisionKind.EXPLICIT: "decided one by one",
    DecisionKind.BULK_ACCEPTED: "swept: accepted with the legend",
    DecisionKind.IMPORTED: "imported as gold",
    DecisionKind.PROPAGATED: "propagated from another occurrence",
}


class _Day(forms.DateInput):
    input_type = "date"

    def __init__(self) -> None:
        super().__init__(attrs={"class": "sdc-input"}, format="%Y-%m-%d")


class FreezeForm(forms.Form):
    """A snapshot of one of ``projects``: what it is made of, and by which split."""

    project = forms.ModelChoiceField(
        Project.objects.none(), empty_label=None, widget=UnfoldAdminSelectWidget
    )
    note = forms.CharField(
        max_length=200,
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text="What this snapshot is for; it is shown wherever it can be chosen.",
    )
    accepted_from = forms.DateField(
        label="Accepted from",
        required=False,
        widget=_Day,
        help_text="The first day; empty for all.",
    )
    accepted_to = forms.DateField(
        label="Accepted to", required=False, widget=_Day, help_text="The last day."
    )
    curators = forms.ModelMultipleChoiceField(
        get_user_model().objects.none(),
        label="Accepted by",
        required=False,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text="None ticked: by anybody, or by the file they came with.",
    )
    labels = forms.MultipleChoiceField(
        required=False,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text="None ticked: all. Entities of other labels stay out.",
    )
    decisions = forms.MultipleChoiceField(
        label="Decided",
        choices=[(str(kind), words) for kind, words in DECISIONS.items()],
        required=False,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text=(
            "None ticked: in any way. A panel with an entity that was decided otherwise is left out"
            " as a whole."
        ),
    )
    split_file = forms.ModelChoiceField(
        SplitFile.objects.none(),
        label="Split",
        required=False,
        empty_label="by the fixed rule: a hash of the paper’s DOI",
        widget=UnfoldAdminSelectWidget,
        help_text=(
            "A file that was uploaded before. Papers that it does not name lie where the fixed rule"
            " puts them."
        ),
    )
    split_upload = forms.FileField(
        label="Or a new split file",
        required=False,
        widget=forms.ClearableFileInput(
            attrs={"class": "sdc-input", "accept": ".tsv,.txt,text/plain"}
        ),
        help_text="One line a paper: its DOI, a tab, and train, eval or test.",
    )

    def __init__(
        self, data: Any = None, files: Any = None, *, projects: Sequence[Project], **facts: Any
    ) -> None:
        super().__init__(data, files, **facts)
        pks = [project.pk for project in projects]
        choices: dict[str, Any] = {
            "project": Project.objects.filter(pk__in=pks),
            "curators": (
                get_user_model()
                .objects.filter(memberships__project__in=pks)
                .distinct()
                .order_by("username")
            ),
            "split_file": (
                SplitFile.objects.filter(project__in=pks).select_related("project").defer("sides")
            ),
        }
        for name, rows in choices.items():
            self.fields[name].queryset = rows  # type: ignore[attr-defined]
        codes = (
            Label.objects.filter(label_set__projects__in=pks, retired_at=None)
            .order_by("position", "id")
            .values_list("code", "name")
        )
        self.fields["labels"].choices = list(dict(codes).items())  # type: ignore[attr-defined]

    @property
    def first_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in ("project", "note")]

    @property
    def filter_fields(self) -> list[forms.BoundField]:
        return [
            self[name]
            for name in ("accepted_from", "accepted_to", "curators", "labels", "decisions")
        ]

    @property
    def split_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in ("split_file", "split_upload")]

    @property
    def asks_for_some(self) -> bool:
        """Whether the folded fields say something, and so have to be seen."""
        return self.is_bound and any(
            self[name].value()
            for name in (
                "accepted_from",
                "accepted_to",
                "curators",
                "labels",
                "decisions",
                "split_file",
            )
        )

    def clean_split_upload(self) -> Any:
        upload = self.cleaned_data["split_upload"]
        if upload and upload.size > _MAX_SPLIT_BYTES:
            raise forms.ValidationError(
                f"This is larger than {_MAX_SPLIT_BYTES // 1024**2} MB, too large for a split file."
                " One line a paper is enough."
            )
        return upload

    def filters(self) -> SnapshotFilter:
        """What was asked for."""
        asked = self.cleaned_data
        return SnapshotFilter(
            accepted_from=asked["accepted_from"],
            accepted_to=asked["accepted_to"],
            curators=tuple(user.pk for user in asked["curators"]),
            labels=tuple(asked["labels"]),
            decisions=tuple(asked["decisions"]),
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
    """The rules of a project's snapshots; shares are asked for in percent."""

    swept_cap = _percent(
        "Swept entities, at most, percent",
        "Entities that were accepted with their legend and that nobody decided by themselves. A"
        " model that learns from them learns what a model guessed. 100 switches the limit off."
        " Beyond it figures whose panels a machine found and nobody touched are left out for models"
        " of panels.",
    )
    over_cap = forms.ChoiceField(
        label="Beyond the limit", choices=OverCap.choices, widget=UnfoldAdminRadioSelectWidget
    )
    swept_weight = _percent(
        "Weight of a swept entity, percent",
        "Each row has a weight by which a model learns from it: the mean over its entities, of"
        " which a decided one counts 100 and a swept one this. A row of 0 is left out of the"
        " training. Whole figures have that of their panels.",
    )
    near_duplicate = _percent(
        "Nearly the same from, percent",
        "Panels of different sides that have this share of their three-word sequences in common are"
        " one too many: the one that is held out stays, the other is left out.",
    )

    @classmethod
    def of(cls, project: Project) -> RulesForm:
        """Filled in as the project is set."""
        rules = Rules.of(project)
        shares = {
            name: round(100 * getattr(rules, name), 4)
            for name in ("swept_cap", "swept_weight", "near_duplicate")
        }
        return cls(
            initial={
                "over_cap": rules.over_cap,
                **{name: f"{share:g}" for name, share in shares.items()},
            }
        )

    def rules(self) -> dict[str, Any]:
        """What was entered, as the service takes it."""
        entered = self.cleaned_data
        return {"over_cap": entered["over_cap"]} | {
            name: entered[name] / 100 for name in ("swept_cap", "swept_weight", "near_duplicate")
        }
